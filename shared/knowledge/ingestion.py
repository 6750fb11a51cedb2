"""Keeping the index equal to the documents.

Every step can be interrupted. Before a chunk is touched, the document's record loses its hash and etag, and it gets
them back when all is done: whatever lies between is found and repaired by the next `ingest` or `reconcile`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import batched
from weakref import WeakValueDictionary

import numpy as np

from shared import telemetry
from shared.errors import ConfigurationError, DocumentRejected, NotFound, PayloadTooLarge, Unavailable
from shared.knowledge import chunking
from shared.knowledge.chunking import Chunker
from shared.knowledge.documents import DocumentInfo, DocumentStore
from shared.knowledge.embedding import Embedder, Vectors
from shared.knowledge.index import Chunk, DocumentRecord, DocumentStatus, Scalar, VectorIndex
from shared.knowledge.parsing import DocumentParser

type Progress = Callable[[int, int, str], None]

logger = logging.getLogger(__name__)

VERSION = 1
"""Raise it when the same file would be read as another text: every document is then read again."""
PIPELINE = f"{VERSION}.{chunking.VERSION}"
BATCH = 64
"""Chunks embedded before they are stored: one to two seconds of work, which an interruption can cost."""
REMEMBERED = 1_000
"""Vectors of removed chunks that are kept in memory (1.5 MB): a renamed document may go before it comes."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Numbers of documents. `failed` could not be read: their record says why, or the store or index did not answer."""

    ingested: int = 0
    forgotten: int = 0
    unchanged: int = 0
    failed: int = 0


