"""Measure when a person takes over: `python -m evaluation.escalation DIR --json OUT`. README.md has the fields.

Each message is the first of a new conversation with the product as it is shipped, without a language model: documents,
retrieval, answerer, policy and tickets are the product's own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.suite import main
from shared.services import Services
from shared.settings import ROOT, Settings

OUTCOMES = ("answered", "declined", "handed_over")
KNOWLEDGE = {"samples": ROOT / "samples" / "documents"}
NEEDS_KNOWLEDGE = frozenset({"in_scope", "out_of_scope", "angry_in_scope"})
"""Categories that say nothing where there are no documents to answer from."""
STEP = 50
"""Messages sent between two lines of progress."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`before` is what the customer wrote earlier in the conversation."""

    text: str
    category: str
    knowledge: str
    before: tuple[str, ...] = ()


def read(folder: Path) -> list[Asked]:
    """Raises `FileNotFoundError`, or `ValueError` for a line without what it needs or an empty file."""
    asked: list[Asked] = []
    for number, line in enumerate((folder / "queries.jsonl").read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            asked.append(
                Asked(
                    text=str(row["text"]),
                    category=str(row["category"]),
                    knowledge=str(row.get("scope_kb") or ""),
                    before=tuple(map(str, row.get("before") or ())),
                )
            )
        except (KeyError, TypeError) as missing:
            raise ValueError(f"queries.jsonl, line {number} has no {missing}.") from None
    if not asked:
        raise ValueError(f"{folder} has no messages.")
    return asked


def locate(name: str, folder: Path) -> Path | None:
    """The documents that `scope_kb` names: the only folder beside `folder` which has a corpus and shares a word of its
    name with it, or the sample company's. None if there is no such folder, or more than one."""
    words = set(name.split("_"))
    near = [
        other
        for other in sorted(folder.parent.iterdir())
        if (other / "corpus.jsonl").is_file() and words & set(other.name.split("_"))
    ]
    return near[0] if len(near) == 1 else KNOWLEDGE.get(name)


async def run(folder: Path) -> dict[str, Any]:
    """The report, as README.md describes it."""
    asked = read(folder)
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    left_out: Counter[str] = Counter()
    for name in dict.fromkeys(one.knowledge for one in asked):
        documents = locate(name, folder)
        chosen = [one for one in asked if one.knowledge == name]
        if documents is None:
            left_out[name] = sum(one.category in NEEDS_KNOWLEDGE for one in chosen)
            chosen = [one for one in chosen if one.category not in NEEDS_KNOWLEDGE]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            async with await _services(documents, Path(scratch)) as services:
                for number, one in enumerate(chosen, 1):
                    outcomes[one.category][await _outcome(services, one)] += 1
                    if number % STEP == 0 or number == len(chosen):
                        _progress(f"{name or 'no documents'}: {number} of {len(chosen)} messages")
    return {
        "suite": "escalation",
        "dataset": folder.name,
        "queries": sum(map(Counter.total, outcomes.values())),
        "metrics": metrics(outcomes),
        "categories": {name: {key: counts[key] for key in OUTCOMES} for name, counts in outcomes.items()},
        "left_out": dict(left_out),
    }


def metrics(outcomes: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Shares of each category: `…_recall` where a person is wanted, `…_false` where none is, and so on."""
    named = {
        "hard_negative_human_word": {"hard_negative_false": ("handed_over",)},
        "out_of_scope": {"out_of_scope_declined": ("declined",), "out_of_scope_handed_over": ("handed_over",)},
        "in_scope": {"in_scope_answered": ("answered",), "in_scope_handed_over": ("handed_over",)},
        "angry_in_scope": {"angry_in_scope_served": ("answered", "handed_over")},
    }
    shares: dict[str, float] = {}
    for category, counts in outcomes.items():
        total = sum(counts.values())
        for name, keys in named.get(category, {f"{category}_recall": ("handed_over",)}).items():
            shares[name] = round(sum(counts.get(key, 0) for key in keys) / total, 4)
    return shares


async def _services(documents: Path | None, scratch: Path) -> Services:
    """The product over these documents, which are indexed when this returns."""
    corpus = documents / "corpus.jsonl" if documents else None
    if documents is None or (corpus and corpus.is_file()):
        folder = scratch / "documents"
        folder.mkdir()
        if corpus:
            _write_documents(corpus, folder)
    else:
        folder = documents
    settings = Settings(auth_mode="open", data_dir=scratch / "data", documents_dir=folder)  # pyright: ignore[reportCallIssue]
    services = Services(settings)
    outcome = await services.ingestion.reconcile()
    _progress(f"{documents.name if documents else 'no documents'}: {outcome.ingested} documents indexed")
    return services


def _write_documents(corpus: Path, folder: Path) -> None:
    for number, line in enumerate(corpus.read_text("utf-8").split("\n")):
        if line.strip():
            row = json.loads(line)
            title = " ".join(str(row.get("title") or row["doc_id"]).split())
            text = f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\n---\n\n{row['text']}\n"
            (folder / f"{number:05}.md").write_text(text, "utf-8")


async def _outcome(services: Services, asked: Asked) -> str:
    conversation, _ = await services.conversations.start(None)
    for text in asked.before:
        await (await services.conversations.begin_turn(conversation.session_id, text)).result()
    answer = await (await services.conversations.begin_turn(conversation.session_id, asked.text)).result()
    if answer is None:
        raise RuntimeError("A conversation went to a person before its last message was sent.")
    return "handed_over" if answer.ticket_id else "declined" if answer.abstained else "answered"


def table(report: Mapping[str, Any]) -> str:
    width = max(map(len, report["categories"]))
    lines = [f"{report['dataset']}, {report['queries']} messages", " " * width + "".join(f"{o:>13}" for o in OUTCOMES)]
    lines += [
        f"{name:{width}}" + "".join(f"{counts[outcome]:13}" for outcome in OUTCOMES)
        for name, counts in report["categories"].items()
    ]
    lines += [f"{name}: {value:.3f}" for name, value in report["metrics"].items()]
    lines += [f"left out, no documents at hand: {number} of {name}" for name, number in report["left_out"].items()]
    return "\n".join(lines)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main("escalation", run, table)
