"""The words of a page become lines and tables.

A table is told by its rules, or by three or more rows whose words stand in the same columns. Text is taken in the order
given, which for nearly all producers of PDF is the order of reading, columns included.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from shared.knowledge.pdf.page import ITEM, Grid, Line, Page, Rule, Word, continued

COLUMN_GAP = 0.9
"""In font sizes: more white than this between two words separates columns; a space is 0.25 to 0.3."""
SAME_RULE = 3
"""Points between two rules that are one: drawn twice, or the two sides of a thick line."""
MAX_PROSE = 400
"""Characters of a cell. Between lines that only go across, a longer one is a paragraph, not a table."""


def lay_out(page: Page) -> None:
    """Fill `page.content`."""
    grids = _ruled_tables(page)
    lines: list[Line | Grid] = []
    placed: set[int] = set()
    words: list[Word] = []
    for word in page.words:
        grid = next((grid for grid in grids if _inside(word, grid.box)), None)
        if grid is None:
            words.append(word)
        elif id(grid) not in placed:
            placed.add(id(grid))
            lines += _lines(words)
            words = []
            lines.append(grid)
    page.content = _with_aligned_tables([*lines, *_lines(words)])


def _inside(word: Word, box: tuple[float, float, float, float]) -> bool:
    return box[0] - 2 <= (word.x0 + word.x1) / 2 <= box[2] + 2 and box[1] - 1 <= word.y + word.size / 4 <= box[3] + 1


def _lines(words: Sequence[Word]) -> list[Line]:
    lines: list[Line] = []
    for word in words:
        last = lines[-1].words[-1] if lines else None
        if (
            last
            and abs(word.y - lines[-1].y) < 0.45 * max(word.size, last.size)
            and -0.5 * word.size < word.x0 - last.x1 < COLUMN_GAP * max(word.size, last.size)
        ):
            lines[-1].words.append(word)
        else:
            lines.append(Line([word]))
    return lines


def _ruled_tables(page: Page) -> list[Grid]:
    found: list[Grid] = []
    for across, down in _connected(page.across, page.down):
        left, right = min(rule[0] for rule in across), max(rule[1] for rule in across)
        heights = _distinct([rule[2] for rule in across if rule[1] - rule[0] > 0.3 * (right - left)])
        if len(heights) < 2 + (not down):
            continue
        box = (left, heights[0], right, heights[-1])
        words = [word for word in page.words if _inside(word, box)]
        if not words:
            continue
        borders = _distinct([rule[0] for rule in down])[1:-1] if down else []
        borders = borders or _gaps(words)
        rows = _rows(words, heights, borders)
        if borders and len(rows) > 1 and not (not down and _is_prose(rows)):
            found.append(Grid(box, borders, rows))
    return found


def _connected(across: Sequence[Rule], down: Sequence[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """The rules of each table: those that touch; and of those without vertical rules, the ones of equal extent."""
    groups: list[tuple[list[Rule], list[Rule]]] = []
    boxes: list[tuple[float, float, float, float]] = []
    for rule, vertical in [*((r, False) for r in across), *((r, True) for r in down)]:
        x0, y0, x1, y1 = (rule[0], rule[1], rule[0], rule[2]) if vertical else (rule[0], rule[2], rule[1], rule[2])
        near = [
            n for n, b in enumerate(boxes) if x0 <= b[2] + 2 and x1 >= b[0] - 2 and y0 <= b[3] + 2 and y1 >= b[1] - 2
        ]
        members: tuple[list[Rule], list[Rule]] = ([], [rule]) if vertical else ([rule], [])
        for number in reversed(near):
            left, bottom, right, top = boxes.pop(number)
            x0, y0, x1, y1 = min(x0, left), min(y0, bottom), max(x1, right), max(y1, top)
            for mine, theirs in zip(members, groups.pop(number), strict=True):
                mine.extend(theirs)
        boxes.append((x0, y0, x1, y1))
        groups.append(members)
    tables = [group for group in groups if group[0] and group[1]]
    loose: defaultdict[tuple[int, int], list[Rule]] = defaultdict(list)
    for group, box in zip(groups, boxes, strict=True):
        if not group[1]:
            loose[round(box[0] / 4), round(box[2] / 4)] += group[0]
    return tables + [(rules, []) for rules in loose.values()]


def _distinct(values: Iterable[float]) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > SAME_RULE:
            kept.append(value)
    return kept


def _gaps(words: Sequence[Word]) -> list[float]:
    """The middles of the vertical strips that no word touches and that are wider than a space."""
    borders: list[float] = []
    ordered = sorted(words, key=lambda word: word.x0)
    reached, size = ordered[0].x1, max(word.size for word in words)
    for word in ordered:
        if word.x0 - reached > COLUMN_GAP * size:
            borders.append((reached + word.x0) / 2)
        reached = max(reached, word.x1)
    return borders


def _rows(words: Sequence[Word], heights: Sequence[float], borders: Sequence[float]) -> list[list[str]]:
    """The cells between the rules. A band that holds many lines, with few rules, is as many rows."""
    # The outermost rules bound nothing: a word may stand on one of them, or a little beyond.
    edges = [-math.inf, *heights[1:-1], math.inf]
    bands = [[word for word in words if low <= word.y + word.size / 4 < high] for low, high in pairwise(edges)]
    rows: list[list[str]] = []
    for band in reversed(bands):
        lines = _by_height(band)
        named = sum(bool(_cells([line], borders)[0]) for line in lines)
        if len(bands) > 3 or named < 2 or (len(bands) > 1 and band is bands[-1]):
            rows += [_cells(lines, borders)] if lines else []
            continue
        for line in lines:
            cells = _cells([line], borders)
            if cells[0] or not rows:
                rows.append(cells)
            else:  # a wrapped row
                rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
    return rows


def _by_height(words: Sequence[Word]) -> list[list[Word]]:
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda word: -word.y):
        if lines and lines[-1][0].y - word.y < 0.45 * word.size:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda word: word.x0) for line in lines]


def _cells(lines: Sequence[Sequence[Word]], borders: Sequence[float]) -> list[str]:
    cells = [""] * (len(borders) + 1)
    for line in lines:
        for word in line:
            column = sum(border <= (word.x0 + min(word.x1, word.x0 + word.size)) / 2 for border in borders)
            cells[column] = continued(cells[column], word.text)
    return cells


def _is_prose(rows: Sequence[Sequence[str]]) -> bool:
    return max(len(cell) for row in rows for cell in row) > MAX_PROSE


def _with_aligned_tables(content: Sequence[Line | Grid]) -> list[Line | Grid]:
    """Three or more rows in a row whose words stand in the same columns are a table, rules or not."""
    rows: list[list[Line]] = []
    result: list[Line | Grid] = []

    def flush() -> None:
        result.extend(_aligned(rows))
        rows.clear()

    for item in content:
        if isinstance(item, Grid):
            flush()
            result.append(item)
        elif rows and abs(rows[-1][-1].y - item.y) < 0.3 * item.size and item.x0 > rows[-1][-1].x1:
            rows[-1].append(item)
        else:
            rows.append([item])
    flush()
    return result


def _aligned(rows: Sequence[list[Line]]) -> list[Line | Grid]:
    result: list[Line | Grid] = []
    start = 0
    while start < len(rows):
        end = start
        while end < len(rows) and len(rows[end]) > 1 and not _is_item(rows[end]):
            if end > start and not 0 < rows[end - 1][0].y - rows[end][0].y < 3 * rows[end][0].size:
                break
            end += 1
        group = rows[start:end]
        words = [word for row in group for line in row for word in line.words]
        borders = _gaps(words) if len(group) > 1 else []
        if len(group) + len(borders) < 4:  # two rows need three columns, two columns three rows
            borders = []
        if borders:
            low, high = min(word.y for word in words), max(word.y + word.size for word in words)
            box = (min(word.x0 for word in words), low, max(word.x1 for word in words), high)
            cells = [_cells([[word for line in row for word in line.words]], borders) for row in group]
            result.append(Grid(box, borders, cells))
            start = end
            continue
        row = rows[start]
        # A bullet or a number stands apart from its text; whatever else stands on one line stays on one line.
        result.append(Line([word for line in row for word in line.words]) if len(row) > 1 else row[0])
        start += 1
    return result


def _is_item(row: Sequence[Line]) -> bool:
    return len(row) == 2 and len(row[0].words) == 1 and bool(ITEM.match(f"{row[0].text} x"))
