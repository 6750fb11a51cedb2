"""What kind of file this is, and how each kind becomes Markdown.

The kind is decided by the content; the name only tells apart the kinds of text. Plain text and Markdown are read here
and now. Everything else needs libraries that a hostile file can drive mad: only `parser_process.py` calls
`convert`, under limits.
"""

from __future__ import annotations

import csv
import importlib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from shared.errors import DocumentRejected
from shared.knowledge import markdown, pdf
from shared.knowledge.index import DocumentStatus

MAX_CHARACTERS = 5_000_000
"""Most text of one document; 2,500 printed pages, and some 7,000 chunks."""
MAX_UNPACKED = 1 << 29
"""Bytes. An Office file that unpacks to more is not opened; they are zip archives, and a bomb is a small one."""
MAX_ENTRIES = 10_000
"""Files inside an Office file; a large presentation has a thousand."""
READABLE = "PDF, Word (.docx), Excel (.xlsx), PowerPoint (.pptx), HTML, Markdown, text and CSV"


class Kind(StrEnum):
    MARKDOWN = "markdown"
    TEXT = "text"
    CSV = "csv"
    HTML = "html"
    PDF = "pdf"
    OFFICE = "office"


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """`markdown` is clean (see `markdown.clean`), `title` never empty, `metadata` what the document says of itself."""

    markdown: str
    title: str
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


_BY_SUFFIX = {
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".txt": Kind.TEXT,
    ".text": Kind.TEXT,
    "": Kind.TEXT,
    ".csv": Kind.CSV,
    ".html": Kind.HTML,
    ".htm": Kind.HTML,
    ".xhtml": Kind.HTML,
}
_BINARY_SUFFIXES = {
    ".pdf": "PDF",
    ".docx": "Word",
    ".docm": "Word",
    ".xlsx": "Excel",
    ".xlsm": "Excel",
    ".pptx": "PowerPoint",
    ".pptm": "PowerPoint",
}
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # [MS-OFFCRYPTO] §2.3.4.4: the stream of a locked .docx
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_HTML_START = re.compile(r"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_CHARSET = re.compile(
    rb"<(?:meta|\?xml)\b[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?(shift[_-]jis|x-sjis|euc-jp|"
    rb"iso-2022-jp|euc-kr|big5|gb2312|gbk|gb18030|koi8-[ru]|windows-12\d\d|iso-8859-\d{1,2})\b",
    re.IGNORECASE,
)
"""Encodings of the WHATWG standard that Python has. Some of Python's other codecs give no text, or take their time."""
_CONTROLS = bytes([*range(9), *range(14, 32), 127])


# ---- what it is


def kind_of(data: bytes, name: str) -> Kind:
    """Raises `DocumentRejected` for what is empty, locked or of no readable kind."""
    if not data.strip(b" \t\r\n\0"):
        raise DocumentRejected(DocumentStatus.EMPTY, "The file is empty.")
    suffix = PurePosixPath(name).suffix.lower()
    if data.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in data[:1024]):
        return Kind.PDF
    if data.startswith(_ZIP):
        return Kind.OFFICE
    if data.startswith(_OLE):
        if _OLE_ENCRYPTED in data:
            raise _encrypted()
        raise DocumentRejected(
            DocumentStatus.UNSUPPORTED,
            "This is the file format of Office before 2007, or of Outlook. Save it as .docx, .xlsx or .pptx.",
        )
    if data.startswith(_PICTURES) or data[8:12] == b"WEBP":
        raise DocumentRejected(
            DocumentStatus.UNSUPPORTED, "This is a picture. Pictures are not read; add the text itself."
        )
    kind = _BY_SUFFIX.get(suffix)
    text = None if data.startswith(b"{\\rtf") else decode_html(data) if kind is Kind.HTML else decode(data)
    if text is None or kind is None:
        if text is None and kind:
            raise DocumentRejected(
                DocumentStatus.BROKEN,
                "The name says that this is text, but the content is not. If it is text, save it as UTF-8.",
            )
        if claimed := _BINARY_SUFFIXES.get(suffix):
            raise DocumentRejected(
                DocumentStatus.BROKEN,
                f"The name says that this is a {claimed} file, but the content is not. It may be damaged or cut off.",
            )
        raise DocumentRejected(
            DocumentStatus.UNSUPPORTED,
            f"Files of this kind ({suffix or 'no suffix'}) are not read. Readable: {READABLE}.",
        )
    return Kind.HTML if kind is Kind.TEXT and _HTML_START.match(text) else kind


