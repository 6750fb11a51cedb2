"""What a customer may attach: how many files, how large, of which kind. The content decides the kind, not the name."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from shared.conversation.attachments import Upload
from shared.errors import DocumentRejected, InvalidInput, PayloadTooLarge, UnsupportedFile
from shared.knowledge.formats import READABLE, Kind, decode, kind_of
from shared.knowledge.index import DocumentStatus

MAX_NAME = 100
"""Characters of a name, suffix included."""

# An Office file is a zip archive with one of these parts; their names stand uncompressed in its directory.
_OFFICE_PARTS = (b"word/document", b"xl/workbook", b"ppt/presentation")


def check_uploads(uploads: Sequence[Upload], *, max_files: int, max_bytes: int) -> list[Upload]:
    """The uploads under names that are safe to show and that the parser understands.

    Raises `PayloadTooLarge` for too many or too large files, `UnsupportedFile` for a kind that cannot be read,
    `InvalidInput` for an empty file.
    """
    if len(uploads) > max_files:
        raise PayloadTooLarge(f"At most {max_files} attachments can be sent with one message.")
    return [_check(upload, f"Attachment {number}", max_bytes) for number, upload in enumerate(uploads, 1)]


def _check(upload: Upload, label: str, max_bytes: int) -> Upload:
    if len(upload.data) > max_bytes:
        raise PayloadTooLarge(f"{label} is too large. At most {max_bytes:,} bytes are allowed.")
    name = _safe_name(upload.name)
    try:
        kind = kind_of(upload.data, name)
    except DocumentRejected as rejected:
        if rejected.status == DocumentStatus.EMPTY:
            raise InvalidInput(f"{label}: {rejected}") from None
        if rejected.status != DocumentStatus.UNSUPPORTED or decode(upload.data) is None:
            reason = str(rejected)
            if READABLE not in reason:
                reason += f" Readable: {READABLE}."
            raise UnsupportedFile(f"{label}: {reason}") from None
        name = _shortened(name, ".txt")  # a log, a configuration: text, whatever its suffix
    else:
        if kind is Kind.OFFICE and not any(part in upload.data for part in _OFFICE_PARTS):
            raise UnsupportedFile(f"{label}: Archives are not read. Readable: {READABLE}.")
    return replace(upload, name=name)


def _safe_name(name: str) -> str:
    """The last part of a path: NFC, without invisible characters, at most `MAX_NAME` long, never hidden or empty."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    visible = "".join(character for character in last if unicodedata.category(character)[0] != "C").strip(" .")
    suffix = PurePosixPath(visible).suffix[: MAX_NAME // 2]
    return _shortened(visible.removesuffix(suffix) or "attachment", suffix)


def _shortened(stem: str, suffix: str) -> str:
    return stem[: MAX_NAME - len(suffix)] + suffix
