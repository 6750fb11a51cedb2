"""Small real files of every kind that is read, made on the spot."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from xml.sax.saxutils import escape


def word(body: str, *, parts: Mapping[str, str] | None = None) -> bytes:
    """A Word file with this XML as its body, and further parts by name."""
    data = changed(docx(title="TITLE"), lambda text: re.sub(rb"<w:body>.*</w:body>", _body(body), text))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    return archive(members | {name: text.encode() for name, text in (parts or {}).items()})


def _body(content: str) -> Callable[[re.Match[bytes]], bytes]:
    return lambda _: f"<w:body>{content}</w:body>".encode()


def docx(
    *, title: str = "Repairs", body: Sequence[str] = ("Send it to Cork.",), table: Sequence[Sequence[str]] = ()
) -> bytes:
    def paragraph(text: str, style: str = "") -> str:
        properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'

    rows = "".join(f"<w:tr>{''.join(f'<w:tc>{paragraph(c)}</w:tc>' for c in row)}</w:tr>" for row in table)
    content = paragraph(title, "Heading1") + "".join(map(paragraph, body)) + (f"<w:tbl>{rows}</w:tbl>" if rows else "")
    office = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    package = "http://schemas.openxmlformats.org/package/2006"
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    members = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        f'<Override PartName="/word/document.xml" ContentType="{office}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{relation}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{content}</w:body></w:document>',
    }
    return archive({name: text.encode() for name, text in members.items()})


def xlsx(
    sheets: Mapping[str, Sequence[Sequence[Any]]], *, hidden: str = "", change: Callable[[Any], None] | None = None
) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        if name == hidden:
            sheet.sheet_state = "hidden"
        if change:
            change(sheet)
    return _saved(book)


def pptx(slides: Mapping[str, str], change: Callable[[Any], None] | None = None) -> bytes:
    from pptx import Presentation

    presentation = Presentation()
    for title, text in slides.items():
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = text
    if change:
        change(presentation)
    return _saved(presentation)


def pdf(*lines: str, pages: int = 1, password: str = "") -> bytes:
    """Without lines each page has a picture only, as a scan has."""
    from PIL import Image
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    content = io.BytesIO()
    canvas = Canvas(content, encrypt=StandardEncryption(password, ownerPassword="owner") if password else None)
    for _ in range(pages):
        if not lines:
            canvas.drawInlineImage(Image.new("L", (20, 20)), 50, 50, 200, 200)
        for number, line in enumerate(lines):
            canvas.drawString(72, 750 - 14 * number, line)
        canvas.showPage()
    canvas.save()
    return content.getvalue()


def archive(members: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return content.getvalue()


def changed(
    data: bytes, change: Callable[[bytes], bytes] = lambda text: text, *, rename: Callable[[str], str] = str
) -> bytes:
    """The same archive with other members, or other names for them."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return archive({rename(name): change(file.read(name)) for name in file.namelist()})


def _saved(document: Any) -> bytes:
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


PRICES = [["Part", "Price", "Since"], ["KX-2210", 34.95, date(2026, 3, 1)], ["KX-4410", 49, None]]