def decode_html(data: bytes) -> str | None:
    """As `decode`, and in the encoding that the page declares."""
    declared = _CHARSET.search(data[:2048])
    encoding = declared.group(1).decode().lower() if declared else ""
    # What pages call Shift-JIS is what Windows makes of it (WHATWG Encoding Standard, "Names and labels").
    return decode(
        data, declared={"shift_jis": "cp932", "shift-jis": "cp932", "x-sjis": "cp932"}.get(encoding, encoding)
    )


def decode(data: bytes, *, declared: str = "") -> str | None:
    """Text of UTF-8, UTF-16 with a byte order mark, the declared encoding, or Windows-1252; None if it is no text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        # Windows-1252 gives a meaning to nearly any byte: only believed where most characters are ASCII.
        high = len(data) - len(data.translate(None, bytes(range(128, 256))))
        encodings = ["utf-8-sig", declared] if declared else ["utf-8-sig"]
        if high <= 0.3 * len(data):
            encodings.append("cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        written = text.encode()
        controls = len(written) - len(written.translate(None, _CONTROLS))
        if b"\0" not in written and controls <= (0.01 * len(written) if encoding != "cp1252" else 0):
            return text
    return None


# ---- what it says


def read_text(data: bytes, name: str) -> ParsedDocument:
    """A document of kind MARKDOWN or TEXT. Raises `DocumentRejected`."""
    metadata, text = markdown.split_front_matter((decode(data) or "").removeprefix("\ufeff"))
    return finish(text, name, metadata=metadata)


def convert(kind: Kind, data: bytes, name: str) -> ParsedDocument:
    """A document of any kind. Raises `DocumentRejected`, and whatever the libraries raise on a broken file."""
    reader = _read_office if kind is Kind.OFFICE else _READERS[kind]
    return reader(data, name)


def finish(text: str, name: str, *, title: str = "", metadata: Mapping[str, str] | None = None) -> ParsedDocument:
    """Clean the text and settle the title: the document's own word, else its first heading, `title`, or the file name.

    Raises `DocumentRejected` for too much text, or none.
    """
    if len(text) > MAX_CHARACTERS:
        raise DocumentRejected(
            DocumentStatus.TOO_LARGE, f"The document has more than {MAX_CHARACTERS:,} characters of text. Split it."
        )
    text = markdown.clean(text)
    if not any(map(str.isalnum, text)):
        raise DocumentRejected(
            DocumentStatus.EMPTY, "The document holds no text. Pictures, charts and embedded files are not read."
        )
    known = dict(metadata or {})
    own = known.pop("title", "")
    chosen = own or markdown.first_title(text) or markdown.plain(title) or _title_of(name)
    return ParsedDocument(text, chosen[: markdown.MAX_TITLE], known)


def load_libraries() -> None:
    """Import what the readers need: seconds, which are better spent before the first document."""
    for name in ("bs4", "markitdown.converters", "openpyxl", "pptx", "pypdfium2"):
        importlib.import_module(name)


def _title_of(name: str) -> str:
    stem = PurePosixPath(name.replace("\\", "/")).stem
    words = (stem if " " in stem else stem.replace("-", " ").replace("_", " ")).split()
    title = " ".join(words) or "Untitled"
    return title[0].upper() + title[1:]


def _encrypted() -> DocumentRejected:
    return DocumentRejected(
        DocumentStatus.ENCRYPTED, "The document is protected by a password. Save a copy without one."
    )


# ---- readers


def _read_pdf(data: bytes, name: str) -> ParsedDocument:
    try:
        text, title = pdf.read(data)
    except pdf.Locked:
        raise _encrypted() from None
    if not any(map(str.isalnum, text)):
        raise DocumentRejected(
            DocumentStatus.EMPTY,
            "The PDF holds no text: its pages are pictures, as a scanner makes them. Run text recognition (OCR) on it"
            " and add the result.",
        )
    return finish(text, name, metadata=markdown.metadata({"title": title}))


def _read_html(data: bytes, name: str) -> ParsedDocument:
    from bs4 import BeautifulSoup
    from markitdown import StreamInfo
    from markitdown.converters import HtmlConverter

    # Bytes that are no text were turned away by `kind_of`; the parser would guess from the page's own declaration.
    soup = BeautifulSoup(decode_html(data) or "", "html.parser")
    metadata = markdown.metadata(
        {
            "url": _attribute(soup.find("link", rel="canonical"), "href"),
            "language": _attribute(soup.find("html"), "lang"),
        }
    )
    title = soup.title.get_text() if soup.title else ""
    content = _main_content(soup)
    page = io.BytesIO(str(content).encode())
    try:
        text = HtmlConverter().convert(page, StreamInfo(charset="utf-8"), strict=True, **_MARKDOWNIFY).markdown
    except RecursionError:  # nested too deeply to keep its structure
        text = content.get_text("\n", strip=True)
    return finish(text, name, title=title, metadata=metadata)


def _attribute(element: Any, key: str) -> str:
    value = element.get(key) if element is not None else None
    return value if isinstance(value, str) else ""


_NOT_CONTENT = (
    "title, script, style, noscript, template, iframe, svg, nav, footer, dialog, button, input, select, textarea,"
    "[role=navigation], [role=contentinfo], [hidden], [aria-hidden=true]"
)
_HIDING_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity)\s*:\s*0(?![.\d])", re.IGNORECASE
)


def _main_content(soup: Any) -> Any:
    """The page's article, without what is around it and what its reader does not see."""
    for element in [*soup.select(_NOT_CONTENT), *soup.find_all(style=_HIDING_STYLE)]:
        if not element.decomposed:  # with a parent, already
            element.decompose()
    for candidates in (soup.select("main, [role=main]"), soup.find_all("article")):
        if len(candidates) == 1 and candidates[0].get_text(strip=True):
            return candidates[0]
    # A page's header holds its logo and menu; an article's own header, its title.
    for header in soup.select("header, [role=banner]"):
        if not header.decomposed and header.find("h1") is None:
            header.decompose()
    return soup.body or soup


