"""Measure retrieval on a question set: `python -m evaluation.retrieval DIR --json OUT`.

Chunks, embeddings, index and retriever are the product's, with its settings for the embedding model; only the parsing
of files is left out. The baselines are computed exactly, over the same chunks.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import suite
from evaluation.datasets import Dataset, Question, load
from evaluation.metrics import DEPTH, averages
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.chunking import Chunker
from shared.knowledge.embedding import Embedder, Vectors
from shared.knowledge.index import Chunk
from shared.knowledge.question import Question as Asked
from shared.knowledge.ranking import K1, B, Passage
from shared.knowledge.retrieval import Retriever
from shared.knowledge.terms import terms
from shared.services import Services
from shared.settings import Settings

Scores = NDArray[np.float32]

RRF = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke & Büttcher 2009)."""
FUSED = 100
"""Documents of each ranking that are fused."""
PASSAGES = 200
"""Passages retrieved to rank documents: enough that ten documents are among them, whatever their lengths."""
STEP = 200
"""Texts embedded, or questions asked, between two lines of progress."""


class CachingEmbedder:
    """An `Embedder` that computes each question once: retrieval and the dense baseline both need it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.fingerprint = embedder.fingerprint
        self.dimensions = embedder.dimensions
        self.max_tokens = embedder.max_tokens
        self.count_tokens = embedder.count_tokens
        self.embed_documents = embedder.embed_documents
        self.embed_query = cache(embedder.embed_query)


class Bm25:
    """BM25 over all chunks, with the constants and terms of the product."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        texts = [terms(chunk.embedded_text) for chunk in chunks]
        lengths = np.array([len(text) for text in texts], np.float32)
        self._norm: Scores = K1 * (1 - B + B * lengths / (lengths.mean() or 1))
        self._postings: dict[str, list[tuple[int, int]]] = {}
        for number, text in enumerate(texts):
            for term, times in Counter(text).items():
                self._postings.setdefault(term, []).append((number, times))

    def scores(self, question: str) -> Scores:
        """Shape (chunks,); 0 for a chunk that has no term of the question."""
        scores = np.zeros(len(self._norm), np.float32)
        for term in set(terms(question)):
            if postings := self._postings.get(term):
                numbers, times = np.array(postings).T
                idf = math.log(1 + (len(scores) - len(numbers) + 0.5) / (len(numbers) + 0.5))
                scores[numbers] += idf * times * (K1 + 1) / (times + self._norm[numbers])
        return scores


def product_embedder() -> Embedder:
    """The one the settings name. Nobody calls in, so there is no need of a token secret."""
    return Services(Settings(auth_mode="open")).embedder  # pyright: ignore[reportCallIssue]


async def measure(dataset: Dataset, embedder: Embedder) -> dict[str, Any]:
    """Metrics of the product and of the baselines, as README.md describes them."""
    embedder = CachingEmbedder(embedder)
    chunks = chunked(dataset, embedder)
    vectors = embedded(chunks, embedder)
    relevant = [question.relevant for question in dataset.questions]
    rankings = await _retrieved([question.asked for question in dataset.questions], chunks, vectors, embedder)
    baselines = _baselines(dataset.questions, chunks, vectors, embedder)
    return {
        "suite": "retrieval",
        "dataset": dataset.name,
        "queries": len(dataset.questions),
        "metrics": averages(rankings, relevant),
        "baselines": {name: averages(ranked, relevant) for name, ranked in baselines.items()},
    }


def chunked(dataset: Dataset, embedder: Embedder) -> list[Chunk]:
    chunker = Chunker(embedder)
    chunks: list[Chunk] = []
    for document in dataset.documents:
        chunks += chunker.chunk(
            document.text, document=document.name, version="1", title=document.title, metadata={"title": document.title}
        )
    _progress(f"{len(dataset.documents)} documents, {len(chunks)} chunks")
    return chunks


def embedded(chunks: Sequence[Chunk], embedder: Embedder) -> Vectors:
    parts: list[Vectors] = []
    for start in range(0, len(chunks), STEP):
        parts.append(embedder.embed_documents([chunk.embedded_text for chunk in chunks[start : start + STEP]]))
        _progress(f"embedded {min(start + STEP, len(chunks))} of {len(chunks)} chunks")
    return np.concatenate(parts)


async def _retrieved(
    questions: Sequence[Asked], chunks: Sequence[Chunk], vectors: Vectors, embedder: Embedder
) -> list[list[str]]:
    # Chroma keeps its files open on Windows until the process ends.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        index = ChromaIndex(Path(folder), embedder.fingerprint)
        await index.upsert(chunks, vectors)
        rankings = await asked_of(Retriever(embedder, index), questions)
        await index.close()
    return rankings


async def asked_of(retriever: Retriever, questions: Sequence[Asked]) -> list[list[str]]:
    """For each question the documents found, in order."""
    rankings: list[list[str]] = []
    for number, question in enumerate(questions, 1):
        rankings.append(found_documents(await retriever.retrieve(question, limit=PASSAGES)))
        if number % STEP == 0 or number == len(questions):
            _progress(f"asked {number} of {len(questions)} questions")
    return rankings


def found_documents(passages: Sequence[Passage]) -> list[str]:
    """In order; the copies of a document stand where it stands."""
    return list(dict.fromkeys(name for passage in passages for name in (passage.chunk.document, *passage.copies)))


def _baselines(
    questions: Sequence[Question], chunks: Sequence[Chunk], vectors: Vectors, embedder: Embedder
) -> dict[str, list[list[str]]]:
    bm25 = Bm25(chunks)
    names = [chunk.document for chunk in chunks]
    rankings: dict[str, list[list[str]]] = {"dense": [], "bm25": [], "rrf": []}
    for question in questions:
        dense = by_best_chunk(names, vectors @ embedder.embed_query(question.text))
        lexical = by_best_chunk(names, bm25.scores(question.text))
        for name, ranking in (("dense", dense), ("bm25", lexical), ("rrf", fuse(dense, lexical))):
            rankings[name].append(ranking[:DEPTH])
    return rankings


def by_best_chunk(names: Sequence[str], scores: Scores) -> list[str]:
    order = np.argsort(-scores, kind="stable")
    return list(dict.fromkeys(names[int(number)] for number in order if scores[number] > 0))


def fuse(*rankings: Sequence[str]) -> list[str]:
    """Reciprocal rank fusion of equal weights."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking[:FUSED], 1):
            scores[name] = scores.get(name, 0) + 1 / (RRF + rank)
    return [name for name, _ in sorted(scores.items(), key=lambda item: item[1], reverse=True)]


def table(report: Mapping[str, Any]) -> str:
    rows = {"product": report["metrics"], **report["baselines"]}
    head = f"{report['dataset']}, {report['queries']} questions"
    lines = [" " * 12 + "".join(f"{metric:>11}" for metric in report["metrics"])]
    lines += [f"{name:12}" + "".join(f"{value:11.3f}" for value in values.values()) for name, values in rows.items()]
    return "\n".join([head, *lines])


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def run(folder: Path) -> dict[str, Any]:
    return await measure(load(folder), product_embedder())


def main(arguments: Sequence[str] | None = None) -> None:
    suite.main("retrieval", run, table, arguments)


if __name__ == "__main__":
    main()
