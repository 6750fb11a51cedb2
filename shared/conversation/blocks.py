"""A passage as its reader sees it: sections under headings, and in them paragraphs, lists, tables and code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Literal

from shared.conversation.sentences import spans
from shared.conversation.tables import JOINT, Row, rows
from shared.conversation.vocabulary import meant
from shared.knowledge import markdown
from shared.knowledge.chunking import SEPARATOR, columns_as_heading
from shared.knowledge.terms import codes

Kind = Literal["paragraph", "list", "table", "code", "heading"]

_ITEM = re.compile(r"^\s*(?:[-*+•]|(?P<number>\d+[.)]))\s+")
_NAMED = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_QUOTED = re.compile(r"^(?:> ?)+")
_LEADS = re.compile(r":[*_]*$")
_RULE = re.compile(r"^\s*(?:[-*_]\s*){3,}$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
# What a page says about itself: call-out marks ("> [!NOTE]"), and entries of its table of contents.
_FURNITURE = re.compile(
    r"^\s*(?:>\s*)?(?:\[![A-Z]+\]|(?:[-*+•]|\d+[.)])\s+\[[^\]]*\]\(#[^)]*\)|in this article:)\s*$", re.IGNORECASE
)

# A sentence about the page, which tells nothing: "Learn how to return an item.", "This article explains …"
_ABOUT_PAGE = re.compile(
    r"(?:learn (?:how|what|about|more)"
    r"|(?:in )?this (?:article|guide|page|section|tutorial|document)"
    r"(?:,? (?:you(?:['’]ll| will| can)?|we(?:['’]ll| will)?|will))? (?:help|learn|find|see|read|look"
    r"|(?:say|explain|describe|cover|outline|show|tell|contain|list|discusse|address(?:e)?|provide|help)s?))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Block:
    """Lines that belong together; each is a sentence, a list item, a table row (whose `columns` are known if they have
    names), a line of code, or, all alone, a heading."""

    kind: Kind
    lines: tuple[str, ...]
    columns: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        return " ".join(self.lines)

    @cached_property
    def said(self) -> frozenset[str]:
        return self.named.union(*self.said_by_line)

    @cached_property
    def said_by_line(self) -> Sequence[frozenset[str]]:
        return [meant(line) for line in self.lines]

    @cached_property
    def named(self) -> frozenset[str]:
        """What the columns say."""
        return meant(" ".join(self.columns))

    @cached_property
    def cells(self) -> Sequence[Sequence[frozenset[str]]]:
        """What the cells of each row say, without the names of their columns."""
        named = tuple(f"{name}: " for name in self.columns if name)
        return [[meant(_unnamed(cell, named)) for cell in line.split(JOINT)] for line in self.lines]

    @cached_property
    def in_order(self) -> bool:
        """Whether these are steps, of which none is worth much without the others."""
        return self.kind == "list" and any((item := _ITEM.match(line)) and item["number"] for line in self.lines)

    @property
    def has_name(self) -> bool:
        """Whether it begins with its own name in bold."""
        return bool(_NAMED.match(_ITEM.sub("", self.lines[0])))

    @property
    def leads(self) -> bool:
        """Whether it only leads to what follows."""
        return self.kind == "paragraph" and bool(_LEADS.search(self.lines[-1]))

    def without_announcements(self) -> Block:
        """Without sentences that only say what the page is about."""
        if self.kind != "paragraph":
            return self
        return Block(self.kind, tuple(line for line in self.lines if not _ABOUT_PAGE.match(line)))

    def entries(self) -> Sequence[tuple[int, int]]:
        """From which line to which each thing goes that stands by itself: rows of a table, items of a list with what is
        indented below them, or a paragraph that begins with its own name in bold. Steps are none."""
        if self.kind == "table":
            return [(i, i + 1) for i in range(len(self.lines))]
        if self.kind == "list" and not self.in_order:
            indents = [len(line) - len(line.lstrip()) for line in self.lines]
            starts = [i for i, indent in enumerate(indents) if indent <= indents[0]]
            return list(pairwise([*starts, len(self.lines)]))
        by_itself = self.kind == "paragraph" and self.has_name and not self.leads
        return [(0, len(self.lines))] if by_itself else []

    def sentences(self) -> Iterator[Block]:
        """Each sentence as a block; rows of a table and lines of code stay whole."""
        for i, line in enumerate(self.lines):
            if self.kind in ("table", "code"):
                yield self.part(i, i + 1)
            else:
                text = _ITEM.sub("", line)
                yield from (Block("paragraph", (text[start:end],)) for start, end in spans(text))

    def part(self, start: int, end: int) -> Block:
        return Block(self.kind, self.lines[start:end], self.columns)


def _unnamed(cell: str, names: Sequence[str]) -> str:
    return next((cell.removeprefix(name) for name in names if cell.startswith(name)), cell)


@dataclass(frozen=True, slots=True)
class Section:
    """`heading` is the lowest one above the blocks, empty if that is the document's title."""

    heading: str
    blocks: tuple[Block, ...]


