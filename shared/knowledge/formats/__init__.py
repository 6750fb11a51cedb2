"""What kind of file this is, and how each kind becomes Markdown.

Plain text and Markdown are read here and now. Everything else needs libraries that a hostile file can drive mad: only
`parser_process.py` calls `convert`, under limits.

`kinds` tells what a file is, `encodings` decodes text, and each family of formats has a reader: `text`, `webpage`,
`word`, `spreadsheet` (and CSV), `presentation`, and the package `shared.knowledge.pdf`. `document` is what they give
back.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import PurePosixPath

from shared.errors import DocumentRejected
from shared.knowledge import markdown, pdf
from shared.knowledge.formats import archive
from shared.knowledge.formats.document import ParsedDocument, encrypted, finish
from shared.knowledge.formats.encodings import decode
from shared.knowledge.formats.kinds import READABLE, Kind, advice, kind_of, unsupported
from shared.knowledge.formats.presentation import read_pptx
from shared.knowledge.formats.spreadsheet import read_csv, read_xlsx
from shared.knowledge.formats.text import read_text
from shared.knowledge.formats.webpage import read_html
from shared.knowledge.formats.word import read_docx
from shared.knowledge.index import DocumentStatus

__all__ = ["READABLE", "Kind", "ParsedDocument", "convert", "decode", "kind_of", "load_libraries", "read_text"]


def convert(kind: Kind, data: bytes, name: str) -> ParsedDocument:
    """A document of any kind. Raises `DocumentRejected`, and whatever the libraries raise on a broken file."""
    return _READERS[kind](data, name)


def load_libraries() -> None:
    """Import what the readers need: seconds, which are better spent before the first document."""
    for name in ("bs4", "markitdown.converters", "openpyxl", "pptx", "pypdfium2"):
        importlib.import_module(name)


def _read_pdf(data: bytes, name: str) -> ParsedDocument:
    try:
        reading = pdf.read(data)
    except pdf.Locked:
        raise encrypted() from None
    if not reading.parts:
        reason = (
            "The PDF holds no text: its pages are pictures, as a scanner makes them. Run text recognition (OCR) on it"
            " and add the result."
            if reading.pictures
            else "The PDF holds no text: its pages are empty, or drawings. Add the text itself."
        )
        raise DocumentRejected(DocumentStatus.EMPTY, reason)
    return finish(reading.parts, name, metadata=markdown.metadata({"title": reading.title}))


def _read_office(data: bytes, name: str) -> ParsedDocument:
    """By what the archive holds."""
    names = archive.members(data)
    for member, reader in _OFFICE_READERS.items():
        if member in names:
            return reader(archive.rewritten(data, {}), name)
    if "xl/workbook.bin" in names:
        raise unsupported(advice(".xlsb"))
    known = advice(PurePosixPath(name).suffix.lower())
    raise unsupported(known or "This is an archive. Add the files in it one by one.")


_READERS: dict[Kind, Callable[[bytes, str], ParsedDocument]] = {
    Kind.MARKDOWN: read_text,
    Kind.TEXT: read_text,
    Kind.CSV: read_csv,
    Kind.HTML: read_html,
    Kind.PDF: _read_pdf,
    Kind.OFFICE: _read_office,
}
_OFFICE_READERS: dict[str, Callable[[bytes, str], ParsedDocument]] = {
    "word/document.xml": read_docx,
    "xl/workbook.xml": read_xlsx,
    "ppt/presentation.xml": read_pptx,
}
