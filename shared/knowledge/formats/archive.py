"""Office files are zip archives: which kind they hold, and what is wrong with them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping

from shared.errors import DocumentRejected
from shared.knowledge.formats.document import encrypted
from shared.knowledge.index import DocumentStatus

MAX_UNPACKED = 1 << 29
"""Bytes. An Office file that unpacks to more is not opened; they are zip archives, and a bomb is a small one."""
MAX_ENTRIES = 10_000
"""Files inside an Office file; a large presentation has a thousand."""


def members(data: bytes) -> set[str]:
    """The names of its files. Raises `DocumentRejected` for bombs, and for damaged and locked archives."""
    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except zipfile.BadZipFile:
        raise DocumentRejected(DocumentStatus.BROKEN, "The file is damaged or cut off.") from None
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise DocumentRejected(
            DocumentStatus.TOO_LARGE, f"Unpacked, the file is larger than {MAX_UNPACKED >> 20} MB. Split it."
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise encrypted()
    return {_member(entry.filename) for entry in entries}


_SPELLINGS = {"[content_types].xml": "[Content_Types].xml", "xl/sharedstrings.xml": "xl/sharedStrings.xml"}


def _member(name: str) -> str:
    """The name as the libraries look for it: some programs write backslashes, or all in lower case."""
    name = name.replace("\\", "/")
    return _SPELLINGS.get(name.lower(), name)


def rewritten(data: bytes, changes: Mapping[str, Callable[[bytes], bytes]]) -> bytes:
    """The same archive with the names as they should be and some members changed; itself if that changes nothing."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        changed = {name: change(old) for name, change in changes.items() if (old := read_member(source, name))}
        changed = {name: new for name, new in changed.items() if new != source.read(name)}
        if not changed and all(_member(name) == name for name in source.namelist()):
            return data
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as copy:
            for entry in source.infolist():
                copy.writestr(_member(entry.filename), changed.get(entry.filename) or source.read(entry))
        return target.getvalue()


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    return archive.read(name) if name in archive.namelist() else b""
