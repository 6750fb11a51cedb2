import json
from pathlib import Path

import pytest

from evaluation.escalation import Asked, locate, metrics, read, run, table
from evaluation.suite import main


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def corpus(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = "# Lamp\n\n## How do I replace the bulb of the lamp?\n\nUnscrew the bulb of the lamp counter-clockwise."
    row = {"doc_id": "lamp", "title": "The lamp: bulbs", "text": text}
    (folder / "corpus.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    return folder


def test_reads_messages(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": "again", "category": "repeated_failure", "scope_kb": "a", "before": ["no light"], "id": 1},
        {"text": "hello", "category": "other"},
    ]
    assert read(write(tmp_path, rows)) == [
        Asked("again", "repeated_failure", "a", ("no light",)),
        Asked("hello", "other", ""),
    ]


@pytest.mark.parametrize("rows", [[], [{"text": "no category"}]])
def test_a_set_that_cannot_be_measured(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"no messages|has no 'category'"):
        read(write(tmp_path, rows))


def test_documents_are_beside_the_set(tmp_path: Path) -> None:
    folder = write(tmp_path / "escalation", [])
    lamps = corpus(tmp_path / "support_lamps")
    assert locate("forum_lamps", folder) == lamps
    assert locate("forum_chairs", folder) is None
    corpus(tmp_path / "old_lamps")
    assert locate("forum_lamps", folder) is None


def test_metrics_are_shares_of_their_category() -> None:
    assert metrics(
        {
            "human_request": {"handed_over": 3, "declined": 1},
            "hard_negative_human_word": {"declined": 2},
            "out_of_scope": {"declined": 3, "handed_over": 1},
            "in_scope": {"answered": 1, "declined": 1},
            "angry_in_scope": {"answered": 1, "handed_over": 1, "declined": 2},
        }
    ) == {
        "human_request_recall": 0.75,
        "hard_negative_false": 0,
        "out_of_scope_declined": 0.75,
        "out_of_scope_handed_over": 0.25,
        "in_scope_answered": 0.5,
        "in_scope_handed_over": 0,
        "angry_in_scope_served": 0.5,
    }


async def test_messages_go_through_the_product(tmp_path: Path) -> None:
    corpus(tmp_path / "support_lamps")
    rows: list[dict[str, object]] = [
        {"text": "I want to talk to a human", "category": "human_request", "scope_kb": "my_lamps"},
        {"text": "How do I replace the bulb of the lamp?", "category": "in_scope", "scope_kb": "my_lamps"},
        {"text": "What is the capital of Peru?", "category": "out_of_scope", "scope_kb": "my_lamps"},
        {"text": "let me talk to a person", "category": "human_request", "scope_kb": "chairs"},
        {"text": "How do I fold the chair?", "category": "in_scope", "scope_kb": "chairs"},
    ]
    report = await run(write(tmp_path / "set", rows))
    assert report["categories"] == {
        "human_request": {"answered": 0, "declined": 0, "handed_over": 2},
        "in_scope": {"answered": 1, "declined": 0, "handed_over": 0},
        "out_of_scope": {"answered": 0, "declined": 1, "handed_over": 0},
    }
    assert (report["suite"], report["dataset"], report["queries"]) == ("escalation", "set", 4)
    assert report["left_out"] == {"chairs": 1}
    assert "1 of chairs" in table(report)


def test_a_wrong_folder_is_said_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main("escalation", run, table, [str(tmp_path)])
    assert "queries.jsonl" in capsys.readouterr().err
