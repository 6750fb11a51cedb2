"""The order of the candidates of one question, computed from these candidates alone.

Cosine plus a BM25 of the passage and one of its document; a document with several good passages goes before one with a
single one. It needs no second index and no statistics of the whole.

The constants are of docs/decisions/0005-candidate-rescoring.md, measured by `python -m evaluation.retrieval`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.knowledge.index import Chunk, Match
from shared.knowledge.terms import terms

PASSAGE_WEIGHT, DOCUMENT_WEIGHT = 0.08, 0.13
"""Weights of the normalised BM25 of a passage and of its document beside the cosine, which is of a passage."""
SUPPORT = 0.03
"""Temperature of the soft maximum (in cosines) that a document's passages make; 0 would count the best alone."""
CODE_BONUS = 0.5
"""A literal hit of all codes outranks any similarity of topic: more than cosines differ among good candidates."""
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
