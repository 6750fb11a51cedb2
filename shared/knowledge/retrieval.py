"""From a question to the passages that may answer it.

1. The nearest chunks by embedding (dense candidates); in a short message its question counts more than the rest …
2. … and for the code-like words of the question (`ERR-1042`, `KX-4410-B`, `2.3.1`), which embeddings hardly tell
   apart, the chunks that hold them literally.
3. Both rescored together: cosine plus a BM25 of the passage and one of its document, computed over these candidates
   alone. A document with several good passages goes before one with a single one. It needs no second index.

The constants are of docs/decisions/0005-candidate-rescoring.md, measured by `python -m evaluation.retrieval`.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shared.knowledge.embedding import Embedder, Vectors
from shared.knowledge.index import Chunk, Match, Scalar, VectorIndex
from shared.knowledge.terms import codes, terms

CANDIDATES = 100
"""Dense candidates that are rescored. 50 lost up to .009 nDCG@10, 200 won at most .005 more and cost twice the time."""
PASSAGE_WEIGHT, DOCUMENT_WEIGHT = 0.08, 0.13
"""Weights of the normalised BM25 of a passage and of its document beside the cosine, which is of a passage."""
SUPPORT = 0.03
"""Temperature of the soft maximum (in cosines) that a document's passages make; 0 would count the best alone."""
ASKED_WEIGHT = 0.5
"""Weight of the question in a short message, beside the whole message: .3 and .5 differ by less than .01 nDCG@10."""
SHORT_MESSAGE = 4
"""Sentences of a message in which a question mark says what is asked. In longer ones it is often "Any ideas?"."""
CODE_BONUS = 0.5
"""A literal hit of all codes outranks any similarity of topic: more than cosines differ among good candidates."""
CODES = 4
"""Codes that are looked up; a pasted log has dozens, and each costs a search."""
CODE_CANDIDATES = 20
"""Chunks taken for a code: more than are asked for, because `2.3` is also found in `12.3` and `2.31`."""
RELEVANCE_COSINE, RELEVANCE_COVERAGE, RELEVANCE_BIAS = 9.5, 4.5, -5.2
"""Logistic regression on the best passages of 80 questions to the sample documents, which answer 60 of them."""
RELEVANCE_CODE = 2.0
"""How much the presence of an asked code says, in the same unit (log-odds); set by hand."""
K1, B = 1.2, 0.75
"""BM25's usual constants (Robertson & Zaragoza 2009, The Probabilistic Relevance Framework)."""

