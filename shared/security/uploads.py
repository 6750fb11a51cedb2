"""What a customer may attach: how many files, how large, of which kind. The content decides the kind, not the name."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from shared.conversation.attachments import Upload
from shared.errors import InvalidInput, PayloadTooLarge, UnsupportedFile

ACCEPTED = "PDF, Word (docx), Excel (xlsx), PowerPoint (pptx), text, Markdown, HTML and CSV"
MAX_NAME = 100
"""Characters of a name, suffix included."""


@dataclass(frozen=True, slots=True)
class _Kind:
    media_type: str
    suffixes: tuple[str, ...]


_PDF = _Kind("application/pdf", (".pdf",))
_TEXT = _Kind("text/plain", (".txt",))
_HTML = _Kind("text/html", (".html", ".htm"))
_TEXTS = (_TEXT, _Kind("text/markdown", (".md", ".markdown")), _HTML, _Kind("text/csv", (".csv",)))

# An Office file is a zip archive with one of these parts; names stand uncompressed in its directory.
_OOXML = "application/vnd.openxmlformats-officedocument."
_OFFICE = {
    b"word/document": _Kind(_OOXML + "wordprocessingml.document", (".docx",)),
    b"xl/workbook": _Kind(_OOXML + "spreadsheetml.sheet", (".xlsx",)),
    b"ppt/presentation": _Kind(_OOXML + "presentationml.presentation", (".pptx",)),
}

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PDF_HEADER_WITHIN = 1024  # PDF 32000-1, Annex H.3.4.1: readers accept the header anywhere in the first 1024 bytes.
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")


def check_uploads(uploads: Sequence[Upload], *, max_files: int, max_bytes: int) -> list[Upload]:
    """The uploads with a safe name, which ends in the suffix of their kind, and with that kind's media type.

    Raises `PayloadTooLarge` for too many or too large files, `UnsupportedFile` for a kind that cannot be read,
    `InvalidInput` for an empty file.
    """
    if len(uploads) > max_files:
        raise PayloadTooLarge(f"At most {max_files} attachments can be sent with one message.")
    return [_check(upload, f"Attachment {number}", max_bytes) for number, upload in enumerate(uploads, 1)]


def _check(upload: Upload, label: str, max_bytes: int) -> Upload:
    if len(upload.data) > max_bytes:
        raise PayloadTooLarge(f"{label} is too large. At most {max_bytes:,} bytes are allowed.")
    if not upload.data:
        raise InvalidInput(f"{label} is empty.")
    kind = _kind(upload, label)
    return Upload(_safe_name(upload.name, kind), kind.media_type, upload.data)


def _kind(upload: Upload, label: str) -> _Kind:
    data = upload.data
    if b"%PDF-" in data[:_PDF_HEADER_WITHIN]:
        return _PDF
    if data.startswith(b"PK\x03\x04"):
        for part, kind in _OFFICE.items():
            if part in data and b"[Content_Types].xml" in data:
                return kind
    elif _is_picture(data):
        raise UnsupportedFile(f"{label} is a picture, which cannot be read. Send its text. Accepted: {ACCEPTED}.")
    elif data.startswith(_OLE):
        raise UnsupportedFile(
            f"{label} is an Office file of before 2007 or has a password. Save it as docx, xlsx or pptx without one."
        )
    elif _is_text(data):
        return _text_kind(upload)
    raise UnsupportedFile(f"{label} is of a kind that cannot be read. Accepted: {ACCEPTED}.")


def _is_picture(data: bytes) -> bool:
    container = data[8:12] == b"WEBP" or data[4:12] in {b"ftypheic", b"ftypheif", b"ftypmif1", b"ftypavif"}
    return container or (data.startswith(_PICTURES) and not _is_text(data))


def _is_text(data: bytes) -> bool:
    """Whether this is text: UTF-16 with its mark, or any encoding that keeps ASCII, without control characters."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            return False
        return not any(unicodedata.category(c) == "Cc" and ord(c) not in _TEXT_CONTROLS for c in text[:10_000])
    controls = bytes(byte for byte in range(32) if byte not in _TEXT_CONTROLS)
    return len(data.translate(None, controls)) == len(data)


def _text_kind(upload: Upload) -> _Kind:
    if upload.data[:200].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return _HTML
    suffix = PurePosixPath(upload.name).suffix.lower()
    media_type = upload.content_type.split(";")[0].strip().lower()
    by_suffix = (kind for kind in _TEXTS if suffix in kind.suffixes)
    by_media_type = (kind for kind in _TEXTS if media_type == kind.media_type)
    return next(by_suffix, None) or next(by_media_type, _TEXT)


def _safe_name(name: str, kind: _Kind) -> str:
    """The last part of a path, in NFC, without invisible characters, at most `MAX_NAME` long, with its kind's suffix."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(" .")
    stem, suffix = visible, kind.suffixes[0]
    for own in kind.suffixes:
        if visible.lower().endswith(own):
            stem, suffix = visible[: -len(own)], visible[-len(own) :]
    return (stem[: MAX_NAME - len(suffix)].strip(" .") or "attachment") + suffix
