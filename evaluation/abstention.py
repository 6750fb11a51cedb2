"""Measure when a question is not answered: `python -m evaluation.abstention DIR --json OUT`. README.md has the fields.

Each question is asked twice: with the documents that answer it, and with these taken out of the index. Chunks,
embeddings, index, retriever and decision are the product's, as for the retrieval.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import suite
from evaluation.datasets import Dataset, Question, load
from evaluation.retrieval import CachingEmbedder, chunked, embedded, product_embedder
from shared.conversation.decision import ANSWERABLE, Decision, Found, decide
from shared.conversation.knowledge import PASSAGES
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.embedding import Embedder, Vectors
from shared.knowledge.filters import Filters
from shared.knowledge.index import Chunk, Match
from shared.knowledge.ranking import Passage
from shared.knowledge.retrieval import Retriever

Values = NDArray[np.float64]

THRESHOLDS = [round(0.05 * step, 2) for step in range(20)]
BINS = 10
"""Of equal width, for the calibration error (Naeini, Cooper & Hauskrecht 2015)."""
COPY = 100
"""Characters. A document with a text of at least this length in common with a relevant one answers as well as it."""
STEP = 200
"""Questions asked between two lines of progress."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, once. `covered`: the documents that answer it were there. `found`: one of them is among the
    passages shown; `relevant` says it of each passage."""

    question: Question
    covered: bool
    passages: Sequence[Passage]
    relevant: Sequence[bool]
    decision: Decision

    @property
    def found(self) -> bool:
        return any(self.relevant)


class PartialIndex(ChromaIndex):
    """The index as if some of its documents had never been there."""

    def __init__(self, folder: Path, model: str) -> None:
        super().__init__(folder, model)
        self.hidden: frozenset[str] = frozenset()
        self.hidden_chunks = 0

    async def version(self) -> str:
        return json.dumps(sorted(self.hidden))

    async def query(self, vector: Vectors, *, limit: int, filters: Filters | None = None) -> Sequence[Match]:
        return self._rest(await super().query(vector, limit=limit + self.hidden_chunks, filters=filters), limit)

    async def containing(self, text: str, vector: Vectors, *, limit: int) -> Sequence[Match]:
        return self._rest(await super().containing(text, vector, limit=limit + self.hidden_chunks), limit)

    def _rest(self, matches: Sequence[Match], limit: int) -> Sequence[Match]:
        return [match for match in matches if match.chunk.document not in self.hidden][:limit]


async def ask(dataset: Dataset, embedder: Embedder) -> list[Asked]:
    """Every question with its documents and without, in this order."""
    embedder = CachingEmbedder(embedder)
    chunks = chunked(dataset, embedder)
    answering = _answering(dataset.questions, chunks)
    sizes: dict[str, int] = defaultdict(int)
    for chunk in chunks:
        sizes[chunk.document] += 1
    asked: list[Asked] = []
    # Chroma keeps its files open on Windows until the process ends.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        index = PartialIndex(Path(folder), embedder.fingerprint)
        await index.upsert(chunks, embedded(chunks, embedder))
        retriever = Retriever(embedder, index)
        for number, (question, relevant) in enumerate(zip(dataset.questions, answering, strict=True), 1):
            for hidden in (frozenset[str](), relevant):
                index.hidden, index.hidden_chunks = hidden, sum(sizes[name] for name in hidden)
                passages = await retriever.retrieve(question.asked, limit=PASSAGES)
                asked.append(
                    Asked(
                        question,
                        covered=not hidden,
                        passages=passages,
                        relevant=[not relevant.isdisjoint((p.chunk.document, *p.copies)) for p in passages],
                        decision=decide(_whole(question), [Found(p.chunk.breadcrumb, p.relevance) for p in passages]),
                    )
                )
            if number % STEP == 0 or number == len(dataset.questions):
                _progress(f"asked {number} of {len(dataset.questions)} questions")
        await index.close()
    return asked


def _answering(questions: Sequence[Question], chunks: Sequence[Chunk]) -> list[frozenset[str]]:
    """For each question its relevant documents, and those which hold one of their texts word for word."""
    texts: dict[str, list[str]] = defaultdict(list)
    holders: dict[str, set[str]] = defaultdict(set)
    for chunk in chunks:
        text = " ".join(chunk.text.split())
        if len(text) >= COPY:
            texts[chunk.document].append(text)
            holders[text].add(chunk.document)
    return [
        question.relevant.union(*(holders[text] for name in question.relevant for text in texts[name]))
        for question in questions
    ]


def _whole(question: Question) -> str:
    """In words that stand alone: a follow-up is never vague."""
    return " ".join((*question.asked.asked[:1], question.asked.text))


def report(name: str, asked: Sequence[Asked]) -> dict[str, Any]:
    """As README.md describes it."""
    confidences = np.array([one.decision.confidence for one in asked])
    covered = np.array([one.covered for one in asked])
    found = np.array([one.found for one in asked])
    answered = np.array([one.decision.action == "answer" for one in asked])
    clarified = np.array([one.decision.action == "clarify" for one in asked])
    relevances = np.array([p.relevance for one in asked for p in one.passages])
    relevant = np.array([yes for one in asked for yes in one.relevant])
    given = answered.sum() or 1
    metrics = {
        "auroc": auroc(confidences, covered),
        "auroc_found": auroc(confidences, found),
        "brier": brier(confidences, found),
        "ece": calibration_error(confidences, found),
        "aurc": risk_coverage_area(confidences, found),
        "threshold": ANSWERABLE,
        "expected_error_at_threshold": float((1 - confidences[answered]).sum() / given),
        "error_at_threshold": float((~found[answered]).sum() / given),
        "answered_with_gold": _share(answered[covered]),
        "answered_without_gold": _share(answered[~covered]),
        "clarified_with_gold": _share(clarified[covered]),
        "clarified_without_gold": _share(clarified[~covered]),
        "found_with_gold": _share(found[covered]),
        "passage_auroc": auroc(relevances, relevant),
        "passage_brier": brier(relevances, relevant),
        "passage_ece": calibration_error(relevances, relevant),
    }
    return {
        "suite": "abstention",
        "dataset": name,
        "queries": len(asked) // 2,
        "metrics": {key: round(value, 4) for key, value in metrics.items()},
        "curve": [_point(threshold, confidences, found) for threshold in THRESHOLDS],
    }


def auroc(scores: Values, positive: NDArray[np.bool_]) -> float:
    """The probability that a positive scores higher than a negative; ties count half. 0.5 if one kind is missing."""
    yes, no = scores[positive], np.sort(scores[~positive])
    if not len(yes) or not len(no):
        return 0.5
    below = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(below.mean() / 2 / len(no))


def brier(probabilities: Values, outcomes: NDArray[np.bool_]) -> float:
    return float(np.mean((probabilities - outcomes) ** 2))


def calibration_error(probabilities: Values, outcomes: NDArray[np.bool_]) -> float:
    """By how much probability and share of positives differ, on average over the bins, each by its number."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    apart = np.zeros(BINS)
    np.add.at(apart, bins, probabilities - outcomes)
    return float(np.abs(apart).sum() / len(probabilities))


