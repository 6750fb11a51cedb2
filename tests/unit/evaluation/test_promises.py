import json
from pathlib import Path

import pytest

from evaluation import promises
from evaluation.__main__ import SUITES
from evaluation.promises import read, run, table
from shared.settings import ROOT

OWN = ROOT / "evaluation" / "data" / "promises"


def write(file: Path, rows: list[dict[str, str]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


async def test_counts_what_is_rewritten(tmp_path: Path) -> None:
    rows = [
        {"text": "Someone will call you.", "kind": "contact"},
        {"text": "The moon will look kindly on you.", "kind": "action"},
        {"text": "I will refund you.", "kind": "action"},
        {"text": "Refunds take 5 days.", "kind": "policy"},
        {"text": "I have refunded you.", "kind": "policy"},
    ]
    write(tmp_path / "tuned.jsonl", rows[2:4])
    write(tmp_path / "held_out.jsonl", rows)
    report = await run(tmp_path)
    half = report["halves"]["held_out"]
    assert half["metrics"] == {"precision": 0.6667, "recall": 0.6667}
    assert half["kinds"]["contact"] == {"sentences": 1, "rewritten": 1, "rewritten_with_ticket": 0, "kind_told": 1}
    assert half["kinds"]["action"] == {"sentences": 2, "rewritten": 1, "rewritten_with_ticket": 1, "kind_told": 1}
    assert half["kinds"]["policy"] == {"sentences": 2, "rewritten": 1, "rewritten_with_ticket": 1, "kind_told": 0}
    assert report["sentences"] == 7
    assert "recall 0.667" in table(report)
    assert len(SUITES["promises"].misses(report)) == 2


async def test_the_gate_is_met_by_sentences_that_no_rule_was_tuned_to() -> None:
    report = await run(OWN)
    assert SUITES["promises"].fits(OWN)
    assert SUITES["promises"].misses(report) == []
    assert report["halves"]["held_out"]["sentences"] >= 120


def test_the_halves_share_no_sentence() -> None:
    tuned, held_out = ({sentence.text for sentence in read(OWN / f"{name}.jsonl")} for name in promises.HALVES)
    assert not tuned & held_out


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([{"text": "Hello."}], "line 1 has no 'kind'"),
        ([{"text": "Hello.", "kind": "product"}], "needs promises"),
        ([{"text": "I will call.", "kind": "contact"}], "other sentences"),
    ],
)
def test_a_set_that_cannot_be_measured(tmp_path: Path, rows: list[dict[str, str]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read(write(tmp_path / "tuned.jsonl", rows))
