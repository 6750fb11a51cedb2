"""Measure which sentences are taken for promises: `python -m evaluation.promises DIR --json OUT`. README.md has the
fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from evaluation.suite import Report, main
from shared.escalation.promises import Kind, find_promise, keep_promises

HALVES = ("tuned", "held_out")
PROMISES: frozenset[str] = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True)
class Sentence:
    """`kind` is that of the promise, or of what is none."""

    text: str
    kind: str


def read(file: Path) -> list[Sentence]:
    """Raises `FileNotFoundError`, or `ValueError` for a line without what it needs or a file without both sorts."""
    sentences: list[Sentence] = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            sentences.append(Sentence(str(row["text"]), str(row["kind"])))
        except (KeyError, TypeError) as missing:
            raise ValueError(f"{file.name}, line {number} has no {missing}.") from None
    if len({sentence.kind in PROMISES for sentence in sentences}) < 2:
        raise ValueError(f"{file.name} needs promises ({', '.join(sorted(PROMISES))}) and other sentences.")
    return sentences


def measure(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Precision and recall of rewriting where there is no ticket, and for each kind how many were rewritten."""
    kinds: dict[str, dict[str, int]] = {}
    for sentence in sentences:
        counts = kinds.setdefault(
            sentence.kind, {"sentences": 0, "rewritten": 0, "rewritten_with_ticket": 0, "kind_told": 0}
        )
        promise = find_promise(sentence.text)
        counts["sentences"] += 1
        counts["rewritten"] += keep_promises(sentence.text, ticket_open=False) != sentence.text
        counts["rewritten_with_ticket"] += keep_promises(sentence.text, ticket_open=True) != sentence.text
        counts["kind_told"] += promise is not None and promise.kind == sentence.kind
    found = sum(counts["rewritten"] for kind, counts in kinds.items() if kind in PROMISES)
    rewritten = sum(counts["rewritten"] for counts in kinds.values())
    promises = sum(counts["sentences"] for kind, counts in kinds.items() if kind in PROMISES)
    return {
        "sentences": len(sentences),
        "metrics": {
            "precision": round(found / rewritten, 4) if rewritten else 0.0,
            "recall": round(found / promises, 4),
        },
        "kinds": kinds,
    }


async def run(folder: Path) -> dict[str, Any]:
    """The report, as README.md describes it."""
    halves = {name: measure(read(folder / f"{name}.jsonl")) for name in HALVES}
    return {
        "suite": "promises",
        "dataset": folder.name,
        "sentences": sum(half["sentences"] for half in halves.values()),
        "halves": halves,
    }


def table(report: Report) -> str:
    lines = [f"{report['dataset']}, {report['sentences']} sentences: rewritten, without a ticket and with one"]
    for name, half in report["halves"].items():
        lines.append(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in half["metrics"].items()))
        lines += [_row(kind, counts) for kind, counts in half["kinds"].items()]
    return "\n".join(lines)


def _row(kind: str, counts: Mapping[str, int]) -> str:
    return f"  {kind:10}{counts['sentences']:5}{counts['rewritten']:5}{counts['rewritten_with_ticket']:5}"


if __name__ == "__main__":
    main("promises", run, table)
