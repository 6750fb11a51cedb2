"""Reading a PDF with PDFium: which words stand where, in which type, and which lines are drawn between them."""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from importlib import import_module
from typing import Any

from shared.knowledge.markdown import Part
from shared.knowledge.pdf import layout
from shared.knowledge.pdf.page import Page, Rule, Word

MAX_RULES = 2_000
"""Straight lines of one page; a page with more is a drawing, not a table."""
MIN_SIZE = 2
"""Points; nobody reads smaller type."""
WHITE = 250
"""Of 255, the least of each colour that looks white."""
FAINT = 13
"""Of 255, the opacity (5 %) below which nobody sees letters."""
_BOLD = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
_JUNK_TITLE = re.compile(
    r"untitled|\(?anonymous|microsoft (?:word|powerpoint|excel)\b|[^ ]*[/\\_]|"
    r".*\.(?:docx?|xlsx?|pptx?|pdf|indd|tex|dvi|html?|odt)$",
    re.IGNORECASE,
)
_DIVIDED = (0x02, 0xFFFE)
"""What PDFium makes of a hyphen at the end of a line. It reports it as its own addition, as it does spaces."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


class Locked(Exception):
    """The PDF opens with a password only."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`title` is what the document says of itself (may be empty); without `parts`, `pictures` tells a scan."""

    parts: Sequence[Part]
    title: str
    pictures: bool


def read(data: bytes) -> Reading:
    """Raises `Locked`, and `pypdfium2.PdfiumError` for a broken file."""
    pdfium, raw = _pdfium()
    try:
        document: Any = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise Locked from error
        raise
    pages: list[Page] = []
    problem: Exception | None = None
    readable = pictures = False
    for number in range(len(document)):
        try:
            page = document[number]
        except pdfium.PdfiumError as error:  # one damaged page does not cost the others
            problem = error
            pages.append(Page(0, []))
            continue
        drawn = _Drawing(page)
        pages.append(_page(page, drawn))
        readable, pictures = True, pictures or bool(drawn.pictures)
        page.close()
    if problem and not readable:
        raise problem
    title = " ".join(str(document.get_metadata_value("Title")).split())
    usable = any(map(str.isalpha, title)) and not _JUNK_TITLE.match(title)
    return Reading(layout.to_markdown(pages), title if usable else "", pictures)


def _pdfium() -> tuple[Any, Any]:
    """The library, and its C interface. It is not on the app's import path, and has no types."""
    return import_module("pypdfium2"), import_module("pypdfium2.raw")


def _page(page: Any, drawn: _Drawing) -> Page:
    left, bottom, right, top = page.get_bbox()
    glyphs = [_moved(glyph, left, bottom) for glyph in _glyphs(page, (left, bottom, right, top), drawn)]
    # The page's own direction; text in any other is a watermark or the label of an axis.
    angles = Counter(glyph.kind.angle for glyph in glyphs if glyph)
    angle = angles.most_common(1)[0][0] if angles else 0
    words = list(_words(_turned(glyphs, angle, right - left, top - bottom)))
    if angle:  # tables are then told by their columns
        return Page(right - left if angle in (90, 270) else top - bottom, words)
    return Page(
        top - bottom,
        words,
        [(x0 - left, x1 - left, y - bottom) for x0, x1, y in drawn.across],
        [(x - left, y0 - bottom, y1 - bottom) for x, y0, y1 in drawn.down],
    )


# ---- text