_MARKDOWNIFY: dict[str, Any] = {
    # Escapes would stand in quotes that customers see, and inside codes that they search for.
    "escape_underscores": False,
    "escape_asterisks": False,
    "escape_misc": False,
    "table_infer_header": True,  # few tables mark their header, nearly all have one
}


def _read_docx(data: bytes, name: str) -> ParsedDocument:
    from markitdown import StreamInfo
    from markitdown.converters import DocxConverter

    data = _rewritten(data, {"word/document.xml": _visible_word})
    text = DocxConverter().convert(io.BytesIO(data), StreamInfo(extension=".docx"), **_MARKDOWNIFY).markdown
    return finish(re.sub(r"</?u>", "", text), name)


def _visible_word(xml: bytes) -> bytes:
    """Without hidden text, and with the text of simple fields, which mammoth leaves out."""
    if b"vanish" not in xml and b"fldSimple" not in xml:
        return xml
    etree: Any = importlib.import_module("lxml.etree")
    root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False))
    word = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    for mark in root.findall(f".//{word}r/{word}rPr/{word}vanish"):
        if mark.get(f"{word}val") not in ("0", "false", "off"):
            run = mark.getparent().getparent()
            run.getparent().remove(run)
    etree.strip_tags(root, f"{word}fldSimple")
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _read_pptx(data: bytes, name: str) -> ParsedDocument:
    from pptx import Presentation

    slides: list[str] = []
    presentation: Any = Presentation(io.BytesIO(data))
    for slide in presentation.slides:
        if slide._element.get("show") not in ("0", "false"):  # noqa: SLF001 - python-pptx has no name for it
            title = slide.shapes.title
            # Speaker notes are left out: they are for whoever presents, and often internal.
            parts = [f"# {' '.join(title.text_frame.text.split())}"] if title and title.text_frame.text.strip() else []
            parts += _shapes(slide.shapes, skip=title.shape_id if title else None)
            slides.append("\n".join(parts))
    return finish("\n\n".join(slides), name)


_PICTURE_FILE = re.compile(r"\S+\.(?:png|jpe?g|gif|bmp|tiff?|svg|emf|wmf)$", re.IGNORECASE)  # no description
_NUMBER = re.compile(r"\d{1,3}[.)]\s")


def _shapes(shapes: Any, *, skip: int | None = None) -> list[str]:
    """The text of each shape, from top to bottom and left to right."""
    parts: list[str] = []
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        about = shape._element._nvXxPr.cNvPr  # noqa: SLF001
        if shape.shape_id == skip or about.get("hidden") in ("1", "true"):
            continue
        if hasattr(shape, "shapes"):
            parts += _shapes(shape.shapes)
        elif getattr(shape, "has_table", False):
            rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
            parts.append(f"\n{markdown.table(rows)}\n")
        elif getattr(shape, "has_chart", False):
            parts.append(_chart(shape.chart))
        elif shape.has_text_frame:
            parts += _paragraphs(shape)
        else:  # a picture: its description
            parts.append(_PICTURE_FILE.sub("", about.get("descr", "")))
    return [part for part in parts if part.strip()]


def _paragraphs(shape: Any) -> list[str]:
    from pptx.enum.shapes import PP_PLACEHOLDER

    kinds = (PP_PLACEHOLDER.SUBTITLE, PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE)
    places = (PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER)
    kind = shape.placeholder_format.type if shape.is_placeholder else None
    if kind in places:
        return []
    texts = [(p.level, " ".join(p.text.split())) for p in shape.text_frame.paragraphs]
    texts = [(level, text) for level, text in texts if text]
    if kind is None or kind in kinds or len(texts) < 2:
        return [text for _, text in texts]
    return [text if _NUMBER.match(text) else f"{'  ' * level}- {text}" for level, text in texts]