class IngestionService:
    """One document at a time is worked on per name; different documents may be at once."""

    def __init__(
        self,
        *,
        documents: DocumentStore,
        parser: DocumentParser,
        chunker: Chunker,
        embedder: Embedder,
        index: VectorIndex,
        max_bytes: int,
        now: Callable[[], datetime],
    ) -> None:
        self._documents = documents
        self._parser = parser
        self._chunker = chunker
        self._embedder = embedder
        self._index = index
        self._max_bytes = max_bytes
        self._now = now
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._removed: dict[bytes, Vectors] = {}

    async def ingest(
        self, name: str, data: bytes, *, etag: str = "", metadata: Mapping[str, str] | None = None
    ) -> DocumentRecord | None:
        """Make the index hold this document as it is now; `data`, `etag` and `metadata` are what an event brought.

        Events come late and out of order: what the store holds by now is taken instead, if it differs. None if it
        holds no such document any more; then it was forgotten. A document that cannot be read has a record that says
        why. Unchanged content costs nothing.
        Raises `Unavailable`, `IndexModelMismatch`.
        """
        async with self._lock(name):
            try:
                info = await self._info(name)
            except Unavailable:  # then the event is all that is known; `reconcile` corrects it if need be
                return await self._take(name, data, etag, metadata or {})
            if info is None or info.etag != etag:
                return await self._follow(name, info)
            return await self._take(name, data, etag, info.metadata if metadata is None else metadata)

    async def forget(self, name: str) -> None:
        """Remove what the index holds of a document. If the store has one of that name (again), that is ingested."""
        async with self._lock(name):
            try:
                info = await self._info(name)
            except Unavailable:
                info = None
            await self._follow(name, info)

    async def reconcile(self, on_progress: Progress | None = None) -> Reconciliation:
        """Compare every document with its record, and repair what differs, one after the other.

        `on_progress` is told the number of the document that is read next, how many are to be read, and its name.
        Raises `Unavailable` if the documents cannot be listed, `IndexModelMismatch`.
        """
        records = {record.name: record for record in await self._checked_records()}
        infos = {info.name: info async for info in self._documents.list()}
        changed = sorted(name for name, info in infos.items() if not _is_current(records.get(name), info))
        gone = sorted(records.keys() - infos.keys())
        outcome = Reconciliation(unchanged=len(infos) - len(changed))
        # Those that are gone come last: a renamed document finds the vectors of its old name.
        for number, name in enumerate([*changed, *gone], start=1):
            if on_progress and number <= len(changed):
                on_progress(number, len(changed), name)
            outcome = await self._repair(name, outcome)
        logger.info("documents reconciled", extra=asdict(outcome))
        return outcome

    async def rebuild(self, on_progress: Progress | None = None) -> Reconciliation:
        """Fill another index from the documents, for the present embedding model, and put it in the place of this one.

        Until then this one is used as before, and it stays if anything goes wrong. Raises `Unavailable`, also if a
        document could be neither indexed nor rejected.
        """
        index = await self._index.rebuild()
        beside = IngestionService(
            documents=self._documents,
            parser=self._parser,
            chunker=self._chunker,
            embedder=self._embedder,
            index=index,
            max_bytes=self._max_bytes,
            now=self._now,
        )
        outcome = await beside.reconcile(on_progress)
        meanwhile = await beside.reconcile()
        if meanwhile.failed:  # a rejected document would be unchanged by now
            raise Unavailable(f"{meanwhile.failed} documents could not be read now. The index stays as it was.")
        await index.publish()
        logger.info("index rebuilt", extra=asdict(outcome))
        # Events that came until now went to the other index.
        await self.reconcile()
        return outcome

    async def records(self) -> Sequence[DocumentRecord]:
        """What is known about each document, by name."""
        return await self._index.records()

    # ---- one document; its lock is held

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _checked_records(self) -> Sequence[DocumentRecord]:
        """The records; unfinished are now also those whose chunks are not as many as they say."""
        records = await self._index.records()
        if sum(record.chunks for record in records) == await self._index.count():
            return records
        for name in [record.name for record in records]:
            async with self._lock(name):
                record = await self._index.record(name)
                if record and record.chunks != len(await self._index.chunks(name)):
                    await self._mark_unfinished(name, record)
        return await self._index.records()

    async def _repair(self, name: str, outcome: Reconciliation) -> Reconciliation:
        async with self._lock(name):
            try:
                record = await self._follow(name, await self._info(name))
            except ConfigurationError:
                raise
            except Exception:  # one document must not keep the others out
                logger.exception("a document is left for later", extra={"document": name})
                return replace(outcome, failed=outcome.failed + 1)
        if record is None:
            return replace(outcome, forgotten=outcome.forgotten + 1)
        if record.status is DocumentStatus.INDEXED:
            return replace(outcome, ingested=outcome.ingested + 1)
        return replace(outcome, failed=outcome.failed + 1)

    async def _info(self, name: str) -> DocumentInfo | None:
        try:
            return await self._documents.info(name)
        except NotFound:
            return None

    async def _follow(self, name: str, info: DocumentInfo | None) -> DocumentRecord | None:
        """Take what the store holds; None if that is nothing."""
        if info is None:
            return await self._remove(name)
        try:
            data = await self._documents.read(name, max_bytes=self._max_bytes)
        except NotFound:
            return await self._remove(name)
        except PayloadTooLarge as error:
            rejected = DocumentRejected(DocumentStatus.TOO_LARGE, f"{error} Split it.")
            return await self._reject(name, _digest(info.etag.encode(), {}), info.etag, rejected)
        return await self._take(name, data, info.etag, info.metadata)

    async def _take(self, name: str, data: bytes, etag: str, metadata: Mapping[str, str]) -> DocumentRecord:
        digest = _digest(data, metadata)
        record = await self._index.record(name)
        # Too slow may have been a matter of the moment; it is tried again, though only when the etag changes.
        if record and record.content_hash == digest and record.status is not DocumentStatus.TOO_SLOW:
            if etag and record.etag != etag:
                record = replace(record, etag=etag)
                await self._index.put_record(record)
            return record
        try:
            parsed = await self._parser.parse(data, name)
        except DocumentRejected as rejected:
            return await self._reject(name, digest, etag, rejected)
        about: dict[str, Scalar] = {**parsed.metadata, **metadata, "source": name, "title": parsed.title}
        chunks = await asyncio.to_thread(
            self._chunker.chunk, parsed.markdown, document=name, version=digest, title=parsed.title, metadata=about
        )
        await self._replace_chunks(name, record, chunks)
        return await self._finish(
            DocumentRecord(
                name, digest, etag, DocumentStatus.INDEXED, "", parsed.title, chunks=len(chunks), indexed_at=self._now()
            )
        )

    async def _reject(self, name: str, digest: str, etag: str, rejected: DocumentRejected) -> DocumentRecord:
        await self._replace_chunks(name, await self._index.record(name), [])
        status = DocumentStatus(rejected.status)
        return await self._finish(
            DocumentRecord(name, digest, etag, status, str(rejected), title="", chunks=0, indexed_at=self._now())
        )

    async def _replace_chunks(self, name: str, record: DocumentRecord | None, chunks: Sequence[Chunk]) -> bool:
        """First what is new, then what moved, then away with the rest: at no time is an unchanged passage missing.

        False if there was nothing to do.
        """
        known = {chunk.id: chunk for chunk in await self._index.chunks(name)}
        new = [chunk for chunk in chunks if chunk.id not in known]
        moved = [chunk for chunk in chunks if chunk.id in known and chunk != known[chunk.id]]
        vanished = known.keys() - {chunk.id for chunk in chunks}
        if not (new or moved or vanished):
            return False
        await self._mark_unfinished(name, record)
        for batch in batched(new, BATCH, strict=False):
            await self._index.upsert(batch, await self._vectors([chunk.embedded_text for chunk in batch]))
        if moved:
            await self._index.refresh(moved)
        if vanished:
            if not chunks:
                await self._remember([known[identifier].embedded_text for identifier in sorted(vanished)])
            await self._index.delete_chunks(sorted(vanished))
        return True

    async def _vectors(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimensions). Only a text that no document has, or lately had, is embedded."""
        vectors = {text: self._removed[_key(text)] for text in texts if _key(text) in self._removed}
        vectors |= await self._index.vectors([text for text in texts if text not in vectors])
        if missing := list(dict.fromkeys(text for text in texts if text not in vectors)):
            embedded = await asyncio.to_thread(self._embedder.embed_documents, missing)
            vectors |= zip(missing, embedded, strict=True)
            telemetry.chunks_embedded.add(len(missing))
        return np.stack([vectors[text] for text in texts])

    async def _remember(self, texts: Sequence[str]) -> None:
        vectors = await self._index.vectors(texts[:REMEMBERED])
        self._removed |= {_key(text): vector for text, vector in vectors.items()}
        for oldest in list(self._removed)[:-REMEMBERED]:
            del self._removed[oldest]

    async def _remove(self, name: str) -> None:
        record = await self._index.record(name)
        if await self._replace_chunks(name, record, []) or record:
            await self._index.delete_record(name)
            telemetry.documents.add(1, {"status": "forgotten"})
            logger.info("document forgotten", extra={"document": name})

    async def _mark_unfinished(self, name: str, record: DocumentRecord | None) -> None:
        """Neither hash nor etag: the next look at this document does everything again, or removes it all."""
        if record is None:
            reason = "Reading it was interrupted; it is read again with the next reconciliation."
            record = DocumentRecord(name, "", "", DocumentStatus.BROKEN, reason, "", 0, self._now())
        await self._index.put_record(replace(record, content_hash="", etag=""))

    async def _finish(self, record: DocumentRecord) -> DocumentRecord:
        await self._index.put_record(record)
        status = record.status.value
        telemetry.documents.add(1, {"status": status})
        logger.info("document read", extra={"document": record.name, "status": status, "chunks": record.chunks})
        return record


def _digest(data: bytes, metadata: Mapping[str, str]) -> str:
    """SHA-256 of all that a document's chunks are made from, after the version of what makes them."""
    about = json.dumps(sorted(metadata.items())).encode()
    return f"{PIPELINE}-{hashlib.sha256(about + data).hexdigest()}"


def _key(text: str) -> bytes:
    """In place of a text that is to be forgotten."""
    return hashlib.sha256(text.encode()).digest()


def _is_current(record: DocumentRecord | None, info: DocumentInfo) -> bool:
    return record is not None and record.etag == info.etag and record.content_hash.startswith(f"{PIPELINE}-")
