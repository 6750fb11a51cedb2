import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.datasets import load


def write(folder: Path, corpus: list[Any], queries: list[Any]) -> Path:
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


DOCUMENT = {"doc_id": "d", "title": "Returns", "text": "Thirty days."}


def test_a_question_is_what_the_customer_wrote_and_was_told_last(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "Which hotel?"},
        {"role": "assistant", "content": "The Anchor."},
        {"role": "user", "content": "Has it a pool?"},
    ]
    queries = [
        {"qid": "1", "text": "Printer broken", "body": "It blinks red.", "rel": ["d"]},
        {"qid": "2", "text": "May I apply?", "scenario": "I live abroad.", "rel": ["d"]},
        {"qid": "3", "text": "Has it a pool?", "messages": messages, "rel": ["d"]},
    ]
    questions = load(write(tmp_path, [DOCUMENT], queries)).questions
    assert [question.text for question in questions] == [
        "Printer broken\nIt blinks red.",
        "May I apply?\nI live abroad.",
        "The Anchor.\nHas it a pool?",
    ]


def test_questions_nothing_answers_are_left_out(tmp_path: Path) -> None:
    queries = [{"qid": "1", "text": "How long?", "rel": ["d"]}, {"qid": "2", "text": "Why?", "rel": []}]
    assert len(load(write(tmp_path, [DOCUMENT], queries)).questions) == 1


@pytest.mark.parametrize(
    ("corpus", "queries", "said"),
    [
        ([{"doc_id": "d"}], [], "corpus.jsonl, line 1 has no 'text'"),
        ([DOCUMENT], [{"qid": "1", "text": "How?"}], "queries.jsonl, line 1 has no 'rel'"),
        ([DOCUMENT], ["How?"], "queries.jsonl, line 1 is no object"),
        ([DOCUMENT], [], "no questions"),
    ],
)
def test_a_set_that_cannot_be_measured_is_refused(
    tmp_path: Path, corpus: list[Any], queries: list[Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        load(write(tmp_path, corpus, queries))
