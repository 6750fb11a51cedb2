"""The port to the vector index. Adapters: `chroma.py` (in this process).

The index also keeps one record per document it has seen, so that what is indexed and what is known about it cannot
drift apart, and a single store can be rebuilt from the documents alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.knowledge.embedding import Vectors

Scalar = str | int | float | bool


class DocumentStatus(StrEnum):
    """What became of a document; the reason beside it is for its editor."""

    INDEXED = "indexed"
    EMPTY = "empty"
    ENCRYPTED = "encrypted"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    UNSUPPORTED = "unsupported"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """`content_hash` changes with the document's bytes and metadata and with the code that reads them.

    `etag` is that of the store when the document was read. Both are empty while a change is under way.
    """

    name: str
    content_hash: str
    etag: str
    status: DocumentStatus
    reason: str
    title: str
    chunks: int
    indexed_at: datetime


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage that stands alone.

    `text` is shown and cited: `markdown[start:end]` of its document. `breadcrumb` (title › section) is put before it
    for embedding and for lexical matching. `id` depends on document name, breadcrumb and text, so an unchanged chunk
    keeps its id. `version` is the content hash of the document version it belongs to.
    """

    id: str
    document: str
    version: str
    text: str
    breadcrumb: str
    start: int
    end: int
    metadata: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])

    @property
    def embedded_text(self) -> str:
        return f"{self.breadcrumb}\n{self.text}" if self.breadcrumb else self.text


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk and its cosine distance to the query (0 same … 2 opposite)."""

    chunk: Chunk
    distance: float


class VectorIndex(Protocol):
    """Bound to one embedding model: opening an index filled by another raises `IndexModelMismatch`."""

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add or replace by id. `vectors` has shape (len(chunks), dimensions)."""
        ...

    async def refresh(self, chunks: Sequence[Chunk]) -> None:
        """Replace metadata, offsets and version of chunks that are there already; their vectors stay."""
        ...

    async def chunks(self, document: str) -> Sequence[Chunk]:
        """All chunks of a document, in reading order; empty if there are none."""
        ...

    async def vectors(self, texts: Sequence[str]) -> Mapping[str, Vectors]:
        """By text, the vectors of those embedded texts that a chunk of any document has. Shape: (dimensions,)."""
        ...

    async def delete_chunks(self, ids: Sequence[str]) -> None: ...

    async def query(self, vector: Vectors, *, limit: int, where: Mapping[str, Scalar] | None = None) -> Sequence[Match]:
        """The nearest chunks, nearest first. `where`: every key of the metadata must have that value."""
        ...

    async def containing(self, text: str, vector: Vectors, *, limit: int) -> Sequence[Match]:
        """The nearest among the chunks whose text holds this exact string."""
        ...

    async def count(self) -> int:
        """Number of chunks."""
        ...

    # ---- records of documents
    async def put_record(self, record: DocumentRecord) -> None: ...

    async def record(self, document: str) -> DocumentRecord | None: ...

    async def records(self) -> Sequence[DocumentRecord]: ...

    async def delete_record(self, document: str) -> None: ...

    # ---- life cycle
    async def rebuild(self) -> VectorIndex:
        """An empty index for this embedding model beside the one in use, which stays as it is until `publish`.

        What an earlier attempt left unpublished is removed.
        """
        ...

    async def publish(self) -> None:
        """Put this rebuilt index in the place of the one in use, at once and as a whole.

        Whoever has the old one open goes on with this one; only those with another embedding model keep theirs, until
        another index is rebuilt.
        """
        ...

    async def ping(self) -> None:
        """Cheap check that the index answers. Raises `Unavailable`."""
        ...

    async def close(self) -> None: ...