@lru_cache(maxsize=256)
def sections(text: str, breadcrumb: str) -> Sequence[Section]:
    """Each heading of a passage with the blocks under it. What comes before its first heading belongs to the lowest
    one of `breadcrumb`; rules and furniture are left out."""
    return tuple(_sections(text, breadcrumb))


def _sections(text: str, breadcrumb: str) -> Iterator[Section]:
    found = {row.start: row for row in rows(text, breadcrumb)}
    first = next(iter(found.values()), None)
    _, *crumbs = breadcrumb.split(SEPARATOR)
    if crumbs and first and crumbs[-1] == columns_as_heading(first.columns):
        del crumbs[-1]  # the columns of a table that is cut
    heading, start = crumbs[-1] if crumbs else "", 0
    for at, end, _, following in [*markdown.headings(text), (len(text), 0, 0, "")]:
        if blocks := tuple(_blocks(text[start:at], start, found)):
            yield Section(heading, blocks)
        heading, start = following, end


def _blocks(text: str, start: int, found: Mapping[int, Row]) -> Iterator[Block]:
    """`found` are the rows of the whole passage, in which the section starts at `start`."""
    reader = _Reader()
    for at, broken, code in markdown.lines(text):
        line = broken.rstrip("\n")
        if code:
            if line.strip() and not _FENCE.match(line):
                yield from reader.read("code", f"`{line.strip()}`")
        elif row := found.get(start + at):
            yield from reader.read("table", row.text, row.columns)
        elif _RULE.match(line) or line.lstrip().startswith("|"):  # or the header of another table
            if not markdown.is_table_rule(line):
                yield from reader.flush()
        else:
            yield from _read_text(line, reader)
    yield from reader.flush()


def _read_text(line: str, reader: _Reader) -> Iterator[Block]:
    line = _QUOTED.sub("", line)
    if not line.strip():
        if reader.kind != "list":  # a list goes on after an empty line
            yield from reader.flush()
    elif _FURNITURE.match(line):
        pass
    elif _ITEM.match(line):
        yield from reader.read("list", line.rstrip())
    elif reader.kind == "list" and line[:1].isspace():
        reader.go_on(_QUOTED.sub("", line.strip()))
    else:
        yield from reader.read("paragraph", line.strip())


class _Reader:
    """Collects the lines of a block until another one begins."""

    def __init__(self) -> None:
        self.kind: Kind | None = None
        self._lines: list[str] = []
        self._columns: tuple[str, ...] = ()

    def read(self, kind: Kind, line: str, columns: tuple[str, ...] = ()) -> Iterator[Block]:
        """Take one more line. Yields the block that it ends, if it ends one."""
        if kind != self.kind:
            yield from self.flush()
        self.kind, self._columns = kind, columns
        self._lines.append(line)

    def go_on(self, text: str) -> None:
        """More of the last line."""
        self._lines[-1] += f" {text}"

    def flush(self) -> Iterator[Block]:
        """What was collected."""
        if self.kind == "paragraph":
            if entries := _coded_entries(self._lines):
                yield Block("table", tuple(entries))
            elif sentences := tuple(_sentences(self._lines)):
                yield Block("paragraph", sentences)
        elif self.kind:
            yield Block(self.kind, tuple(self._lines), self._columns)
        self.kind, self._lines, self._columns = None, [], ()


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
