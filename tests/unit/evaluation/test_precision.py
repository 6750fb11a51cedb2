import json
from pathlib import Path

import pytest

from evaluation.precision import main

MODEL = Path(__file__).parents[3] / "models" / "all-MiniLM-L6-v2"
DOCUMENTS = {
    "returns": "You can send goods back within thirty days and get your money back.",
    "delivery": "A parcel to Germany takes three to five working days.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"doc_id": name, "title": "", "text": text} for name, text in DOCUMENTS.items()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "queries.jsonl").write_text(json.dumps({"text": "send something back", "rel": ["returns"]}))
    return tmp_path


def test_a_model_costs_nothing_against_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(folder), "--reference", str(MODEL), "--json", str(folder / "out.json")])
    report = json.loads((folder / "out.json").read_text())
    (row,) = report["sets"]
    assert report["model"] == report["reference"]
    assert row["model"] == row["reference"]
    assert row["model"]["mrr@10"] == 1
    assert row["cosine"] == {"min": pytest.approx(1, abs=1e-5), "mean": pytest.approx(1, abs=1e-5)}
    assert f"{folder.name}: mrr@10 1.0000 (1.0000)" in capsys.readouterr().out


def test_a_folder_without_a_model_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(folder), "--reference", str(folder)])
    assert str(folder) in capsys.readouterr().err
