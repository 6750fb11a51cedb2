"""From a question to the passages that may answer it.

1. The nearest chunks by embedding (dense candidates) …
2. … and for each code-like word of the question (`ERR-1042`, `KX-4410-B`, `2.3.1`), which embeddings hardly tell
   apart, the chunks that hold it literally.
3. Both rescored together: cosine plus a BM25 computed over these candidates alone. It needs no second index, and on
   four public question sets it won or tied where rank fusion lost to plain dense retrieval (see docs/decisions).
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.knowledge.embedding import Embedder
from shared.knowledge.index import Chunk, Match, Scalar, VectorIndex
from shared.knowledge.terms import codes, terms

CANDIDATES = 50
"""Dense candidates that are rescored; more did not help on the sets named above."""
LEXICAL_WEIGHT = 0.15
"""Weight of the normalised BM25 beside the cosine; between 0.10 and 0.20 the sets differ by less than .01 nDCG@10."""
CODE_BONUS = 0.5
"""A literal hit of a code outranks any similarity of topic: more than cosines differ among good candidates."""
RELEVANCE_COSINE, RELEVANCE_COVERAGE, RELEVANCE_BIAS = 9.5, 4.5, -5.2
"""Logistic regression on the best passages of 80 questions to the sample documents, which answer 60 of them."""
RELEVANCE_CODE = 2.0
"""How much the presence of an asked code says, in the same unit (log-odds); set by hand."""
K1, B = 1.2, 0.75
"""BM25's usual constants (Robertson & Zaragoza 2009, The Probabilistic Relevance Framework)."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk. `distance` is its cosine distance (0 … 2), `score` what it was ranked by (higher is better).

    `coverage` is the share (0 … 1) of the question's terms, weighted by rarity, that the chunk holds, `relevance` an
    estimate (0 … 1) that the chunk helps to answer the question.
    """

    chunk: Chunk
    distance: float
    score: float
    coverage: float
    relevance: float


class Retriever:
    def __init__(self, embedder: Embedder, index: VectorIndex) -> None:
        self._embedder = embedder
        self._index = index

    async def retrieve(
        self, question: str, *, limit: int = 6, where: Mapping[str, Scalar] | None = None
    ) -> Sequence[Passage]:
        """At most `limit` passages, best first; empty if nothing is indexed.

        `where` keeps to chunks whose metadata has these values. Raises `Unavailable` if the index does not answer.
        """
        vector = await asyncio.to_thread(self._embedder.embed_query, question)
        matches = {m.chunk.id: m for m in await self._index.query(vector, limit=CANDIDATES, where=where)}
        wanted = codes(question)
        for code in wanted:
            for match in await self._index.containing(code, vector, limit=limit):
                if not where or all(match.chunk.metadata.get(key) == value for key, value in where.items()):
                    matches.setdefault(match.chunk.id, match)
        return rank(question, _one_version(list(matches.values())), wanted)[:limit]


def _one_version(matches: Sequence[Match]) -> list[Match]:
    """While a changed document is being indexed, chunks of its old and new version can both be found: keep one.

    The version of the nearest chunk wins, so an answer is never put together from two.
    """
    version: dict[str, str] = {}
    for match in sorted(matches, key=lambda m: m.distance):
        version.setdefault(match.chunk.document, match.chunk.version)
    return [m for m in matches if version[m.chunk.document] == m.chunk.version]


def rank(question: str, matches: Sequence[Match], wanted_codes: Sequence[str] = ()) -> list[Passage]:
    """Order candidates by cosine + LEXICAL_WEIGHT · BM25 / max BM25 (+ CODE_BONUS for a literal code)."""
    if not matches:
        return []
    texts = [terms(match.chunk.embedded_text) for match in matches]
    query = set(terms(question))
    lexical, coverage = _bm25(query, texts)
    top = max(lexical) or 1.0
    patterns = [re.compile(rf"(?<![\w-]){re.escape(code)}(?![\w-])", re.IGNORECASE) for code in wanted_codes]
    passages: list[Passage] = []
    for match, bm25, covered in zip(matches, lexical, coverage, strict=True):
        has_code = any(pattern.search(match.chunk.embedded_text) for pattern in patterns)
        passages.append(
            Passage(
                chunk=match.chunk,
                distance=match.distance,
                score=1 - match.distance + LEXICAL_WEIGHT * bm25 / top + CODE_BONUS * has_code,
                coverage=covered,
                relevance=_relevance(1 - match.distance, covered, asked_code=bool(patterns), has_code=has_code),
            )
        )
    return sorted(passages, key=lambda passage: passage.score, reverse=True)


def _relevance(cosine: float, coverage: float, *, asked_code: bool, has_code: bool) -> float:
    """Logistic estimate that a passage helps. One without the code asked about seldom does, whatever its topic."""
    logit = RELEVANCE_COSINE * cosine + RELEVANCE_COVERAGE * coverage + RELEVANCE_BIAS
    if asked_code:
        logit += RELEVANCE_CODE if has_code else -RELEVANCE_CODE
    return 1 / (1 + math.exp(-logit))


def _bm25(query: set[str], texts: Sequence[Sequence[str]]) -> tuple[list[float], list[float]]:
    """BM25 and idf-weighted coverage of the query for each text, with document frequencies of these texts only."""
    counts = [Counter(text) for text in texts]
    mean_length = sum(map(len, texts)) / len(texts) or 1.0
    idf = {
        term: math.log(1 + (len(counts) - df + 0.5) / (df + 0.5))
        for term in query
        for df in [sum(term in count for count in counts)]
    }
    total = sum(idf.values()) or 1.0
    scores: list[float] = []
    coverages: list[float] = []
    for count, text in zip(counts, texts, strict=True):
        norm = K1 * (1 - B + B * len(text) / mean_length)
        found = {term: count[term] for term in query if term in count}
        scores.append(sum(idf[term] * tf * (K1 + 1) / (tf + norm) for term, tf in found.items()))
        coverages.append(sum(idf[term] for term in found) / total)
    return scores, coverages
