"""Words and rules on pages become Markdown with the structure that a reader sees.

Headings are told by their type, paragraphs by their distances, tables by their rules or their aligned columns; what
stands at the edge of every page is left out. Lengths are in points (1/72 inch), the origin of a page is at its lower
left. Text is taken in the order given, which for nearly all producers of PDF is the order of reading, columns included.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from shared.knowledge import markdown

MARGIN = 0.12
"""Part of the page's height, at either edge, in which a repeated line is a running header or footer."""
COLUMN_GAP = 0.9
"""In font sizes: more white than this between two words separates columns; a space is 0.25 to 0.3."""
HEADING = 1.12
"""Times the size of the body text: larger type is a heading."""
MAX_HEADING = 150
"""Characters; whatever is longer is text in large type."""
MAX_PROSE = 400
"""Characters of a cell. Between lines that only go across, a longer one is a paragraph, not a table."""
_BULLETS = "•◦▪▫‣●○■□∙·\uf0b7\uf0a7\uf076\uf0d8➢➤✓✔"
_ITEM = re.compile(rf"(?P<bullet>[{_BULLETS}–—*-])\s+|(?P<number>\d{{1,3}})[.)]\s+(?=\S)")
_LEADER = re.compile(r"\s?(?:[.·…_]\s?){4,}")
_PAGE_NUMBER = re.compile(
    r"[-–—|\s]*(?:[^\W\d_]{1,6}\.?\s)?\d{1,4}(?:\s?(?:/|of|von|de|sur|di|van)\s?\d{1,4})?[-–—|\s]*"
)
_HYPHENS = "\x02\ufffe"  # what PDFium writes for a hyphen at the end of a line
_SENTENCE_END = (".", "!", "?", ":", ";", "。", "”", '."')

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


@dataclass(slots=True)
class Page:
    height: float
    words: list[Word]
    across: list[Rule] = field(default_factory=list["Rule"])
    down: list[Rule] = field(default_factory=list["Rule"])
    content: list[Line | Grid] = field(default_factory=list["Line | Grid"])


def to_markdown(pages: Sequence[Page]) -> str:
    """The document as Markdown; empty if the pages hold no words."""
    for page in pages:
        _lay_out(page)
    _drop_running_lines(pages)
    return _written(pages)


# ---- lines and tables


def _lay_out(page: Page) -> None:
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


def _distinct(values: Iterable[float], apart: float = 3) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > apart:
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
    bands = [[word for word in words if low <= word.y + word.size / 4 < high] for low, high in pairwise(heights)]
    rows: list[list[str]] = []
    for band in reversed(bands):
        lines = _by_height(band)
        if len(bands) > 3 or len(lines) < 2 or (len(bands) > 1 and band is bands[-1]):
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
            cells[column] = _continued(cells[column], word.text)
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
    return len(row) == 2 and len(row[0].words) == 1 and bool(_ITEM.match(f"{row[0].text} x"))


# ---- headers and footers


def _drop_running_lines(pages: Sequence[Page]) -> None:
    """Page numbers, and what stands at the same height of several pages, numbers aside; never all there is."""
    seen: Counter[tuple[str, int]] = Counter()
    for page in pages:
        seen.update({_running(line) for line in _edge_lines(page)})
    often = max(2, math.ceil(0.4 * len(pages)))
    repeated = {key for key, times in seen.items() if times >= often}
    kept = [_without_running_lines(page, repeated) for page in pages]
    if any(kept):
        for page, content in zip(pages, kept, strict=True):
            page.content = content


def _edge_lines(page: Page) -> list[Line]:
    return [
        item
        for item in page.content
        if isinstance(item, Line) and not MARGIN * page.height < item.y < (1 - MARGIN) * page.height
    ]


def _running(line: Line) -> tuple[str, int]:
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", line.text.lower()), round(line.y / 6)


