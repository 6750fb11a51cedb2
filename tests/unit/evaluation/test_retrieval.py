import json
from pathlib import Path

import pytest

from evaluation.retrieval import fuse, main

DOCUMENTS = {
    "returns": "You can send goods back within thirty days and get your money back.",
    "delivery": "A parcel to Germany takes three to five working days.",
    "cleaning": "Descale the machine with citric acid every three months.",
}
QUESTIONS = {
    "returns": "How do I send something back?",
    "delivery": "how long until my parcel is here",
    "cleaning": "how often must it be descaled",
}


def test_a_folder_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "corpus.jsonl").write_text(
        "\n".join(json.dumps({"doc_id": name, "title": "", "text": text}) for name, text in DOCUMENTS.items())
    )
    (tmp_path / "queries.jsonl").write_text(
        "\n".join(json.dumps({"qid": name, "text": text, "rel": [name]}) for name, text in QUESTIONS.items())
    )
    main([str(tmp_path), "--json", str(tmp_path / "out.json")])
    report = json.loads((tmp_path / "out.json").read_text())
    perfect = dict.fromkeys(("ndcg@10", "recall@1", "recall@5", "recall@10", "mrr@10"), 1.0)
    assert report["metrics"] == report["baselines"]["dense"] == report["baselines"]["bm25"] == perfect
    assert (report["suite"], report["dataset"], report["queries"]) == ("retrieval", tmp_path.name, 3)
    assert set(report["baselines"]) == {"dense", "bm25", "rrf"}
    assert "product" in capsys.readouterr().out


def test_a_missing_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none")])
    assert "corpus.jsonl" in capsys.readouterr().err


def test_what_both_rankings_like_is_fused_to_the_top() -> None:
    assert fuse(["a", "b", "c"], ["d", "b"]) == ["b", "a", "d", "c"]
