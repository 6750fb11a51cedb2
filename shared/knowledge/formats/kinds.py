"""Which kind of file this is. The content decides; the name only tells apart the kinds of text."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath

from shared.errors import DocumentRejected
from shared.knowledge.formats.document import encrypted
from shared.knowledge.formats.encodings import decode, decode_html
from shared.knowledge.index import DocumentStatus

READABLE = "PDF, Word (.docx), Excel (.xlsx), PowerPoint (.pptx), HTML, Markdown, text and CSV"


class Kind(StrEnum):
    MARKDOWN = "markdown"
    TEXT = "text"
    CSV = "csv"
    HTML = "html"
    PDF = "pdf"
    OFFICE = "office"


_BY_SUFFIX = {
    ".md": Kind.MARKDOWN,
    ".markdown": Kind.MARKDOWN,
    ".txt": Kind.TEXT,
    ".text": Kind.TEXT,
    "": Kind.TEXT,
    ".csv": Kind.CSV,
    ".tsv": Kind.CSV,
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


_MAIL = "This is an e-mail. Save its text as .txt or .docx."
_PUBLISHED = "Save it as .pdf."
_ADVICE = {
    ".doc": "This is Word's format from before 2007. Save it as .docx.",
    ".dot": "This is Word's format from before 2007. Save it as .docx.",
    ".xls": "This is Excel's format from before 2007. Save it as .xlsx.",
    ".xlt": "This is Excel's format from before 2007. Save it as .xlsx.",
    ".ppt": "This is PowerPoint's format from before 2007. Save it as .pptx.",
    ".pps": "This is PowerPoint's format from before 2007. Save it as .pptx.",
    ".xlsb": "This is Excel's binary format. Save it as .xlsx.",
    ".odt": "This is an OpenDocument text. Save it as .docx.",
    ".ods": "This is an OpenDocument spreadsheet. Save it as .xlsx.",
    ".odp": "This is an OpenDocument presentation. Save it as .pptx.",
    ".rtf": "This is rich text (RTF). Save it as .docx.",
    ".epub": "This is an e-book. Save its chapters as .html, or all of it as .pdf.",
    ".pages": "This is a document of Apple Pages. Save it as .docx.",
    ".numbers": "This is a spreadsheet of Apple Numbers. Save it as .xlsx.",
    ".key": "This is a presentation of Apple Keynote. Save it as .pptx.",
    ".vsd": f"This is a Visio drawing. {_PUBLISHED}",
    ".vsdx": f"This is a Visio drawing. {_PUBLISHED}",
    ".pub": f"This is a Publisher file. {_PUBLISHED}",
    ".msg": _MAIL,
    ".eml": _MAIL,
    ".mbox": "This is a mailbox. Save the text of its e-mails as .txt or .docx.",
    ".xml": "This is data (XML), not text for readers. Save what it says as .txt, .md or .docx.",
    ".json": "This is data (JSON), not text for readers. Save what it says as .txt, .md or .docx.",
    ".mht": "This is a saved web page in one file. Save it as .html.",
    ".mhtml": "This is a saved web page in one file. Save it as .html.",
}
"""By suffix: what a content editor can do about a file that is not read."""
_ZIP_FIRST = 30
"""Where the name of a zip archive's first file begins: in OpenDocument and EPUB it is `mimetype`, uncompressed."""
_ZIP_KINDS = {
    b"mimetypeapplication/vnd.oasis.opendocument.text": ".odt",
    b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet": ".ods",
    b"mimetypeapplication/vnd.oasis.opendocument.presentation": ".odp",
    b"mimetypeapplication/epub+zip": ".epub",
}
_OLE_KINDS = {
    "__properties_version1.0": ".msg",
    "WordDocument": ".doc",
    "PowerPoint Document": ".ppt",
    "Workbook": ".xls",
}
"""By the name of a stream that only this kind has ([MS-OXMSG], [MS-DOC], [MS-PPT], [MS-XLS])."""


def kind_of(data: bytes, name: str) -> Kind:
    """Raises `DocumentRejected` for what is empty, locked or of no readable kind."""
    if not data.strip(b" \t\r\n\0"):
        raise DocumentRejected(DocumentStatus.EMPTY, "The file is empty.")
    suffix = PurePosixPath(name).suffix.lower()
    if data.startswith(b"%PDF-") or (suffix == ".pdf" and b"%PDF-" in data[:1024]):
        return Kind.PDF
    if data.startswith(_ZIP):
        for kind, advice in _ZIP_KINDS.items():
            if data.startswith(kind, _ZIP_FIRST):
                raise unsupported(_ADVICE[advice])
        return Kind.OFFICE
    if data.startswith(b"{\\rtf"):
        raise unsupported(_ADVICE[".rtf"])
    if data.startswith(_OLE):
        if _OLE_ENCRYPTED in data:
            raise encrypted()
        raise unsupported(_ADVICE.get(suffix) or _advice_for_ole(data))
    if data.startswith(_PICTURES) or data[8:12] == b"WEBP":
        raise unsupported("This is a picture. Pictures are not read; add the text itself.")
    kind = _BY_SUFFIX.get(suffix)
    text = decode_html(data) if kind is Kind.HTML else decode(data)
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
        raise unsupported(_ADVICE.get(suffix) or f"Files of this kind ({suffix}) are not read. Readable: {READABLE}.")
    return Kind.HTML if kind is Kind.TEXT and _HTML_START.match(text) else kind


def unsupported(reason: str) -> DocumentRejected:
    return DocumentRejected(DocumentStatus.UNSUPPORTED, reason)


def advice(suffix: str) -> str:
    """What to do about a file of this kind; empty if nothing is known."""
    return _ADVICE.get(suffix, "")


def _advice_for_ole(data: bytes) -> str:
    for stream, suffix in _OLE_KINDS.items():
        if stream.encode("utf-16-le") in data:
            return _ADVICE[suffix]
    return "This is the file format of Office before 2007, or of Outlook. Save it as .docx, .xlsx or .pptx."