def _without_running_lines(page: Page, repeated: set[tuple[str, int]]) -> list[Line | Grid]:
    gone = [line for line in _edge_lines(page) if _running(line) in repeated or _PAGE_NUMBER.fullmatch(line.text)]
    text = [item for item in page.content if isinstance(item, Line) and all(item is not line for line in gone)]
    # A line that stands close to the text is part of it, and the next one then, too.
    while close := [line for line in gone if any(abs(line.y - other.y) < 1.6 * line.size for other in text)]:
        text = close
        gone = [line for line in gone if all(line is not other for other in close)]
    return [item for item in page.content if all(item is not line for line in gone)]


# ---- Markdown


@dataclass(slots=True)
class _Block:
    """Lines that belong together: a paragraph, a list item (`mark` is its sign), or a heading (`level`)."""

    lines: list[Line]
    page: int
    mark: str = ""
    level: int = 0

    @property
    def style(self) -> tuple[float, bool]:
        return round(self.lines[0].size * 2) / 2, self.lines[0].bold

    @property
    def text(self) -> str:
        text, ends = "", False
        for line in self.lines:
            text = f"{text}\n{line.text}" if ends else _continued(text, line.text)
            ends = line.ends and not self.level and not self.mark
        return text


def _continued(text: str, more: str) -> str:
    """Two lines of one paragraph: a word divided at the end of the first becomes whole again."""
    if not text:
        return more
    if text[-1] in _HYPHENS:
        return text[:-1] + ("" if more[:1].islower() else "-") + more
    if text[-1] == "-" and text[-2:-1].islower() and more[:1].islower() and " " not in text[-2:]:
        return text[:-1] + more
    return f"{text} {more}"


def _written(pages: Sequence[Page]) -> str:
    blocks = list(_blocks(pages))
    paragraphs = [block for block in blocks if isinstance(block, _Block)]
    _mark_headings(paragraphs)
    pieces: list[str] = []
    previous: _Block | Grid | None = None
    for block in blocks:
        if isinstance(block, Grid):
            if isinstance(previous, Grid) and _continues(previous, block):
                rows = block.rows[1:] if block.rows[0] == previous.rows[0] else block.rows
                previous.rows += rows
                pieces[-1] = markdown.table(_clean_rows(previous.rows))
                continue
            pieces.append(markdown.table(_clean_rows(block.rows)))
        else:
            text = _LEADER.sub(" … ", _tidy(block.text)).strip()
            if not any(map(str.isalnum, text)):
                continue
            if block.level:
                text = f"{'#' * block.level} {text}"
            elif block.mark:
                text = f"{block.mark} {text}"
                if isinstance(previous, _Block) and previous.mark:
                    pieces[-1] += f"\n{text}"
                    previous = block
                    continue
            pieces.append(text)
        previous = block
    return "\n\n".join(pieces)


def _tidy(text: str) -> str:
    return text.translate({ord(sign): "-" for sign in _HYPHENS})


def _clean_rows(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[_LEADER.sub(" … ", _tidy(cell)).strip() for cell in row] for row in rows]


def _continues(above: Grid, below: Grid) -> bool:
    """Whether a table goes on at the top of the next page."""
    return (
        len(above.borders) == len(below.borders)
        and above.box[1] < below.box[3]
        and all(abs(a - b) < 8 for a, b in zip(above.borders, below.borders, strict=True))
    )


def _blocks(pages: Sequence[Page]) -> Iterator[_Block | Grid]:
    leading = _leading(pages)
    block: _Block | None = None
    for number, page in enumerate(pages):
        _mark_ends([item for item in page.content if isinstance(item, Line)])
        for item in page.content:
            if isinstance(item, Grid):
                if block:
                    yield block
                block = None
                yield item
                continue
            mark, line = _list_mark(item)
            if block and not mark and _belongs(item, block, number, leading):
                block.lines.append(item)
                block.page = number
                continue
            if block:
                yield block
            block = _Block([line], number, mark)
    if block:
        yield block