_HEX = re.compile("0x", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


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
        vector = await asyncio.to_thread(self._embed, question)
        matches = {m.chunk.id: m for m in await self._index.query(vector, limit=CANDIDATES, where=where)}
        wanted = codes(question)[:CODES]
        for code in wanted:
            for match in await self._containing(code, vector):
                if not where or all(match.chunk.metadata.get(key) == value for key, value in where.items()):
                    matches.setdefault(match.chunk.id, match)
        ranked = await asyncio.to_thread(rank, question, _one_version(list(matches.values())), wanted)
        return ranked[:limit]

    def _embed(self, question: str) -> Vectors:
        whole = self._embedder.embed_query(question)
        asked = _asked(question)
        if not asked:
            return whole
        vector = whole + ASKED_WEIGHT * self._embedder.embed_query(asked)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    async def _containing(self, code: str, vector: Vectors) -> Sequence[Match]:
        """A document may print `ERR-1042` or `0x1F`, and the customer type `err-1042` or `0X1f`."""
        capitals = code.upper().replace("0X", "0x", 1) if _HEX.match(code) else code.upper()
        for spelling in dict.fromkeys((code, capitals, code.lower())):
            if found := await self._index.containing(spelling, vector, limit=CODE_CANDIDATES):
                return found
        return []


def _asked(message: str) -> str:
    """The last question of a short message that says more than it; empty if there is none."""
    sentences = [sentence for part in _SENTENCE_END.split(message) if terms(sentence := part.strip())]
    if not 1 < len(sentences) <= SHORT_MESSAGE:
        return ""
    return next((sentence for sentence in reversed(sentences) if sentence.endswith("?")), "")


def _one_version(matches: Sequence[Match]) -> list[Match]:
    """While a changed document is being indexed, chunks of its old and new version can both be found: keep one.

    The version of the nearest chunk wins, so an answer is never put together from two.
    """
    version: dict[str, str] = {}
    for match in sorted(matches, key=lambda m: m.distance):
        version.setdefault(match.chunk.document, match.chunk.version)
    return [m for m in matches if version[m.chunk.document] == m.chunk.version]


def rank(question: str, matches: Sequence[Match], wanted_codes: Sequence[str] = ()) -> list[Passage]:
    """Candidates, best first, by cosine, BM25 of passage and document, and the share of the codes that stand there.

    A document's other passages add to each of its own: τ · log Σ exp(score / τ) in place of its highest score.
    """
    if not matches:
        return []
    query = set(terms(question))
    counts = [Counter(terms(match.chunk.embedded_text)) for match in matches]
    lexical, coverage = _bm25(query, counts)
    groups = _groups(matches)
    together = _together(query, counts, groups)
    patterns = [_pattern(code) for code in wanted_codes]
    passages: list[Passage] = []
    for match, bm25, of_document, covered in zip(matches, lexical, together, coverage, strict=True):
        hits = sum(bool(pattern.search(match.chunk.embedded_text)) for pattern in patterns)
        score = 1 - match.distance + PASSAGE_WEIGHT * bm25 + DOCUMENT_WEIGHT * of_document
        passages.append(
            Passage(
                chunk=match.chunk,
                distance=match.distance,
                score=score + (CODE_BONUS * hits / len(patterns) if patterns else 0),
                coverage=covered,
                relevance=_relevance(1 - match.distance, covered, asked_code=bool(patterns), has_code=hits > 0),
            )
        )
    return sorted(_supported(passages, groups), key=lambda passage: passage.score, reverse=True)


def _groups(matches: Sequence[Match]) -> list[str]:
    """What each candidate belongs to: its document, or itself if all are of one, which then tells nothing apart."""
    documents = [match.chunk.document for match in matches]
    return documents if len(set(documents)) > 1 else [match.chunk.id for match in matches]


def _together(query: set[str], counts: Sequence[Counter[str]], groups: Sequence[str]) -> list[float]:
    """For each candidate, the normalised BM25 of all the candidates of its group as one text."""
    texts: dict[str, Counter[str]] = {}
    for group, count in zip(groups, counts, strict=True):
        texts.setdefault(group, Counter()).update(count)
    scores = dict(zip(texts, _bm25(query, list(texts.values()))[0], strict=True))
    return [scores[group] for group in groups]


def _supported(passages: Sequence[Passage], groups: Sequence[str]) -> list[Passage]:
    scores: dict[str, list[float]] = {}
    for group, passage in zip(groups, passages, strict=True):
        scores.setdefault(group, []).append(passage.score)
    added = {
        group: SUPPORT * math.log(sum(math.exp((score - max(own)) / SUPPORT) for score in own))
        for group, own in scores.items()
    }
    return [
        replace(passage, score=passage.score + added[group]) for group, passage in zip(groups, passages, strict=True)
    ]


def _pattern(code: str) -> re.Pattern[str]:
    """The code as a word of its own: `2.3` neither in `2.3.1` nor in `12.3`, but in `v2.3`."""
    version = "v?" if code[0].isdigit() else ""
    return re.compile(rf"(?<![\w-])(?<!\w\.){version}{re.escape(code)}(?![\w-]|\.\w)", re.IGNORECASE)


def _relevance(cosine: float, coverage: float, *, asked_code: bool, has_code: bool) -> float:
    """Logistic estimate that a passage helps. One without the code asked about seldom does, whatever its topic."""
    logit = RELEVANCE_COSINE * cosine + RELEVANCE_COVERAGE * coverage + RELEVANCE_BIAS
    if asked_code:
        logit += RELEVANCE_CODE if has_code else -RELEVANCE_CODE
    return 1 / (1 + math.exp(-logit))


def _bm25(query: set[str], counts: Sequence[Counter[str]]) -> tuple[list[float], list[float]]:
    """For each text, given by how often it has each term, with document frequencies of these texts only:

    BM25 as a share of the highest one, and the share of the query's terms, weighted by idf, that the text holds.
    """
    lengths = [count.total() for count in counts]
    mean_length = sum(lengths) / len(counts) or 1.0
    idf = {
        term: math.log(1 + (len(counts) - df + 0.5) / (df + 0.5))
        for term in query
        for df in [sum(term in count for count in counts)]
    }
    total = sum(idf.values()) or 1.0
    scores: list[float] = []
    coverages: list[float] = []
    for count, length in zip(counts, lengths, strict=True):
        norm = K1 * (1 - B + B * length / mean_length)
        found = {term: count[term] for term in query if term in count}
        scores.append(sum(idf[term] * tf * (K1 + 1) / (tf + norm) for term, tf in found.items()))
        coverages.append(sum(idf[term] for term in found) / total)
    top = max(scores) or 1.0
    return [score / top for score in scores], coverages