def risk_coverage_area(confidences: Values, right: NDArray[np.bool_]) -> float:
    """Mean risk over all coverages (Geifman & El-Yaniv 2017): the share of wrong among the most confident, of each
    number."""
    wrong = ~right[np.argsort(-confidences, kind="stable")]
    return float(np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))


def _point(threshold: float, confidences: Values, right: NDArray[np.bool_]) -> dict[str, float]:
    """Coverage: share of all that is answered. Risk: share of wrong among them, 0 if there are none."""
    kept = confidences >= threshold
    risk = float((~right[kept]).mean()) if kept.any() else 0.0
    return {"threshold": threshold, "coverage": round(_share(kept), 4), "risk": round(risk, 4)}


def _share(which: NDArray[np.bool_]) -> float:
    return float(which.mean()) if len(which) else 0.0


def table(figures: Mapping[str, Any]) -> str:
    lines = [f"{figures['dataset']}, {figures['queries']} questions, each with its documents and without"]
    lines += [
        "  ".join(f"{name} {value:.3f}" for name, value in row)
        for row in batched(figures["metrics"].items(), 4, strict=False)
    ]
    lines += [f"{'threshold':>10}{'coverage':>10}{'risk':>10}"]
    lines += [f"{p['threshold']:10.2f}{p['coverage']:10.3f}{p['risk']:10.3f}" for p in figures["curve"]]
    return "\n".join(lines)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def run(folder: Path) -> dict[str, Any]:
    dataset = load(folder)
    return report(dataset.name, await ask(dataset, product_embedder()))


def main(arguments: Sequence[str] | None = None) -> None:
    suite.main("abstention", run, table, arguments)


if __name__ == "__main__":
    main()
