"""The port to the company's documents, which are the truth that the index follows.

Adapters: `folder.py` (a laptop), `blob.py` (Blob Storage).
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.errors import InvalidInput

CONTAINER = "documents"
"""The container of the documents where they are blobs; the trigger is bound to it."""
UNFINISHED = (".tmp", ".part", ".crdownload")
"""What copying programs and browsers call a file that is still being written."""


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """`name` is the path inside the container, `/`-separated, NFC. `etag` changes whenever the bytes do."""

    name: str
    size: int
    modified_at: datetime
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


class DocumentStore(Protocol):
    def list(self) -> AsyncIterator[DocumentInfo]:
        """Every document, in any order. Hidden and temporary files (`.name`, `~name`, `name.tmp`) are not documents."""
        ...

    async def info(self, name: str) -> DocumentInfo:
        """Raises `NotFound`."""
        ...

    async def read(self, name: str, *, max_bytes: int) -> bytes:
        """Raises `NotFound`; `PayloadTooLarge` above max_bytes, without reading it."""
        ...

    async def write(self, name: str, data: bytes, metadata: Mapping[str, str] | None = None) -> DocumentInfo:
        """Create or replace, visible as a whole or not at all. Raises `InvalidInput` for a name outside of it."""
        ...

    async def delete(self, name: str) -> None:
        """Remove it; silent if it is not there."""
        ...

    async def ping(self) -> None:
        """Cheap check that the store answers. Raises `Unavailable`."""
        ...

    async def close(self) -> None: ...


def composed(name: str) -> str:
    """The name as the product has it (NFC): there are several ways to write an accent."""
    return unicodedata.normalize("NFC", name)


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name may be (or hold) documents: not hidden, temporary or unfinished."""
    return not name.startswith((".", "~")) and not name.lower().endswith(UNFINISHED)


def is_text(name: str) -> bool:
    """Whether the name can be written down; names of files are bytes, and need not be UTF-8."""
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a document's path, composed. Raises `InvalidInput` for what leads out, or is no document's name."""
    parts = tuple(composed(name).split("/"))
    if not is_text(name) or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"{name!r} is not the name of a document: a path below the container is needed.")
    if not all(map(is_visible, parts)):
        raise InvalidInput(f"{name!r} is the name of a hidden or temporary file, which is never read.")
    return parts
