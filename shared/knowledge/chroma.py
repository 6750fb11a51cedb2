"""A vector index in Chroma: in this process, on a folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import batched
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from shared.errors import IndexModelMismatch, Unavailable
from shared.knowledge.embedding import Vectors
from shared.knowledge.index import Chunk, DocumentRecord, DocumentStatus, Match, Scalar

CHUNKS = "chunks"
DOCUMENTS = "documents"
BATCH = 5_000
"""Chroma takes 5,461 entries at once (SQLite's limit on variables)."""
MODEL_KEY = "embedding_model"
# Chroma keeps one flat map per entry. Ours are told apart from the document's own keys by this prefix.
OWN = "chunk."
NO_VECTOR = [1.0]
"""Chroma wants a vector with everything; a document's record has none."""


class ChromaIndex:
    """A `VectorIndex` on a folder, or on a `chromadb.ClientAPI`. `model` is the fingerprint of the embedding model.

    Two collections: the chunks with their vectors, and one record per document. Nothing is opened before first use.
    """

    def __init__(self, where: Path | Any, model: str) -> None:
        self._where = where
        self._model = model
        self._client: Any = None
        self._open: dict[str, Any] = {}
        self._opening = RLock()

    # ---- chunks

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        if len(chunks) != len(vectors):
            raise ValueError(f"{len(chunks)} chunks and {len(vectors)} vectors")

        def work() -> None:
            for numbers in batched(range(len(chunks)), BATCH, strict=False):
                part = [chunks[n] for n in numbers]
                self._chunks.upsert(
                    ids=[chunk.id for chunk in part],
                    embeddings=np.asarray(vectors[numbers[0] : numbers[-1] + 1], dtype=np.float32),
                    documents=[chunk.text for chunk in part],
                    metadatas=self._replacing(part),
                )

        await self._run(work)

    async def refresh(self, chunks: Sequence[Chunk]) -> None:
        def work() -> None:
            for part in batched(chunks, BATCH, strict=False):
                # Not the texts, of which an id is made: Chroma would want to embed them again.
                self._chunks.update(ids=[chunk.id for chunk in part], metadatas=self._replacing(part))

        await self._run(work)

    async def chunks(self, document: str) -> Sequence[Chunk]:
        def work() -> list[Chunk]:
            found = self._chunks.get(where={OWN + "document": document}, include=["documents", "metadatas"])
            return [_chunk(*entry) for entry in _entries(found["ids"], found["documents"], found["metadatas"])]

        return sorted(await self._run(work), key=lambda chunk: chunk.start)

    async def delete_chunks(self, ids: Sequence[str]) -> None:
        def work() -> None:
            for part in batched(ids, BATCH, strict=False):
                self._chunks.delete(ids=list(part))

        await self._run(work)

    async def query(self, vector: Vectors, *, limit: int, where: Mapping[str, Scalar] | None = None) -> Sequence[Match]:
        return await self._run(lambda: self._nearest(vector, limit, where=_condition(where or {})))

    async def containing(self, text: str, vector: Vectors, *, limit: int) -> Sequence[Match]:
        return await self._run(lambda: self._nearest(vector, limit, where_document={"$contains": text}))

    async def count(self) -> int:
        return await self._run(self._count)

    # ---- records

    async def put_record(self, record: DocumentRecord) -> None:
        fields = asdict(record) | {"indexed_at": record.indexed_at.isoformat()}
        await self._run(lambda: self._documents.upsert(ids=[record.name], embeddings=[NO_VECTOR], metadatas=[fields]))

    async def record(self, document: str) -> DocumentRecord | None:
        found = await self._run(lambda: self._documents.get(ids=[document], include=["metadatas"]))
        return next((_record(fields) for fields in found["metadatas"]), None)

    async def records(self) -> Sequence[DocumentRecord]:
        found = await self._run(lambda: self._documents.get(include=["metadatas"]))
        return sorted((_record(fields) for fields in found["metadatas"]), key=lambda record: record.name)

    async def delete_record(self, document: str) -> None:
        await self._run(lambda: self._documents.delete(ids=[document]))

    # ---- life cycle

    async def clear(self) -> None:
        def work() -> None:
            from chromadb.errors import NotFoundError

            with self._opening:
                self._open.clear()
                for name in (CHUNKS, DOCUMENTS):
                    try:
                        self._connect().delete_collection(name)
                    except NotFoundError:
                        continue

        await self._run(work)

    async def ping(self) -> None:
        await self.count()

    async def close(self) -> None:
        def work() -> None:
            with self._opening:
                self._open.clear()
                # Clients of one folder share one database; Chroma closes it with the last of them.
                if self._client is not None and isinstance(self._where, Path):
                    self._client.close()
                self._client = None

        await asyncio.to_thread(work)

    # ---- in a thread

    async def _run[T](self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(self._translating_errors, work)

    def _translating_errors[T](self, work: Callable[[], T]) -> T:
        from chromadb.errors import InternalError, NotFoundError

        try:
            try:
                return work()
            except NotFoundError:  # another process has rebuilt the index: its collections are new ones
                self._open.clear()
                return work()
        except (InternalError, NotFoundError, OSError) as error:
            raise Unavailable("The search index does not answer.") from error

    @property
    def _chunks(self) -> Any:
        return self._collection(CHUNKS)

    @property
    def _documents(self) -> Any:
        return self._collection(DOCUMENTS)

    def _count(self) -> int:
        return self._chunks.count()

    def _collection(self, name: str) -> Any:
        with self._opening:
            if name not in self._open:
                self._open = {DOCUMENTS: self._create(DOCUMENTS), CHUNKS: self._chunks_of_this_model()}
            return self._open[name]

    def _create(self, name: str) -> Any:
        return self._connect().get_or_create_collection(
            name,
            metadata={MODEL_KEY: self._model},
            configuration={"hnsw": {"space": "cosine"}},
            embedding_function=None,
        )

    def _chunks_of_this_model(self) -> Any:
        chunks = self._create(CHUNKS)
        filled_by = chunks.metadata[MODEL_KEY]
        if filled_by == self._model:
            return chunks
        if chunks.count():
            raise IndexModelMismatch(
                f"The search index was filled by another embedding model ({filled_by}) than the one that is set"
                f" ({self._model}). Rebuild it: python -m tools.reindex"
            )
        # Empty, but of a fixed dimension since it first was filled.
        self._connect().delete_collection(CHUNKS)
        return self._create(CHUNKS)

    def _connect(self) -> Any:
        if self._client is None:
            if isinstance(self._where, Path):
                import chromadb
                from chromadb.config import Settings

                self._where.mkdir(parents=True, exist_ok=True)
                self._client = chromadb.PersistentClient(
                    str(self._where.resolve()), settings=Settings(anonymized_telemetry=False)
                )
            else:
                self._client = self._where
        return self._client

    def _replacing(self, chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
        """Chroma merges what it is given into what it has: the keys that are no longer there are set to None."""
        known = self._chunks.get(ids=[chunk.id for chunk in chunks], include=["metadatas"])
        old = dict(zip(known["ids"], known["metadatas"], strict=True))
        return [dict.fromkeys(old.get(chunk.id, {})) | _fields(chunk) for chunk in chunks]

    def _nearest(self, vector: Vectors, limit: int, **condition: Any) -> list[Match]:
        found = self._chunks.query(
            query_embeddings=[np.asarray(vector, dtype=np.float32)],
            n_results=limit,
            include=["documents", "metadatas", "distances"],
            **condition,
        )
        entries = _entries(found["ids"][0], found["documents"][0], found["metadatas"][0])
        # Rounding puts the distance of equal vectors a little below 0.
        distances = (min(max(float(distance), 0.0), 2.0) for distance in found["distances"][0])
        return [Match(_chunk(*entry), distance) for entry, distance in zip(entries, distances, strict=True)]


def _entries(ids: Any, documents: Any, metadatas: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    return zip(ids, documents, metadatas, strict=True)


def _fields(chunk: Chunk) -> dict[str, Any]:
    own = {"document": chunk.document, "version": chunk.version, "breadcrumb": chunk.breadcrumb}
    place = {"start": chunk.start, "end": chunk.end}
    return {OWN + key: value for key, value in {**own, **place}.items()} | dict(chunk.metadata)


def _chunk(identifier: str, text: str, fields: dict[str, Any]) -> Chunk:
    own = {key.removeprefix(OWN): value for key, value in fields.items() if key.startswith(OWN)}
    others = {key: value for key, value in fields.items() if not key.startswith(OWN)}
    return Chunk(id=identifier, text=text, metadata=others, **own)


def _condition(where: Mapping[str, Scalar]) -> Any:
    """Chroma's filter: one key directly, several under `$and`, none as None."""
    conditions = [{key: value} for key, value in where.items()]
    return {"$and": conditions} if len(conditions) > 1 else next(iter(conditions), None)


def _record(fields: Any) -> DocumentRecord:
    values: dict[str, Any] = dict(fields)
    values["status"] = DocumentStatus(values["status"])
    values["indexed_at"] = datetime.fromisoformat(values["indexed_at"])
    return DocumentRecord(**values)
