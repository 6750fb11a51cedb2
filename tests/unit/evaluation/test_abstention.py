import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.abstention import auroc, calibration_error, main, risk_coverage_area

DOCUMENTS = {
    "returns": "You can send goods back within thirty days and get your money back.",
    "delivery": "A parcel to Germany takes three to five working days.",
    "cleaning": "Descale the machine with citric acid every three months.",
}
QUESTIONS = {
    "returns": "Within how many days can I send goods back and get my money back?",
    "delivery": "How many working days does a parcel to Germany take?",
    "cleaning": "How often do I descale the machine with citric acid?",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus.jsonl").write_text(
        "\n".join(json.dumps({"doc_id": name, "title": name, "text": text}) for name, text in DOCUMENTS.items())
    )
    (tmp_path / "queries.jsonl").write_text(
        "\n".join(json.dumps({"text": text, "rel": [name]}) for name, text in QUESTIONS.items())
    )
    return tmp_path


def test_without_the_documents_that_answer_them_questions_are_declined(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(folder), "--json", str(folder / "out.json")])
    report = json.loads((folder / "out.json").read_text())
    metrics = report["metrics"]
    assert (report["suite"], report["dataset"], report["queries"]) == ("abstention", folder.name, 3)
    assert (metrics["auroc"], metrics["found_with_gold"]) == (1, 1)
    assert (metrics["answered_with_gold"], metrics["answered_without_gold"]) == (1, 0)
    assert metrics["error_at_threshold"] == 0
    assert report["curve"][0] == {"threshold": 0, "coverage": 1, "risk": 0.5}
    assert "auroc" in capsys.readouterr().out


def test_a_copy_of_a_document_that_answers_is_taken_out_with_it(folder: Path) -> None:
    text = DOCUMENTS["returns"] + " Pack them in the box they came in, and print the label that we send you by e-mail."
    rows = [{"doc_id": name, "title": "Returns", "text": text} for name in ("returns", "copy")]
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "queries.jsonl").write_text(json.dumps({"text": QUESTIONS["returns"], "rel": ["returns"]}))
    main([str(folder), "--json", str(folder / "out.json")])
    assert json.loads((folder / "out.json").read_text())["metrics"]["answered_without_gold"] == 0


def test_a_missing_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none")])
    assert "corpus.jsonl" in capsys.readouterr().err


def test_the_measures_have_their_textbook_values() -> None:
    scores, right = np.array([0.9, 0.6, 0.6, 0.1]), np.array([True, True, False, False])
    assert auroc(scores, right) == 0.875
    assert risk_coverage_area(scores, right) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([True, True, True, False])) == 0
    assert calibration_error(np.array([0.9, 0.9]), np.array([False, False])) == pytest.approx(0.9)