class _Behind(Enum):
    """What must be behind letters for them to be read."""

    ANYTHING = auto()
    COLOUR = auto()
    PICTURE = auto()


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the letters of one text object share: size on the page, direction in degrees, what makes them be seen."""

    size: float
    bold: bool
    angle: int
    needs: _Behind


@dataclass(frozen=True, slots=True)
class _Glyph:
    """`y` is the baseline."""

    text: str
    box: Box
    x: float
    y: float
    kind: _Kind


def _glyphs(page: Any, visible: Box, drawn: _Drawing) -> Iterator[_Glyph | None]:
    """In the order of the file; None is a space.

    Without what nobody sees: off the page, tiny, white on white, or not painted at all. Text recognition does not paint
    what it read from a scan, either: that has the scan behind it, and is wanted.
    """
    _, raw = _pdfium()
    text: Any = page.get_textpage()
    kinds: dict[int, _Kind] = {}
    x, y, bounds = ctypes.c_double(), ctypes.c_double(), raw.FS_RECTF()
    for index in range(raw.FPDFText_CountChars(text)):
        code = raw.FPDFText_GetUnicode(text, index)
        generated = raw.FPDFText_IsGenerated(text, index) == 1 and code not in _DIVIDED
        if generated or not 0 < code < 0x110000 or chr(code).isspace():
            yield None
            continue
        owner = raw.FPDFText_GetTextObject(text, index)
        key = ctypes.cast(owner, ctypes.c_void_p).value or 0
        kind = kinds.get(key)
        if kind is None:
            kind = kinds[key] = _kind(text, index, owner)
        raw.FPDFText_GetCharOrigin(text, index, x, y)
        raw.FPDFText_GetLooseCharBox(text, index, bounds)
        if kind.size < MIN_SIZE or not _within(x.value, y.value, visible, slack=1):
            continue
        if kind.needs is not _Behind.ANYTHING and not any(
            _within(x.value, y.value, box) for box in drawn.behind(kind.needs)
        ):
            continue
        yield _Glyph(chr(code), (bounds.left, bounds.bottom, bounds.right, bounds.top), x.value, y.value, kind)
    text.close()


def _within(x: float, y: float, box: Box, *, slack: float = 0) -> bool:
    return box[0] - slack <= x <= box[2] + slack and box[1] - slack <= y <= box[3] + slack


def _kind(text: Any, index: int, owner: Any) -> _Kind:
    _, raw = _pdfium()
    matrix, name = raw.FS_MATRIX(), ctypes.create_string_buffer(200)
    raw.FPDFText_GetMatrix(text, index, matrix)
    raw.FPDFText_GetFontInfo(text, index, name, len(name), None)
    size = raw.FPDFText_GetFontSize(text, index) * (math.hypot(matrix.c, matrix.d) or 1)
    bold = bool(_BOLD.search(name.value.decode("latin-1"))) or raw.FPDFText_GetFontWeight(text, index) >= 600
    angle = round(math.degrees(math.atan2(matrix.b, matrix.a))) % 360
    return _Kind(size, bold, angle, _needs(owner))


def _needs(owner: Any) -> _Behind:
    _, raw = _pdfium()
    mode = raw.FPDFTextObj_GetTextRenderMode(owner) if owner else None
    if mode == raw.FPDF_TEXTRENDERMODE_INVISIBLE:
        return _Behind.PICTURE
    if mode != raw.FPDF_TEXTRENDERMODE_FILL:
        return _Behind.ANYTHING
    red, green, blue, alpha = _fill(owner)
    if alpha < FAINT:
        return _Behind.PICTURE
    return _Behind.COLOUR if min(red, green, blue) > WHITE else _Behind.ANYTHING


def _fill(item: Any) -> tuple[int, int, int, int]:
    """Red, green, blue and opacity, each 0 to 255; opaque black where the file does not say."""
    _, raw = _pdfium()
    parts = [ctypes.c_uint() for _ in range(4)]
    if not raw.FPDFPageObj_GetFillColor(item, *parts):
        return 0, 0, 0, 255
    red, green, blue, alpha = (part.value for part in parts)
    return red, green, blue, alpha


def _moved(glyph: _Glyph | None, left: float, bottom: float) -> _Glyph | None:
    if glyph is None or not (left or bottom):
        return glyph
    box = (glyph.box[0] - left, glyph.box[1] - bottom, glyph.box[2] - left, glyph.box[3] - bottom)
    return _Glyph(glyph.text, box, glyph.x - left, glyph.y - bottom, glyph.kind)


def _turned(
    glyphs: Sequence[_Glyph | None], angle: int, width: float, height: float
) -> Iterator[tuple[_Glyph, float, float, float] | None]:
    """Each glyph written at this angle, with its left and right edge and its baseline on the upright page."""
    for glyph in glyphs:
        if glyph is None or glyph.kind.angle != angle:
            yield None
            continue
        left, bottom, right, top = glyph.box
        match angle:
            case 90:
                yield glyph, bottom, top, width - glyph.x
            case 180:
                yield glyph, width - right, width - left, height - glyph.y
            case 270:
                yield glyph, height - top, height - bottom, glyph.x
            case _:
                yield glyph, left, right, glyph.y


def _words(glyphs: Iterator[tuple[_Glyph, float, float, float] | None]) -> Iterator[Word]:
    word: Word | None = None
    for placed in glyphs:
        if placed is None:
            if word:
                yield word
            word = None
            continue
        glyph, x0, x1, y = placed
        size = glyph.kind.size
        # Not much further back: the letters of a ligature have one and the same box.
        if word and (abs(y - word.y) > 0.6 * size or not -1.2 * size < x0 - word.x1 < 0.6 * size):
            yield word
            word = None
        if word is None:
            word = Word(glyph.text, x0, x1, y, size, glyph.kind.bold)
        else:
            word.text += glyph.text
            word.x1 = max(word.x1, x1)
            word.bold = word.bold and glyph.kind.bold
    if word:
        yield word


# ---- drawing


class _Drawing:
    """The straight lines of a page, the boxes of whatever white text can be seen on, and those of pictures."""

    def __init__(self, page: Any) -> None:
        _, raw = _pdfium()
        self.across: list[Rule] = []
        self.down: list[Rule] = []
        self.painted: list[Box] = []
        self.pictures: list[Box] = []
        fill, stroke = ctypes.c_int(), ctypes.c_int()
        for number in range(raw.FPDFPage_CountObjects(page)):
            item = raw.FPDFPage_GetObject(page, number)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_PATH:
                raw.FPDFPath_GetDrawMode(item, fill, stroke)
                if fill.value and min(_fill(item)[:3]) <= WHITE:
                    self._paint(item)
                if fill.value or stroke.value:
                    self._rule(item)
            elif kind in (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM):
                self._paint(item, picture=True)
            elif kind == raw.FPDF_PAGEOBJ_SHADING:
                self._paint(item)
        self.across, self.down = list(dict.fromkeys(self.across)), list(dict.fromkeys(self.down))
        if len(self.across) + len(self.down) > MAX_RULES:
            self.across, self.down = [], []

    def behind(self, needed: _Behind) -> Sequence[Box]:
        return self.pictures if needed is _Behind.PICTURE else self.painted

    def _paint(self, item: Any, *, picture: bool = False) -> None:
        _, raw = _pdfium()
        if len(self.painted) < MAX_RULES:
            left, bottom, right, top = (ctypes.c_float() for _ in range(4))
            raw.FPDFPageObj_GetBounds(item, left, bottom, right, top)
            box = left.value, bottom.value, right.value, top.value
            self.painted.append(box)
            if picture:
                self.pictures.append(box)

    def _rule(self, item: Any) -> None:
        if len(self.across) + len(self.down) > 4 * MAX_RULES:
            return
        for (ax, ay), (bx, by) in _sides(item):
            if abs(ay - by) < 0.7 and abs(ax - bx) > 8:
                self.across.append((round(min(ax, bx)), round(max(ax, bx)), round((ay + by) / 2, 1)))
            elif abs(ax - bx) < 0.7 and abs(ay - by) > 5:
                self.down.append((round((ax + bx) / 2, 1), round(min(ay, by)), round(max(ay, by))))


def _sides(path: Any) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The straight segments of a path, on the page."""
    _, raw = _pdfium()
    x, y, matrix = ctypes.c_float(), ctypes.c_float(), raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(path, matrix)
    start = previous = (0.0, 0.0)
    for index in range(min(raw.FPDFPath_CountSegments(path), MAX_RULES)):
        segment = raw.FPDFPath_GetPathSegment(path, index)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = (matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield previous, point
        if raw.FPDFPathSegment_GetClose(segment):
            yield point, start
        previous = point
