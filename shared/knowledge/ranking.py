"""The order of the candidates of one question, computed from these candidates alone.

Cosine of the passage, plus what its document says in the words of the question: a BM25 of single words, and one of
pairs of words that stand together in both. A document with several good passages goes before one with a single one, and
one whose heading was named in the conversation before another. It needs no second index and no statistics of the whole.

The constants are of docs/decisions/0005-candidate-rescoring.md, measured by `python -m evaluation.retrieval`; those of
the relevance of docs/decisions/0008-knowing-when-not-to-answer.md, fitted by `python -m evaluation.calibration`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.knowledge.index import Chunk, Match
from shared.knowledge.question import Parts
from shared.knowledge.terms import code_pattern, spellings, terms, words

Array = NDArray[np.float64]

WORD_WEIGHT, PAIR_WEIGHT = 0.12, 0.08
"""Weights of the evidence of words and of pairs of words in a document, each a share of the highest, beside cosine."""
PAIR_DISTANCE = 2
"""Content words from the first of a pair to its second, at most: one other may stand between them."""
TOPIC_WEIGHT, TOPIC_FADING, TOPIC_POWER = 0.2, 0.9, 4
"""Weight of a heading that was named in the conversation in full, how much of it is left one message later, and the
power of the share that was named: a part of a heading says little."""
SUPPORT, CHANCES = 0.05, 0.6
"""Temperature of the soft maximum (in cosines) that a document's passages make: 0 would count the best alone. And the
power of their number that it is divided by: the more there are, the likelier it is that one is near by chance."""
CODE_BONUS = 0.5
"""A literal hit of all codes of a question about them outranks any similarity of topic: more than cosines differ among
good candidates. In a longer question it counts in proportion to `ABOUT_CODE`."""
COVERAGE_SHARE, TOPIC_SHARE, BACKGROUND = 0.2, 0.3, 0.4
"""What a passage's `lead` counts beside its cosine: coverage and topic, less this part of the candidates' mean."""
RELEVANCE_LEAD, RELEVANCE_BIAS = 5.48, -4.73
"""Logistic regression of "its document answers the question" on the lead: six passages a question, each question once
with the documents that answer it and once without, in four public sets of equal weight."""
RELEVANCE_CODE = 2.0
"""How much the presence of an asked code says, in the same unit (log-odds); set by hand."""
ABOUT_CODE = 10
"""Content words of a question that is about its codes. A longer one tells a story, in which versions are mentioned."""
USUAL_MEAN, USUAL_CANDIDATES = 0.34, 20
"""Mean of the candidates in these sets, and how many such stand in for a knowledge base too small to compare."""
K1, B = 1.2, 0.75
"""BM25's usual constants (Robertson & Zaragoza 2009, The Probabilistic Relevance Framework)."""
REMEMBERED = 4096
"""Chunks whose terms are kept: a few kilobytes each. Stemming them anew takes ten times as long as the rest."""
NO_TERM = -1
"""No string has this hash in CPython."""


class Why(NamedTuple):
    """What a passage has in common with the question.

    `cosine` is of their meanings (-1 … 1), `words` are those of the question, or of what was said before, that it
    holds: as they were written but in lower case, rarest among the candidates first. `codes` are those asked for that
    stand in it. `lead` is what the passage has over the other candidates: see `_leads`.
    """

    cosine: float
    lead: float
    words: tuple[str, ...]
    codes: tuple[str, ...]


class Passage(NamedTuple):
    """A retrieved chunk. `distance` is that to the question (0 … 2), `score` what it was ranked by (higher is better).

    `coverage` is the share (0 … 1) of the question's terms, weighted by rarity, that the chunk holds. `relevance` is
    the probability that its document answers the question, given that as many questions have an answer as have none.
    `copies` are other documents with this very text.
    """

    chunk: Chunk
    distance: float
    score: float
    coverage: float
    relevance: float
    why: Why
    copies: tuple[str, ...] = ()


