"""Question sets: a folder with `corpus.jsonl` and `queries.jsonl`; README.md has their fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.conversation.query import search_question
from shared.knowledge.question import Question as Asked
from shared.memory.models import Message, Role, Source


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """`asked` is what the product looks up, `relevant` the names of the documents that answer it, at least one.

    `text` is the same for a baseline that knows no conversation: the last answer, if there is one, and the message.
    `turns` are the customer's messages, the last one included; `messages` all that was said, if the set has that.
    """

    asked: Asked
    text: str
    relevant: frozenset[str]
    turns: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str
    documents: list[Document]
    questions: list[Question]


def load(folder: Path) -> Dataset:
    """Read a set; questions without a relevant document are left out.

    Raises `FileNotFoundError` if a file is missing, `ValueError` for a line without what it needs or an empty set.
    """
    documents = load_documents(folder)
    questions = [_question(line, row) for line, row in _rows(folder / "queries.jsonl")]
    dataset = Dataset(folder.resolve().name, documents, [question for question in questions if question.relevant])
    if not dataset.documents or not dataset.questions:
        raise ValueError(f"{folder} has no documents, or no questions with a relevant document.")
    return dataset


def load_documents(folder: Path) -> list[Document]:
    """The documents alone. Raises as `load` does."""
    return [_document(line, row) for line, row in _rows(folder / "corpus.jsonl")]


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
        said: list[tuple[Role, str]] = [(m["role"], str(m["content"])) for m in row.get("messages") or []]
        turns = row.get("user_turns") or [content for role, content in said if role == "user"] or [text]
    except KeyError as missing:
        raise ValueError(f"{line} has no {missing}.") from None
    whole = "\n".join(filter(None, [text, str(row.get("body") or row.get("scenario") or "")]))
    agent = next((content for role, content in reversed(said) if role == "assistant"), "")
    return Question(
        asked=search_question(whole, [message(role, content) for role, content in said[:-1]]),
        text="\n".join(filter(None, [agent, whole])),
        relevant=relevant,
        turns=tuple(map(str, turns)),
        messages=tuple(content for _, content in said),
    )


def message(role: Role, text: str) -> Message:
    """As stored; an answer of a set is taken for one that was verified."""
    sources = (Source("", text, {}, 0.0, text, 0, len(text)),) if role == "assistant" else ()
    return Message("", "", role, text, datetime.min.replace(tzinfo=UTC), sources=sources)
