"""The rows of a passage's tables as sentences of their own: "Country: Norway — Zone: 4".

A row by itself says nothing: what its cells are of stands at the top of the table, or, of a table that is cut into
several passages, in the heading of the later ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from shared.knowledge import markdown
from shared.knowledge.chunking import SEPARATOR, columns_of_heading

JOINT = " — "


@dataclass(frozen=True, slots=True)
class Row:
    """A row is `content[start:end]`; `text` is its sentence, `columns` are the names of its cells, as far as they have
    any."""

    start: int
    end: int
    text: str
    columns: tuple[str, ...]


@lru_cache(maxsize=256)
def rows(content: str, heading: str) -> Sequence[Row]:
    """All rows of all tables but their headers, in order. `heading` is that of the passage."""
    return tuple(_rows(content, heading))


def _rows(content: str, heading: str) -> Iterator[Row]:
    columns = columns_of_heading(heading.rpartition(SEPARATOR)[2])
    lines = [(start, line) for start, line, code in markdown.lines(content) if not code]
    for (start, line), (_, following) in pairwise([*lines, (0, "")]):
        if not line.lstrip().startswith("|"):
            columns = []
        elif markdown.is_table_rule(following):
            columns = markdown.cells(line)
        elif not markdown.is_table_rule(line) and (text := _sentence(columns, markdown.cells(line))):
            yield Row(start, start + len(line.rstrip()), text, tuple(columns))


def _sentence(columns: Sequence[str], cells: Sequence[str]) -> str:
    names = columns if len(columns) == len(cells) else [""] * len(cells)
    return JOINT.join(_named(name, cell) for name, cell in zip(names, cells, strict=True) if cell)


def _named(name: str, cell: str) -> str:
    return f"{name}: {cell}" if name and not cell.startswith(name) else cell