def rank(question: Parts, matches: Sequence[Match], wanted_codes: Sequence[str] = ()) -> list[Passage]:
    """Candidates, best first, by cosine, the words and pairs of words of the document, and the share of the codes.

    A document's other passages add to each of its own: τ · log(Σ exp(score / τ) / n^0.6) in place of its highest
    score, where n is the number of all its passages.
    """
    if not matches:
        return []
    asked, weights = _asked_words(question)
    texts = [_terms(match.chunk.breadcrumb, match.chunk.text) for match in matches]
    groups = _groups(matches)
    own = terms(question.words)
    counts, pairs = _counts(own, list(asked), texts)
    lengths = np.array([len(text) - PAIR_DISTANCE for text in texts], np.float64)
    rarity = _rarity(counts) * weights
    held = counts > 0
    coverage = held @ rarity / (rarity.sum() or 1.0)
    of_documents = _per_group(counts, groups)
    by_words = _share(_bm25(of_documents, np.bincount(groups, lengths), weights))[groups]
    of_documents = np.minimum(_per_group(pairs, groups), 1)
    by_pairs = _share(of_documents @ _rarity(of_documents))[groups]
    cosines = np.array([1 - match.distance for match in matches])
    found = _found(wanted_codes, matches)
    hits = np.array([len(codes) for codes in found]) / (len(wanted_codes) or 1)
    about_code = min(1.0, ABOUT_CODE / (len(set(own)) or 1))
    scores = cosines + WORD_WEIGHT * by_words + PAIR_WEIGHT * by_pairs + CODE_BONUS * about_code * hits
    topic = _topic(question.named, [match.chunk.breadcrumb for match in matches])
    scores += TOPIC_WEIGHT * topic
    scores += _support(scores, groups, np.array([match.chunk.document_chunks for match in matches]))
    leads = _leads(cosines + COVERAGE_SHARE * coverage, topic)
    relevance = _relevance(leads, found if wanted_codes and about_code == 1 else ())
    rarest: list[int] = np.argsort(-rarity, kind="stable").tolist()
    spelt = [list(asked.values())[term] for term in rarest]
    # As lists, because single numbers of numpy are slow.
    holds: list[list[bool]] = held[:, rarest].tolist()
    figures = zip(*(column.tolist() for column in (scores, coverage, relevance, cosines, leads)), strict=True)
    passages = [
        Passage(
            match.chunk, match.distance, score, covered, relevant, Why(cosine, lead, tuple(compress(spelt, has)), codes)
        )
        for match, (score, covered, relevant, cosine, lead), has, codes in zip(
            matches, figures, holds, found, strict=True
        )
    ]
    return sorted(passages, key=lambda passage: passage.score, reverse=True)


def _asked_words(question: Parts) -> tuple[dict[str, str], Array]:
    """The question's terms with the words they stand for, then those of earlier messages; and the weight of each."""
    asked = {term: word for word, term in reversed(words(question.words))}
    weights = dict.fromkeys(asked, 1.0)
    for text, weight in question.before:
        for word, term in words(text):
            asked.setdefault(term, word)
            weights[term] = max(weight, weights.get(term, 0.0))
    return asked, np.array([weights[term] for term in asked])


def _topic(named: Sequence[str], headings: Sequence[str]) -> Array:
    """How much of each heading, by rarity, one of these messages names, 0 … 1."""
    topic = np.zeros(len(headings))
    if not named:
        return topic
    held = [_distinct_terms(heading) for heading in headings]
    heading_of = np.repeat(np.arange(len(held)), [len(distinct) for distinct in held])
    known, number, frequency = np.unique(np.concatenate(held), return_inverse=True, return_counts=True)
    rarity = np.log(1 + len(headings) / frequency)
    totals = np.maximum(np.bincount(heading_of, rarity[number], len(held)), 1e-9)
    for ago, message in enumerate(named):
        spoken = _hashes(terms(message))
        said: Array = rarity * (known[:, None] == spoken).any(axis=1)
        share = np.bincount(heading_of, said[number], len(held)) / totals
        topic = np.maximum(topic, TOPIC_FADING ** (ago + 1) * share**TOPIC_POWER)
    return topic


def _hashes(words: Sequence[str]) -> NDArray[np.int64]:
    """Small to keep, and numpy can count them."""
    return np.fromiter(map(hash, words), np.int64, len(words))


@lru_cache(maxsize=REMEMBERED)
def _terms(breadcrumb: str, text: str) -> NDArray[np.int64]:
    """The hashes of a chunk's terms, in order, and a gap that keeps pairs from reaching into the next chunk.

    By its parts, which stay the same objects, with their own hashes known, as long as the chunk is kept.
    """
    return np.append(_hashes(terms(f"{breadcrumb}\n{text}")), [NO_TERM] * PAIR_DISTANCE)


@lru_cache(maxsize=REMEMBERED)
def _distinct_terms(heading: str) -> NDArray[np.int64]:
    return np.unique(_hashes(terms(heading)))


def _groups(matches: Sequence[Match]) -> NDArray[np.intp]:
    """By number, what each candidate belongs to: its document, or itself if all are of one, which tells none apart."""
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(match.chunk.document, len(numbers)) for match in matches]
    return np.array(groups if len(numbers) > 1 else range(len(matches)), np.intp)


