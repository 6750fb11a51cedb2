"""Answers that stand in two tables: the row that the question names says what to look up in the other one.

"What does shipping to Japan cost?": in one table Japan is in Zone 5, in the other Zone 5 costs €24.95. The second row
goes on from the first if its own first cell, what it is about, is what a cell of the first row says, or names that
beside others ("Zones 4 and 5"). Only what neither the first row nor the headings above it say is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.conversation.parts import LEAST_NAMED, Asked, Part, Place


def looked_up(parts: Sequence[Part], places: Sequence[Place], asked: Asked) -> Iterator[Part]:
    """Each part that is a single row, with the row of another table that says most of what it leaves open."""
    for part in parts:
        row = part.blocks[-1]
        missing = asked.weights.keys() - part.under_headings
        if row.kind != "table" or len(row.lines) != 1 or not missing:
            continue
        # A mere number counts something else in another table.
        keys = [cell for cell in row.cells[0] if not all(map(str.isdigit, cell))]
        found = [
            (share, other)
            for other in _rows_about(keys, places)
            if (share := asked.share(other.under_headings & missing)) >= LEAST_NAMED
            and other.blocks[0].lines != row.lines
        ]
        if found:
            _, other = max(found, key=lambda pair: pair[0])
            yield Part(part.place, part.blocks, looked_up=other)


def _rows_about(keys: Sequence[frozenset[str]], places: Sequence[Place]) -> Iterator[Part]:
    for place in places:
        for block in place.section.blocks:
            if block.kind == "table":
                for i, cells in enumerate(block.cells):
                    if any(key == cells[0] or (len(key) > 1 and key < cells[0]) for key in keys):
                        yield Part(place, (block.part(i, i + 1),))
