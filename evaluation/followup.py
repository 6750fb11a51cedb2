"""Measure questions within a conversation: `python -m evaluation.followup DIR --json OUT`.

Every question that has turns before it is looked up by the product's own retriever three times: as the product does it,
with what was said before; by the last message alone; and by all that was said as one text.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation import suite
from evaluation.datasets import Dataset, load, message
from evaluation.datasets import Question as Asked
from evaluation.metrics import averages
from evaluation.retrieval import CachingEmbedder, asked_of, chunked, embedded, product_embedder, table
from shared.conversation.query import search_question
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.embedding import Embedder
from shared.knowledge.question import Question
from shared.knowledge.retrieval import Retriever


async def measure(dataset: Dataset, embedder: Embedder) -> dict[str, Any]:
    """As README.md describes. Raises `ValueError` if no question has turns before it."""
    questions = [question for question in dataset.questions if len(question.turns) > 1]
    if not questions:
        raise ValueError(f"{dataset.name} has no question with turns before it (`user_turns` or `messages`).")
    embedder = CachingEmbedder(embedder)
    chunks = chunked(replace(dataset, questions=questions), embedder)
    vectors = embedded(chunks, embedder)
    relevant = [question.relevant for question in questions]
    ways: dict[str, list[Question]] = {
        "product": [_in_conversation(question) for question in questions],
        "last_turn": [Question(question.turns[-1]) for question in questions],
        "all_turns": [Question("\n".join(question.turns)) for question in questions],
    }
    if all(question.messages for question in questions):
        ways["all_messages"] = [Question("\n".join(question.messages)) for question in questions]
    figures: dict[str, dict[str, float]] = {}
    # Chroma keeps its files open on Windows until the process ends.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        index = ChromaIndex(Path(folder), embedder.fingerprint)
        await index.upsert(chunks, vectors)
        retriever = Retriever(embedder, index)
        for way, asked in ways.items():
            print(f"asking {len(asked)} questions: {way}", file=sys.stderr, flush=True)
            figures[way] = averages(await asked_of(retriever, asked), relevant)
        await index.close()
    return {
        "suite": "followup",
        "dataset": dataset.name,
        "queries": len(questions),
        "metrics": figures.pop("product"),
        "baselines": figures,
    }


def _in_conversation(question: Asked) -> Question:
    if question.messages:
        return question.asked
    return search_question(question.turns[-1], [message("user", turn) for turn in question.turns[:-1]])


async def run(folder: Path) -> dict[str, Any]:
    return await measure(load(folder), product_embedder())


def main(arguments: Sequence[str] | None = None) -> None:
    suite.main("followup", run, table, arguments)


if __name__ == "__main__":
    main()