def _counts(question: Sequence[str], asked: Sequence[str], texts: Sequence[NDArray[np.int64]]) -> tuple[Array, Array]:
    """How often each text holds each asked term, and each pair of the question; the order of a pair counts.

    Shapes: (texts, asked), (texts, pairs).
    """
    number = {term: i for i, term in enumerate(asked)}
    pairs = dict.fromkeys(
        (number[first], number[second])
        for apart in range(1, PAIR_DISTANCE + 1)
        for first, second in zip(question, question[apart:], strict=False)
    )
    # All texts in a row, so that numpy does the counting.
    row = _numbers(np.concatenate(texts), asked)
    text_of = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    at = np.flatnonzero(row >= 0)
    counts = _table(text_of[at], row[at], (len(texts), len(asked)))
    pair_number = np.full((len(asked), len(asked)), -1, np.intp)
    for i, pair in enumerate(pairs):
        pair_number[pair] = i
    pair_counts = np.zeros((len(texts), len(pairs)))
    for apart in range(1, PAIR_DISTANCE + 1):
        at = np.flatnonzero((row[:-apart] >= 0) & (row[apart:] >= 0))
        found = pair_number[row[at], row[at + apart]]
        pair_counts += _table(text_of[at[found >= 0]], found[found >= 0], pair_counts.shape)
    return counts, pair_counts


def _numbers(hashes: NDArray[np.int64], asked: Sequence[str]) -> NDArray[np.intp]:
    """Which of the asked terms each is, -1 for none of them."""
    row = np.full(len(hashes), -1, np.intp)
    if asked:
        known = _hashes(asked)
        order = np.argsort(known)
        place = np.minimum(np.searchsorted(known, hashes, sorter=order), len(asked) - 1)
        at = np.flatnonzero(known[order][place] == hashes)
        row[at] = order[place[at]]
    return row


def _table(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, int]) -> Array:
    """How often each pair of row and column occurs."""
    return np.bincount(rows * shape[1] + columns, minlength=math.prod(shape)).reshape(shape).astype(np.float64)


def _per_group(counts: Array, groups: NDArray[np.intp]) -> Array:
    """The texts of each group as one."""
    number = int(groups.max()) + 1
    columns: int = counts.shape[1]
    cells: NDArray[np.intp] = np.add.outer(groups * columns, np.arange(columns))
    return np.bincount(cells.ravel(), counts.ravel(), number * columns).reshape(number, columns)


def _rarity(counts: Array) -> Array:
    """Inverse document frequency of each column among these texts only."""
    frequency = (counts > 0).sum(axis=0)
    return np.log(1 + (len(counts) - frequency + 0.5) / (frequency + 0.5))


def _bm25(counts: Array, lengths: Array, weights: Array) -> Array:
    norm = K1 * (1 - B + B * lengths / (lengths.mean() or 1.0))
    return (counts * (K1 + 1) / (counts + norm[:, None])) @ (_rarity(counts) * weights)


def _share(scores: Array) -> Array:
    """Each as a share (0 … 1) of the highest."""
    return scores / (scores.max() or 1.0)


def _support(scores: Array, groups: NDArray[np.intp], numbers: NDArray[np.int_]) -> Array:
    """What the passages of its document add to each; `numbers` of them there are, found or not."""
    best = np.full(int(groups.max()) + 1, -np.inf)
    np.maximum.at(best, groups, scores)
    together = np.log(np.bincount(groups, np.exp((scores - best[groups]) / SUPPORT)))[groups]
    return SUPPORT * (together - CHANCES * np.log(numbers))


def _found(wanted: Sequence[str], matches: Sequence[Match]) -> list[tuple[str, ...]]:
    """By candidate, the codes that stand in it."""
    if not wanted:
        return [()] * len(matches)
    # The pattern is slow where a code does not even occur.
    patterns = [(code, [one.lower() for one in spellings(code)], _pattern(code)) for code in wanted]
    lowered = [match.chunk.embedded_text.lower() for match in matches]
    return [
        tuple(code for code, small, pattern in patterns if any(one in text for one in small) and pattern.search(text))
        for text in lowered
    ]


def _pattern(code: str) -> re.Pattern[str]:
    """The code as a word of its own: `2.3` neither in `2.3.1` nor in `12.3`, but in `v2.3`."""
    version = "v?" if code[0].isdigit() else ""
    return re.compile(rf"(?<![\w-])(?<!\w\.){version}{code_pattern(code)}(?![\w-]|\.\w)", re.IGNORECASE)


def _leads(evidence: Array, topic: Array) -> Array:
    """A cosine says little by itself: some questions are near to everything, and some knowledge bases to each other."""
    mean = (evidence.sum() + USUAL_CANDIDATES * USUAL_MEAN) / (len(evidence) + USUAL_CANDIDATES)
    return evidence + TOPIC_SHARE * topic - BACKGROUND * mean


def _relevance(leads: Array, found: Sequence[tuple[str, ...]]) -> Array:
    """Logistic estimate. What has none of the codes asked about, if `found` tells, seldom helps, whatever its topic."""
    logits = RELEVANCE_LEAD * leads + RELEVANCE_BIAS
    if found:
        logits += RELEVANCE_CODE * np.array([1 if codes else -1 for codes in found])
    return 1 / (1 + np.exp(-logits))
