"""What stands on a page: words, the lines and tables that they form, and the rules drawn between them.

Lengths are in points (1/72 inch), the origin of a page is at its lower left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BULLETS = "•◦▪▫‣●○■□∙·\uf0b7\uf0a7\uf076\uf0d8➢➤✓✔"
ITEM = re.compile(rf"(?P<bullet>[{_BULLETS}–—*-])\s+|(?P<number>\d{{1,3}})[.)]\s+(?=\S)")
"""How a list item begins."""
HYPHENS = "\x02\ufffe"
"""What PDFium writes for a hyphen at the end of a line."""

Rule = tuple[float, float, float]
"""A line across: left, right and height. A line down: its x, lower end and upper end."""


@dataclass(slots=True)
class Word:
    """Letters without a space, in one type. `y` is the baseline."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool


@dataclass(slots=True)
class Line:
    """Words on one baseline without a gap of a column between them."""

    words: list[Word]
    ends: bool = False
    """Whether the next line was begun on purpose, where its first word would still have fitted here."""

    @property
    def x0(self) -> float:
        return self.words[0].x0

    @property
    def x1(self) -> float:
        return self.words[-1].x1

    @property
    def y(self) -> float:
        return self.words[0].y

    @property
    def size(self) -> float:
        return max(self.words, key=lambda word: len(word.text)).size

    @property
    def bold(self) -> bool:
        return all(word.bold for word in self.words)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(slots=True)
class Grid:
    """A table: the box around it, its inner borders from left to right, and its cells."""

    box: tuple[float, float, float, float]
    borders: list[float]
    rows: list[list[str]]
    pages: list[int] = field(default_factory=list[int])
    """Of each row, the number of the page that it stands on."""


@dataclass(slots=True)
class Page:
    height: float
    words: list[Word]
    across: list[Rule] = field(default_factory=list["Rule"])
    down: list[Rule] = field(default_factory=list["Rule"])
    content: list[Line | Grid] = field(default_factory=list["Line | Grid"])


def continued(text: str, more: str) -> str:
    """Two lines of one paragraph: a word divided at the end of the first becomes whole again."""
    if not text:
        return more
    if text[-1] in HYPHENS:
        return text[:-1] + ("" if more[:1].islower() else "-") + more
    if text[-1] == "-" and text[-2:-1].islower() and more[:1].islower() and " " not in text[-2:]:
        return text[:-1] + more
    return f"{text} {more}"
