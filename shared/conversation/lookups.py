"""Answers that stand in two tables: the row that the question names says what to look up in the other one.

"What does shipping to Japan cost?": in one table Japan is in Zone 5, in the other Zone 5 costs €24.95. The second row
goes on from the first if its own first cell, what it is about, is what a cell of the first row says, or names that
beside others ("Zones 4 and 5"). Only what neither the first row nor the headings above it say is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.conversation.parts import FEW, LEAST_NAMED, Asked, Part, Place
from shared.conversation.vocabulary import AMOUNTS


def looked_up(parts: Sequence[Part], places: Sequence[Place], asked: Asked) -> Iterator[Part]:
    """Each part that is a single row, with the rows of other tables that say most of what it leaves open."""
    for part in parts:
        row = part.blocks[-1]
        missing = asked.weights.keys() - _said(part)
        if row.kind != "table" or len(row.lines) != 1 or not missing:
            continue
        # A mere number counts something else in another table.
        keys = [cell for cell in row.cells[0] if not all(map(str.isdigit, cell))]
        found = [
            ((share, asked.likeness(other.place.section.heading)), other)
            for other in _rows_about(keys, places)
            if (share := asked.share(_said(other) & missing)) >= LEAST_NAMED and other.blocks[0].lines != row.lines
        ]
        if found:
            best = max(rank for rank, _ in found)
            alike = [other for rank, other in found if rank == best]
            title = alike[0].place.passage.title
            of_one = [other for other in alike if other.place.passage.title == title]
            yield Part(part.place, part.blocks, looked_up=tuple(of_one[:FEW]))


def _said(part: Part) -> frozenset[str]:
    """What the row says and what the headings say of it. An amount only the row can say: a page called "shipping costs"
    tells none."""
    return part.said | (part.place.headings - AMOUNTS)


def _rows_about(keys: Sequence[frozenset[str]], places: Sequence[Place]) -> Iterator[Part]:
    for place in places:
        for block in place.section.blocks:
            if block.kind == "table":
                for i, cells in enumerate(block.cells):
                    if any(key == cells[0] or (len(key) > 1 and key < cells[0]) for key in keys):
                        yield Part(place, (block.part(i, i + 1),))
