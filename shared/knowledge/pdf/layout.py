"""The lines and tables of pages become Markdown with the structure that a reader sees.

Headings are told by their type, paragraphs by their distances; what stands at the edge of every page is left out.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.knowledge import markdown
from shared.knowledge.markdown import Part
from shared.knowledge.pdf.page import HYPHENS, ITEM, Grid, Line, Page, continued
from shared.knowledge.pdf.tables import lay_out

MARGIN = 0.12
"""Part of the page's height, at either edge, in which a repeated line is a running header or footer."""
HEADING = 1.12
"""Times the size of the body text: larger type is a heading."""
MAX_HEADING = 150
"""Characters; whatever is longer is text in large type."""
_LEADER = re.compile(r"\s?(?:[.·…_]\s?){4,}")
_PAGE_NUMBER = re.compile(
    r"[-–—|\s]*(?:[^\W\d_]{1,6}\.?\s)?\d{1,4}(?:\s?(?:/|of|von|de|sur|di|van)\s?\d{1,4})?[-–—|\s]*"
)
_SENTENCE_END = (".", "!", "?", ":", ";", "。", "”", '."')


def to_markdown(pages: Sequence[Page]) -> list[Part]:
    """The document as Markdown, piece by piece; empty if the pages hold no words."""
    for page in pages:
        lay_out(page)
    _drop_running_lines(pages)
    return list(_parts(pages))


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
    begins: int
    """Number of the page."""
    ends: int
    mark: str = ""
    level: int = 0

    @property
    def style(self) -> tuple[float, bool]:
        return round(self.lines[0].size * 2) / 2, self.lines[0].bold

    @property
    def text(self) -> str:
        text, ends = "", False
        for line in self.lines:
            text = f"{text}\n{line.text}" if ends else continued(text, line.text)
            ends = line.ends and not self.level and not self.mark
        return text


def _parts(pages: Sequence[Page]) -> Iterator[Part]:
    blocks = _merged(_blocks(pages))
    _mark_headings([block for block in blocks if isinstance(block, _Block)])
    previous: _Block | Grid | None = None
    for block in blocks:
        if isinstance(block, Grid):
            header, rule, *rows = markdown.table(_clean_rows(block.rows)).split("\n")
            yield Part(f"{header}\n{rule}", block.pages[0])
            for row, page in zip(rows, block.pages[1:], strict=True):
                yield Part(row, page, below=True)
        else:
            in_list = bool(block.mark) and isinstance(previous, _Block) and bool(previous.mark)
            yield Part(_text(block), block.begins, below=in_list)
        previous = block


def _merged(blocks: Iterator[_Block | Grid]) -> list[_Block | Grid]:
    """A table that goes on over pages is one; its header is told once."""
    merged: list[_Block | Grid] = []
    for block in blocks:
        above = merged[-1] if merged else None
        if isinstance(block, Grid) and isinstance(above, Grid) and _continues(above, block):
            repeated = int(block.rows[0] == above.rows[0] and block.pages[0] > above.pages[-1])
            above.rows += block.rows[repeated:]
            above.pages += block.pages[repeated:]
        elif isinstance(block, Grid) or _text(block):
            merged.append(block)
    return merged


def _text(block: _Block) -> str:
    """Empty for a line of signs."""
    text = _LEADER.sub(" … ", _tidy(block.text)).strip()
    if not any(map(str.isalnum, text)):
        return ""
    if block.level:
        return f"{'#' * block.level} {text}"
    return f"{block.mark} {text}" if block.mark else text


def _tidy(text: str) -> str:
    return text.translate({ord(sign): "-" for sign in HYPHENS})


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
    for number, page in enumerate(pages, 1):
        _mark_ends([item for item in page.content if isinstance(item, Line)])
        for item in page.content:
            if isinstance(item, Grid):
                if block:
                    yield block
                block = None
                item.pages = [number] * len(item.rows)
                yield item
                continue
            mark, line = _list_mark(item)
            if block and not mark and _belongs(item, block, number, leading):
                block.lines.append(item)
                block.ends = number
                continue
            if block:
                yield block
            block = _Block([line], number, number, mark)
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
    match = ITEM.match(line.text)
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
    if page != block.ends or line.y > above.y + line.size:  # the next page, or the next column
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
