"""Question sets: a folder with `corpus.jsonl` and `queries.jsonl`; README.md has their fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.conversation.query import search_query


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """`text` is what is looked up, `relevant` the names of the documents that answer it, at least one."""

    text: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str
    documents: list[Document]
    questions: list[Question]


def load(folder: Path) -> Dataset:
    """Read a set; questions without a relevant document are left out.

    Raises `FileNotFoundError` if a file is missing, `ValueError` for a line without what it needs or an empty set.
    """
    documents = [_document(line, row) for line, row in _rows(folder / "corpus.jsonl")]
    questions = [_question(line, row) for line, row in _rows(folder / "queries.jsonl")]
    dataset = Dataset(folder.resolve().name, documents, [question for question in questions if question.relevant])
    if not dataset.documents or not dataset.questions:
        raise ValueError(f"{folder} has no documents, or no questions with a relevant document.")
    return dataset


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"{path.name}, line {number} is no object.")
            yield f"{path.name}, line {number}", row


def _document(line: str, row: dict[str, Any]) -> Document:
    try:
        return Document(str(row["doc_id"]), str(row.get("title") or ""), str(row["text"]))
    except KeyError as missing:
        raise ValueError(f"{line} has no {missing}.") from None


def _question(line: str, row: dict[str, Any]) -> Question:
    try:
        text, relevant = str(row["text"]), frozenset(map(str, row["rel"]))
    except KeyError as missing:
        raise ValueError(f"{line} has no {missing}.") from None
    agent = next((m["content"] for m in reversed(row.get("messages") or []) if m["role"] == "assistant"), "")
    more = str(row.get("body") or row.get("scenario") or "")
    return Question(search_query("\n".join(filter(None, [agent, text, more])), ()), relevant)