def _chart(chart: Any) -> str:
    """The numbers behind a chart as a table; empty for kinds of charts that have no categories."""
    try:
        plot = chart.plots[0]
        series = list(plot.series)
        rows = [["", *(line.name for line in series)]]
        rows += [[str(name), *(_cell(line.values[n]) for line in series)] for n, name in enumerate(plot.categories)]
    except (AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError):
        return ""
    return f"\n{markdown.table(rows)}\n" if len(rows) > 1 else ""


def _read_xlsx(data: bytes, name: str) -> ParsedDocument:
    from openpyxl import load_workbook  # pyright: ignore[reportMissingModuleSource, reportUnknownVariableType]

    book: Any = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    sheets: list[str] = []
    room = MAX_CHARACTERS
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        sheet.reset_dimensions()  # what a file declares may be wrong
        rows, room = _filled_rows(([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True)), room)
        if rows:
            sheets.append(f"## {sheet.title}\n\n{markdown.table(rows)}")
    return finish("\n\n".join(sheets), name)


def _read_csv(data: bytes, name: str) -> ParsedDocument:
    text = decode(data) or ""
    # Spreadsheets of many countries write semicolons. `csv.Sniffer` takes letters and spaces for delimiters.
    delimiter = max(",;\t|", key=text.lstrip().partition("\n")[0].count)
    rows, _ = _filled_rows(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), MAX_CHARACTERS)
    return finish(markdown.table(rows) if rows else "", name)


def _filled_rows(source: Iterable[Sequence[str]], room: int) -> tuple[list[Sequence[str]], int]:
    """The rows that hold anything, without columns that are empty at either side, and how much room is left.

    Stops once there are more characters than a document may have.
    """
    rows: list[list[str]] = []
    for row in source:
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            rows.append(cells)
            room -= sum(map(len, cells)) + 3 * len(cells)
        if room < 0:
            break
    first = min((next(i for i, cell in enumerate(row) if cell) for row in rows), default=0)
    return [row[first:] for row in rows], room


def _cell(value: Any) -> str:
    """A cell as a spreadsheet's reader would write it down."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes") if value.time() != time() else value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


_READERS: dict[Kind, Callable[[bytes, str], ParsedDocument]] = {
    Kind.MARKDOWN: read_text,
    Kind.TEXT: read_text,
    Kind.CSV: _read_csv,
    Kind.HTML: _read_html,
    Kind.PDF: _read_pdf,
}
_OFFICE_READERS: dict[str, Callable[[bytes, str], ParsedDocument]] = {
    "word/document.xml": _read_docx,
    "xl/workbook.xml": _read_xlsx,
    "ppt/presentation.xml": _read_pptx,
}


def _read_office(data: bytes, name: str) -> ParsedDocument:
    """By what the archive holds. Raises `DocumentRejected` for bombs, locked and other archives."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except zipfile.BadZipFile:
        raise DocumentRejected(DocumentStatus.BROKEN, "The file is damaged or cut off.") from None
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise DocumentRejected(
            DocumentStatus.TOO_LARGE, f"Unpacked, the file is larger than {MAX_UNPACKED >> 20} MB. Split it."
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise _encrypted()
    names = {_member(entry.filename) for entry in entries}
    for member, reader in _OFFICE_READERS.items():
        if member in names:
            return reader(_rewritten(data, {}), name)
    raise DocumentRejected(
        DocumentStatus.UNSUPPORTED,
        f"This is an archive, or a kind of Office file that is not read. Readable: {READABLE}.",
    )


_SPELLINGS = {"[content_types].xml": "[Content_Types].xml", "xl/sharedstrings.xml": "xl/sharedStrings.xml"}


def _member(name: str) -> str:
    """The name as the libraries look for it: some programs write backslashes, or all in lower case."""
    name = name.replace("\\", "/")
    return _SPELLINGS.get(name.lower(), name)


def _rewritten(data: bytes, changes: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """The same archive with the names as they should be and some members changed; itself if that changes nothing."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        changed = {name: change(old) for name, change in changes.items() if (old := _read_member(source, name))}
        changed = {name: new for name, new in changed.items() if new != source.read(name)}
        if not changed and all(_member(name) == name for name in source.namelist()):
            return data
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
            for entry in source.infolist():
                copy.writestr(_member(entry.filename), changed.get(entry.filename) or source.read(entry))
        return target.getvalue()


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    return archive.read(name) if name in archive.namelist() else b""
