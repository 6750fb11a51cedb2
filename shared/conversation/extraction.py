"""The sentences of given passages that answer a question, found without a language model.

A passage is read as blocks: a paragraph, a list with the line that leads into it, a table row. The block that holds
most of the question's rare words wins, its passage's relevance counting too; long paragraphs are cut to the sentences
that matter, and a second block is added only if it says something about the question that the first does not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.conversation.sentences import spans
from shared.knowledge.terms import codes, terms

MAX_SENTENCES = 3
"""Longest piece cut out of a paragraph."""
MAX_ITEMS = 12
"""Longest list shown whole: instructions rarely have more steps."""
HEADING_WEIGHT = 0.6
"""A question's word in a block's heading says what the block is about, but not that the block says it."""
RELEVANCE_WEIGHT = 1.0
"""Weight of the passage's relevance (0 … 1) beside the share of the question that a block covers (0 … 1)."""
SECOND_BLOCK = 0.8
"""A second block must score at least this share of the first."""
CODE_HIT = 2.0
"""A block that holds the very code asked about beats every block that does not."""

_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+")
_RULE = re.compile(r"^\s*(?:[-*_]\s*){3,}$")
_TABLE_RULE = re.compile(r"^\s*\|?[\s:|-]+\|?\s*$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage to answer from: its citation number, heading, Markdown and relevance (0 … 1)."""

    number: int
    heading: str
    text: str
    relevance: float


@dataclass(frozen=True, slots=True)
class _Block:
    kind: str
    lines: tuple[str, ...]
    heading: str

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def extract(question: str, candidates: Sequence[Candidate]) -> list[str]:
    """The answer in pieces that, joined, are its Markdown; each sentence ends with its citation. Empty: no answer."""
    wanted = set(terms(question))
    blocks = [(candidate, block) for candidate in candidates for block in _blocks(candidate.text)]
    if not blocks:
        return []
    weights = _weights(wanted, [block for _, block in blocks])
    scored = sorted(
        ((_score(block, candidate, weights, codes(question)), -i) for i, (candidate, block) in enumerate(blocks)),
        reverse=True,
    )
    score, index = scored[0]
    candidate, best = blocks[-index]
    pieces = _cited(best, candidate.number, weights)
    covered = _terms_of(best) & wanted
    for next_score, next_index in scored[1:3]:
        other, block = blocks[-next_index]
        if next_score >= SECOND_BLOCK * score and (_terms_of(block) & wanted) - covered:
            pieces[-1] += "\n\n"
            pieces += _cited(block, other.number, weights)
            break
    return pieces


def _weights(wanted: set[str], blocks: Sequence[_Block]) -> dict[str, float]:
    """Rarity of each of the question's words among the blocks, adding up to 1."""
    held = [_terms_of(block) for block in blocks]
    idf = {term: math.log(1 + len(held) / (1 + sum(term in block for block in held))) for term in wanted}
    total = sum(idf.values()) or 1.0
    return {term: value / total for term, value in idf.items()}


def _score(block: _Block, candidate: Candidate, weights: dict[str, float], asked_codes: Sequence[str]) -> float:
    said = set(terms(block.text))
    context = set(terms(f"{candidate.heading} {block.heading}"))
    coverage = sum(w if term in said else HEADING_WEIGHT * w if term in context else 0 for term, w in weights.items())
    hit = any(code.lower() in block.text.lower() for code in asked_codes)
    return coverage + RELEVANCE_WEIGHT * candidate.relevance + (CODE_HIT if hit else 0)


def _terms_of(block: _Block) -> set[str]:
    return set(terms(f"{block.heading} {block.text}"))


def _blocks(markdown: str) -> Iterator[_Block]:
    heading, header = "", ""
    paragraph: list[str] = []
    items: list[str] = []

    def flush() -> Iterator[_Block]:
        if items:
            lead = (paragraph[-1],) if paragraph and paragraph[-1].rstrip().endswith(":") else ()
            if before := paragraph[: len(paragraph) - len(lead)]:
                yield _Block("paragraph", (" ".join(before),), heading)
            yield _Block("list", (*lead, *items), heading)
        elif paragraph:
            yield _Block("paragraph", (" ".join(paragraph),), heading)
        paragraph.clear()
        items.clear()

    for line in markdown.splitlines():
        if found := _HEADING.match(line):
            yield from flush()
            heading, header = found[1], ""
        elif line.lstrip().startswith("|"):
            yield from flush()
            if _TABLE_RULE.match(line):
                continue
            if header:
                yield _Block("row", (line.strip(),), f"{heading} {header}")
            else:
                header = line
        elif not line.strip() or _RULE.match(line):
            header = ""
            # A lead-in ("Do this:") stays with the list after the blank line, and a list goes on after one.
            if not items and not (paragraph and paragraph[-1].rstrip().endswith(":")):
                yield from flush()
        elif _ITEM.match(line):
            items.append(line.rstrip())
        elif items and line[:1].isspace():
            items[-1] += f" {line.strip()}"
        else:
            if items:
                yield from flush()
            paragraph.append(line.strip().lstrip("> "))
    yield from flush()


def _cited(block: _Block, number: int, weights: dict[str, float]) -> list[str]:
    if block.kind == "row":
        cells = [cell.strip() for cell in block.lines[0].strip("|").split("|")]
        return [f"{' — '.join(cell for cell in cells if cell)} [{number}]"]
    if block.kind == "list":
        lead = [line for line in block.lines if not _ITEM.match(line)]
        items = [line for line in block.lines if _ITEM.match(line)]
        if len(items) > MAX_ITEMS:
            items = _matching(items, weights)
        lines = [f"{line} [{number}]\n" for line in [*lead, *items]]
        return [*lines[:-1], lines[-1].rstrip("\n")]
    sentences = [block.text[start:end] for start, end in spans(block.text)]
    chosen = _window(sentences, weights)
    return [f"{sentence} [{number}]{' ' if i < len(chosen) - 1 else ''}" for i, sentence in enumerate(chosen)]


def _matching(items: Sequence[str], weights: dict[str, float]) -> list[str]:
    """The items of a long list that say most about the question, in their own order."""
    ranked = sorted(range(len(items)), key=lambda i: -sum(weights.get(term, 0) for term in set(terms(items[i]))))
    return [items[i] for i in sorted(ranked[:MAX_SENTENCES])]


def _window(sentences: Sequence[str], weights: dict[str, float]) -> Sequence[str]:
    """The consecutive sentences that cover the question best; the shortest such, but with the one that follows."""
    if len(sentences) <= MAX_SENTENCES:
        return sentences
    gains = [sum(weights.get(term, 0) for term in set(terms(sentence))) for sentence in sentences]
    best = max(range(len(sentences) - 1), key=lambda i: (gains[i] + 0.5 * gains[i + 1], -i))
    return sentences[best : best + 2]
