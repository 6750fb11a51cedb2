"""The port to the company's documents, which are the truth that the index follows. Adapters: `folder.py` (a laptop)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


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
