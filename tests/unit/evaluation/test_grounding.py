from pathlib import Path

import pytest

from evaluation.datasets import Document
from evaluation.grounding import main, measure
from tests.fakes import HashEmbedder

TEXTS = [
    f"The {name} pump must not run over {n} hours in {city}. You can return it within {n + 20} days of delivery."
    for n, (name, city) in enumerate([("red", "Lisbon"), ("blue", "Porto"), ("old", "Braga"), ("big", "Faro")], 3)
]


def test_true_claims_pass_and_false_ones_do_not() -> None:
    documents = [Document(str(i), f"Pump {i}", text) for i, text in enumerate(TEXTS)]
    report = measure("pumps", documents, HashEmbedder(), pairs=4)
    assert report == {
        **measure("pumps", documents, HashEmbedder(), pairs=4),
        "ms_per_sentence": report["ms_per_sentence"],
    }
    assert report["pairs"] == 4
    assert report["true"]["same"]["dropped"] == 0
    assert report["false"]["all"]["caught"] >= 0.95
    assert {"number", "negation_inserted", "citation_unknown"} <= set(report["false"])


def test_a_missing_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none")])
    assert "corpus.jsonl" in capsys.readouterr().err