def _mark_ends(lines: Sequence[Line]) -> None:
    """By the right edge of the lines around that begin at the same place."""
    for number, (line, below) in enumerate(pairwise(lines)):
        around = lines[max(0, number - 6) : number + 7]
        right = max(other.x1 for other in around if abs(other.x0 - line.x0) < 1.5 * line.size)
        first = below.words[0]
        line.ends = line.x1 + 0.3 * line.size + first.x1 - first.x0 < right


def _list_mark(line: Line) -> tuple[str, Line]:
    """The Markdown sign of a list item, and the line without its own."""
    match = _ITEM.match(line.text)
    if not match or len(line.words) < 2:
        return "", line
    number = match.group("number")
    if number and line.bold:  # a numbered heading
        return "", line
    return f"{number}." if number else "-", Line(line.words[1:])


def _leading(pages: Sequence[Page]) -> float:
    """The usual distance of two lines, in font sizes."""
    distances: Counter[float] = Counter()
    for page in pages:
        lines = [item for item in page.content if isinstance(item, Line)]
        for above, below in pairwise(lines):
            distance = (above.y - below.y) / (below.size or 1)
            if 0.8 < distance < 2.2 and abs(above.size - below.size) < 0.6:
                distances[round(distance * 20) / 20] += 1
    return distances.most_common(1)[0][0] if distances else 1.2


def _belongs(line: Line, block: _Block, page: int, leading: float) -> bool:
    """Whether the line goes on with the block above it."""
    above = block.lines[-1]
    if abs(line.size - above.size) > 0.6 or (line.bold != above.bold and (line.bold or block.lines[0].bold)):
        return False
    if page != block.page or line.y > above.y + line.size:  # the next page, or the next column
        return line.text[:1].islower() and not above.text.endswith(_SENTENCE_END) and not line.bold
    distance = (above.y - line.y) / (line.size or 1)
    if distance > leading * 1.25 + 0.05 or distance < 0.3:
        return False
    if block.mark:
        return line.x0 > block.lines[0].x0 - 0.6 * line.size
    left, right = line.x0 - above.x0, line.x1 - above.x1
    if abs(left) > 4 * line.size and abs(right) > 4 * line.size and abs(left + right) > 4 * line.size:
        return False  # neither edge nor the middle in common
    indented = line.x0 > min(other.x0 for other in block.lines[-2:]) + 0.8 * line.size
    ended = above.ends and len(block.lines) > 1 and above.text.endswith((".", "!", "?"))
    return not ended and not (indented and above.text.endswith(_SENTENCE_END))


def _mark_headings(blocks: Sequence[_Block]) -> None:
    """By type: larger than the body, or bold and alone. The larger the type, the higher the level."""
    sizes: Counter[float] = Counter()
    for block in blocks:
        sizes[block.style[0]] += sum(len(line.text) for line in block.lines)
    if not sizes:
        return
    body = sizes.most_common(1)[0][0]
    found = [block for block in blocks if _is_heading(block, body)]
    styles = sorted({block.style for block in found}, reverse=True)
    large = [style for style in styles if style[0] >= body * HEADING]
    for block in found:
        if block.style in large:
            block.level = min(large.index(block.style) + 1, 4)
        else:
            block.level = min(len(large) + 1, 5)
        block.level = max(block.level, 1)


def _is_heading(block: _Block, body: float) -> bool:
    text, (size, bold) = block.text, block.style
    if block.mark or len(text) > MAX_HEADING or not any(map(str.isalpha, text)) or len(text) < 2:
        return False
    if size >= body * HEADING:
        return len(block.lines) <= 3 and not text.endswith((".", ",", ";"))
    if not bold or size < 0.9 * body or len(block.lines) > 2 or text.endswith((".", ",", ";", ":")):
        return False
    return len(text) <= 100
