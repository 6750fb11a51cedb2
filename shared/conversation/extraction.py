"""The part of the given passages that answers a question, found without a language model.

The best section of a passage answers: what stands under one heading. It is read as blocks: a paragraph, a list, a table
row, a line of code. A short section is given whole; of a long one, the block that says most about the question and its
neighbours, as far as they fit; of a table, the rows that the question names. A code in the question is different: only
what holds that very code answers, whichever section it is in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from shared.conversation.sentences import spans
from shared.conversation.tables import Row, rows
from shared.knowledge import markdown
from shared.knowledge.chunking import SEPARATOR
from shared.knowledge.terms import codes, terms

ANSWER_CHARS = 600
"""Longest answer, about 100 words. Whole blocks are given, so the last one may run over it."""
MAX_ITEMS = 12
"""Longest list given whole: instructions seldom have more steps."""
FEW = 3
"""Items of a longer list, or sentences of a long paragraph, that are chosen instead."""
LEAST_NAMED = 0.1
"""Least share of the question in a row that counts as named by it: more than a word in passing."""
BEFORE_WEIGHT = 0.5
"""Of words that only the customer's previous message has."""
HEADING_WEIGHT = 1.0
"""A heading that is the question ("How do I reset my password?") marks the section written to answer it. The lowest one
counts, as those above it stand over its neighbours too."""
TEXT_WEIGHT = 0.5
"""And one that takes up the question's words itself is preferred to one that only stands under them."""
LEAST_SHARE = 0.25
"""A section of a passage further down the ranking is preferred only if it covers this much more of the question."""

_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+")
_RULE = re.compile(r"^\s*(?:[-*_]\s*){3,}$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
# What a page says about itself: call-out marks ("> [!NOTE]"), and entries of its table of contents.
_FURNITURE = re.compile(
    r"^\s*(?:>\s*)?(?:\[![A-Z]+\]|(?:[-*+•]|\d+[.)])\s+\[[^\]]*\]\(#[^)]*\)|in this article:)\s*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage to answer from: its citation number, heading, Markdown and relevance (0 … 1)."""

    number: int
    heading: str
    text: str
    relevance: float


@dataclass(frozen=True)
class _Block:
    """Lines that belong together; each is a sentence, a list item, or a row, of which the table's columns are known."""

    kind: str
    lines: tuple[str, ...]
    columns: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        return " ".join(self.lines)

    @cached_property
    def said(self) -> frozenset[str]:
        return frozenset(terms(self.text))


@dataclass(frozen=True)
class _Section:
    """`heading` is the lowest one above the text; `first` marks those of the passage that was ranked first."""

    passage: Candidate
    heading: str
    blocks: tuple[_Block, ...]
    first: bool

    @cached_property
    def said(self) -> frozenset[str]:
        return frozenset[str]().union(*(block.said for block in self.blocks))

    @cached_property
    def headings(self) -> frozenset[str]:
        return frozenset(terms(f"{self.passage.heading} {self.heading}"))


def extract(question: str, candidates: Sequence[Candidate], *, before: str = "") -> list[str]:
    """The answer in pieces that, joined, are its Markdown; each sentence ends with its citation. Empty: no answer.

    `candidates` are in order of rank. `before` is the customer's previous message, if this one needs it.
    """
    sections = [
        _Section(candidate, heading, blocks, first=i == 0)
        for i, candidate in enumerate(candidates)
        for heading, blocks in _sections(candidate)
    ]
    weights = _weights(question, before, sections)
    asked = codes(f"{before} {question}")
    if asked and (found := _with_code(asked, sections, weights)):
        return found
    if not sections:
        return []
    best = max(sections, key=lambda section: _section_score(section, weights))
    return _render(_named_rows(best, question, weights) or _chosen(best.blocks, weights), best.passage.number)


def _sections(passage: Candidate) -> Iterator[tuple[str, tuple[_Block, ...]]]:
    """Each heading with the blocks under it; what comes before the first heading belongs to the passage's own."""
    found = {row.start: row for row in rows(passage.text, passage.heading)}
    heading, start = passage.heading.rpartition(SEPARATOR)[2], 0
    for at, end, _, following in [*markdown.headings(passage.text), (len(passage.text), 0, 0, "")]:
        if blocks := tuple(_blocks(passage.text[start:at], start, found)):
            yield heading, blocks
        heading, start = following, end


def _with_code(asked: Sequence[str], sections: Sequence[_Section], weights: dict[str, float]) -> list[str]:
    """The row or sentence that holds the code and most of the question; a sentence with the one after it."""
    patterns = [re.compile(rf"(?<![\w-]){re.escape(code)}(?![\w-])", re.IGNORECASE) for code in asked]
    best: tuple[float, list[str]] | None = None
    for section in sections:
        for block in section.blocks:
            for i, line in enumerate(block.lines):
                hits = sum(bool(pattern.search(line)) for pattern in patterns)
                if not hits:
                    continue
                # The row's own code stands at its beginning; elsewhere a code is only mentioned.
                own = line.removeprefix(f"{block.columns[0]}: " if block.columns else "").lstrip("*_` -")
                leads = any(pattern.match(own) for pattern in patterns)
                score = hits + 0.5 * leads + _share(section.headings.union(terms(line)), weights)
                more = block.lines[i + 1 : i + 2] if block.kind == "paragraph" else ()
                if best is None or score > best[0]:
                    best = score, _render([_Block(block.kind, (line, *more))], section.passage.number)
    return best[1] if best else []


def _weights(question: str, before: str, sections: Sequence[_Section]) -> dict[str, float]:
    """Rarity of each of the question's words among the blocks, adding up to 1."""
    held = [section.headings | block.said for section in sections for block in section.blocks]
    asked = dict.fromkeys(terms(before), BEFORE_WEIGHT) | dict.fromkeys(terms(question), 1.0)
    idf = {
        term: weight * math.log(1 + len(held) / (1 + sum(term in block for block in held)))
        for term, weight in asked.items()
    }
    total = sum(idf.values()) or 1.0
    return {term: value / total for term, value in idf.items()}


def _share(said: frozenset[str], weights: dict[str, float]) -> float:
    """How much of the question (0 … 1) these terms are."""
    return sum(weight for term, weight in weights.items() if term in said)


def _likeness(heading: str, weights: dict[str, float]) -> float:
    """How much heading and question say the same (0 … 1): what they share, less for what only the heading says."""
    words = frozenset(terms(heading))
    return _share(words, weights) * len(words & weights.keys()) / len(words) if words else 0.0


def _section_score(section: _Section, weights: dict[str, float]) -> float:
    share = _share(section.headings | section.said, weights)
    about = HEADING_WEIGHT * _likeness(section.heading, weights)
    said = TEXT_WEIGHT * _share(section.said, weights)
    return share + about + said + section.passage.relevance + (LEAST_SHARE if section.first else 0)


def _named_rows(section: _Section, question: str, weights: dict[str, float]) -> list[_Block]:
    """The few rows of a table that the question names, after the line that leads to the table; none if it names no row.

    What the table's columns and headings say is said of all rows.
    """
    asked = frozenset(terms(question))
    best, chosen = LEAST_NAMED, list[int]()
    for i, block in enumerate(section.blocks):
        about_all = section.headings.union(terms(" ".join(block.columns)))
        named = _share(block.said & asked - about_all, weights) if block.columns else 0.0
        if named > best:
            best, chosen = named, [i]
        elif named == best and chosen:
            chosen.append(i)
    if not 0 < len(chosen) <= FEW:
        return []
    above = reversed(section.blocks[: chosen[0]])
    lead = next((block for block in above if block.columns != section.blocks[chosen[0]].columns), None)
    rows_named = [section.blocks[i] for i in chosen]
    return [lead, *rows_named] if lead and lead.kind == "paragraph" and lead.text.endswith(":") else rows_named


def _chosen(blocks: Sequence[_Block], weights: dict[str, float]) -> list[_Block]:
    """The best block and its neighbours, as many as fit, in their own order."""
    if not blocks:
        return []
    best = max(range(len(blocks)), key=lambda i: (_share(blocks[i].said, weights), -i))
    first = last = best
    length = len(blocks[best].text)
    while first > 0 or last < len(blocks) - 1:
        # What follows usually goes on from what was said; what comes before leads up to it.
        step = last + 1 if last < len(blocks) - 1 else first - 1
        if first > 0 and blocks[first].kind != "paragraph" and blocks[first - 1].text.endswith(":"):
            step = first - 1
        if length + len(blocks[step].text) > ANSWER_CHARS:
            if step > last and first > 0 and length + len(blocks[first - 1].text) <= ANSWER_CHARS:
                step = first - 1
            else:
                break
        length += len(blocks[step].text)
        first, last = min(first, step), max(last, step)
    if first == last:
        return [_shortened(blocks[best], weights)]
    return list(blocks[first : last + 1])


def _shortened(block: _Block, weights: dict[str, float]) -> _Block:
    """Of a block that is too long by itself, the lines that say most about the question."""
    if len(block.text) <= ANSWER_CHARS or (block.kind == "list" and len(block.lines) <= MAX_ITEMS):
        return block
    ranked = sorted(range(len(block.lines)), key=lambda i: (-_share(frozenset(terms(block.lines[i])), weights), i))
    if block.kind == "paragraph":
        start = min(ranked[0], len(block.lines) - FEW)
        return _Block(block.kind, block.lines[start : start + FEW])
    return _Block(block.kind, tuple(block.lines[i] for i in sorted(ranked[:FEW])))


def _blocks(text: str, start: int, found: Mapping[int, Row]) -> Iterator[_Block]:
    """The blocks of a section in order; rules and furniture are left out. `found` are the rows of the whole passage, in
    which the section starts at `start`."""
    reader = _BlockReader()
    for at, broken, code in markdown.lines(text):
        line = broken.rstrip("\n")
        if code:
            yield from reader.flush()
            if line.strip() and not _FENCE.match(line):
                yield _Block("code", (f"`{line.strip()}`",))
        elif line.lstrip().startswith("|"):
            yield from reader.flush()
            if row := found.get(start + at):
                yield _Block("row", (row.text,), row.columns)
        elif _RULE.match(line):
            yield from reader.flush()
        elif not _FURNITURE.match(line):
            yield from reader.read(line)
    yield from reader.flush()


class _BlockReader:
    """Collects the lines of a paragraph or a list until another block begins."""

    def __init__(self) -> None:
        self._paragraph: list[str] = []
        self._items: list[str] = []

    def read(self, line: str) -> Iterator[_Block]:
        """Take one more line. Yields the block that it ends, if it ends one."""
        if not line.strip():
            if not self._items:  # a list goes on after an empty line
                yield from self.flush()
        elif _ITEM.match(line):
            self._items.append(line.rstrip())
        elif self._items and line[:1].isspace():
            self._items[-1] += f" {line.strip()}"
        else:
            if self._items:
                yield from self.flush()
            self._paragraph.append(line.strip().lstrip("> "))

    def flush(self) -> Iterator[_Block]:
        """What was collected."""
        if entries := _coded_entries(self._paragraph):
            yield from (_Block("row", (entry,)) for entry in entries)
        elif self._paragraph:
            yield _Block("paragraph", tuple(_sentences(self._paragraph)))
        if self._items:
            yield _Block("list", tuple(self._items))
        self._paragraph, self._items = [], []


def _coded_entries(lines: Sequence[str]) -> list[str]:
    """The rows of a table that lost its cells, as they come out of a PDF: each begins with its code."""
    starts = [i for i, line in enumerate(lines) if (first := line.split(" ", 1)[0]) and codes(first) == [first]]
    if len(starts) < 2:
        return []
    bounds = [0, *starts, len(lines)] if starts[0] else [*starts, len(lines)]
    return [" ".join(lines[a:b]) for a, b in pairwise(bounds)]


def _sentences(lines: Sequence[str]) -> Iterator[str]:
    """Sentences of lines that are running text; lines that are not (each begins anew) are left as they are."""
    starts = sum(line[:1].isupper() or not line[:1].isalpha() for line in lines)
    wrapped = len(lines) == 1 or starts < len(lines)
    for text in [" ".join(lines)] if wrapped else lines:
        yield from (text[start:end] for start, end in spans(text))


def _render(blocks: Sequence[_Block], number: int) -> list[str]:
    pieces: list[str] = []
    for i, block in enumerate(blocks):
        if i:
            same_table = block.kind in ("row", "code") and blocks[i - 1].kind == block.kind
            pieces[-1] += "  \n" if same_table else "\n" if pieces[-1].endswith(f": [{number}]") else "\n\n"
        joint = "\n" if block.kind == "list" else " "
        lines = [f"{line} [{number}]" for line in block.lines]
        pieces += [f"{line}{joint}" for line in lines[:-1]] + lines[-1:]
    return pieces
