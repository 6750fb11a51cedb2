"""Keeping the index equal to the documents.

A document is read and compared with what the index holds of it (a `Change`), its new passages are embedded, and the
index is written (`steps.py`). A reconciliation does that for many documents, and reads the next ones, embeds and writes
at the same time.

Everything can be interrupted. Before a chunk is touched, the document's record loses its hash and etag, and it gets
them back when all is done: whatever lies between is found and repaired by the next `ingest` or `reconcile`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from weakref import WeakValueDictionary

import numpy as np

from shared import telemetry
from shared.errors import ConfigurationError, DocumentRejected, NotFound, PayloadTooLarge, Unavailable
from shared.knowledge import chunking
from shared.knowledge.chunking import Chunker
from shared.knowledge.documents import DocumentInfo, DocumentStore
from shared.knowledge.embedding import Embedder, Vectors
from shared.knowledge.embedding_pool import EmbeddingPool
from shared.knowledge.index import Chunk, DocumentRecord, DocumentStatus, Scalar, VectorIndex
from shared.knowledge.parsing import DocumentParser
from shared.knowledge.steps import Change, Step, ahead, in_steps

type Progress = Callable[[int, int, str], None]

logger = logging.getLogger(__name__)

VERSION = 2
"""Raise it when the same file would be read as another text: every document is then read again."""
PIPELINE = f"{VERSION}.{chunking.VERSION}"
READ_AHEAD = 4
"""Documents that are read while others are embedded."""
EMBED_AHEAD = 1
"""Steps that are embedded while another is embedded or written, so that no process that embeds waits for the next."""
FEW = 32
"""Texts for which no other processes are started: a second of work here, and they take half of one to start."""
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
        pool: Callable[[], EmbeddingPool] | None = None,
    ) -> None:
        """`pool` makes the processes that embed in a reconciliation; without it, this process does it all."""
        self._documents = documents
        self._parser = parser
        self._chunker = chunker
        self._embedder = embedder
        self._index = index
        self._max_bytes = max_bytes
        self._now = now
        self._pool = pool
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._reconciling = asyncio.Lock()
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
            with telemetry.span("ingest"):
                return await self._ingest(name, data, etag, metadata)

    async def _ingest(
        self, name: str, data: bytes, etag: str, metadata: Mapping[str, str] | None
    ) -> DocumentRecord | None:
        try:
            info = await self._info(name)
        except Unavailable:  # then the event is all that is known; `reconcile` corrects it if need be
            return await self._apply(await self._take(name, data, etag, metadata or {}))
        if info is None or info.etag != etag:
            return await self._apply(await self._follow(name, info))
        about = info.metadata if metadata is None else metadata
        return await self._apply(await self._take(name, data, etag, about))

    async def forget(self, name: str) -> None:
        """Remove what the index holds of a document. If the store has one of that name (again), that is ingested."""
        async with self._lock(name):
            try:
                info = await self._info(name)
            except Unavailable:
                info = None
            with telemetry.span("forget"):
                await self._apply(await self._follow(name, info))

    async def reconcile(self, on_progress: Progress | None = None) -> Reconciliation:
        """Compare every document with its record, and repair what differs.

        `on_progress` is told the number of the document that is read next, how many are to be read, and its name.
        Raises `Unavailable` if the documents cannot be listed, `IndexModelMismatch`.
        """
        async with self._reconciling:
            records = {record.name: record for record in await self._checked_records()}
            infos = {info.name: info async for info in self._documents.list()}
            changed = sorted(name for name, info in infos.items() if not _is_current(records.get(name), info))
            gone = sorted(records.keys() - infos.keys())

            async def names() -> AsyncIterator[str]:
                """Those that are gone come last: a renamed document finds the vectors of its old name."""
                for number, name in enumerate(changed, start=1):
                    if on_progress:
                        on_progress(number, len(changed), name)
                    yield name
                for name in gone:
                    yield name

            outcomes = await self._follow_all(names())
        outcome = Reconciliation(unchanged=len(infos) - len(changed), **outcomes)
        logger.info("documents reconciled", extra=asdict(outcome))
        telemetry.reconciled_at.set(self._now().timestamp())
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
            pool=self._pool,
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

    # ---- many documents

    async def _checked_records(self) -> Sequence[DocumentRecord]:
        """The records; unfinished are now also those of which there are not as many chunks as they say."""
        records = {record.name: record for record in await self._index.records()}
        if sum(record.chunks for record in records.values()) == await self._index.count():
            return list(records.values())
        counts = await self._index.chunk_counts()
        for name in sorted(records.keys() | counts.keys()):
            if _chunks_of(records.get(name)) != counts.get(name, 0):
                async with self._lock(name):  # an event may have changed it since
                    record = await self._index.record(name)
                    if _chunks_of(record) != len(await self._index.chunks(name)):
                        await self._index.put_records([self._unfinished(name, record)])
        return await self._index.records()

    async def _follow_all(self, names: AsyncIterator[str]) -> Counter[str]:
        """How many were `ingested`, `forgotten`, `failed`. Each is locked until it is written."""
        outcomes: Counter[str] = Counter()
        locked: dict[str, asyncio.Lock] = {}
        again: set[str] = set()
        pool = self._pool() if self._pool else None
        turn = nullcontext() if pool else asyncio.Lock()  # in this process, one step at a time

        async def read(name: str) -> Change | None:
            lock = self._lock(name)
            await lock.acquire()
            locked[name] = lock
            try:
                return await self._follow(name, await self._info(name))
            except ConfigurationError:
                raise
            except Exception:  # one document must not keep the others out
                logger.exception("a document is left for later", extra={"document": name})
                outcomes["failed"] += 1
                locked.pop(name).release()
                return None

        async def embed(step: Step) -> Step:
            async with turn:
                try:
                    step.vectors = await self._vectors(step.texts, pool)
                except ConfigurationError:
                    raise
                except Exception:
                    logger.exception("documents are tried again", extra={"documents": len(step.ended)})
                    again.update(step.documents)
            return step

        try:
            async with (
                aclosing(ahead(read, names, limit=READ_AHEAD)) as changes,
                aclosing(ahead(embed, in_steps(changes), limit=EMBED_AHEAD)) as steps,
            ):
                async for whole in steps:
                    step = whole.without(again)
                    try:
                        await self._write(step)
                    except ConfigurationError:
                        raise
                    except Exception:
                        logger.exception("documents are tried again", extra={"documents": len(step.ended)})
                        again |= step.documents
                        continue
                    for change in step.ended:
                        outcomes[_outcome(change.after)] += 1
                        locked.pop(change.name).release()
        finally:
            for lock in locked.values():
                lock.release()
            if pool:
                await asyncio.to_thread(pool.close)
        for name in sorted(again):  # what is wrong may be one of them
            outcomes[await self._repair(name)] += 1
        return outcomes

    async def _repair(self, name: str) -> str:
        async with self._lock(name):
            try:
                return _outcome(await self._apply(await self._follow(name, await self._info(name))))
            except ConfigurationError:
                raise
            except Exception:
                logger.exception("a document is left for later", extra={"document": name})
                return "failed"

    # ---- what differs; the document's lock is held

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _info(self, name: str) -> DocumentInfo | None:
        try:
            return await self._documents.info(name)
        except NotFound:
            return None

    async def _follow(self, name: str, info: DocumentInfo | None) -> Change:
        """To what the store holds."""
        if info is None:
            return await self._removal(name)
        try:
            data = await self._documents.read(name, max_bytes=self._max_bytes)
        except NotFound:
            return await self._removal(name)
        except PayloadTooLarge as error:
            rejected = DocumentRejected(DocumentStatus.TOO_LARGE, f"{error} Split it.")
            record = await self._index.record(name)
            return await self._rejection(name, record, _digest(info.etag.encode(), {}), info.etag, rejected)
        return await self._take(name, data, info.etag, info.metadata)

    async def _take(self, name: str, data: bytes, etag: str, metadata: Mapping[str, str]) -> Change:
        digest = _digest(data, metadata)
        record = await self._index.record(name)
        # Too slow may have been a matter of the moment; it is tried again, though only when the etag changes.
        if record and record.content_hash == digest and record.status is not DocumentStatus.TOO_SLOW:
            return Change(name, record, replace(record, etag=etag or record.etag))
        try:
            with telemetry.span("parse"):
                parsed = await self._parser.parse(data, name)
        except DocumentRejected as rejected:
            return await self._rejection(name, record, digest, etag, rejected)
        about: dict[str, Scalar] = {**parsed.metadata, **metadata, "source": name, "title": parsed.title}
        chunks = await asyncio.to_thread(
            self._chunker.chunk,
            parsed.markdown,
            document=name,
            version=digest,
            title=parsed.title,
            metadata=about,
            pages=parsed.pages,
        )
        after = DocumentRecord(
            name, digest, etag, DocumentStatus.INDEXED, "", parsed.title, chunks=len(chunks), indexed_at=self._now()
        )
        return await self._change(name, record, after, chunks)

    async def _rejection(
        self, name: str, record: DocumentRecord | None, digest: str, etag: str, rejected: DocumentRejected
    ) -> Change:
        status = DocumentStatus(rejected.status)
        after = DocumentRecord(name, digest, etag, status, str(rejected), title="", chunks=0, indexed_at=self._now())
        return await self._change(name, record, after, [])

    async def _removal(self, name: str) -> Change:
        return await self._change(name, await self._index.record(name), None, [])

    async def _change(
        self, name: str, before: DocumentRecord | None, after: DocumentRecord | None, chunks: Sequence[Chunk]
    ) -> Change:
        # A document without a record has no chunks: the record comes first and goes last.
        known = {chunk.id: chunk for chunk in await self._index.chunks(name)} if before else {}
        kept = {chunk.id for chunk in chunks}
        return Change(
            name,
            before,
            after,
            new=[chunk for chunk in chunks if chunk.id not in known],
            moved=[chunk for chunk in chunks if chunk.id in known and chunk != known[chunk.id]],
            vanished=[chunk for chunk in known.values() if chunk.id not in kept],
        )

    # ---- embedding and writing

    async def _apply(self, change: Change) -> DocumentRecord | None:
        async for step in in_steps(_only(change)):
            step.vectors = await self._vectors(step.texts)
            await self._write(step)
        return change.after

    async def _vectors(self, texts: Sequence[str], pool: EmbeddingPool | None = None) -> Vectors:
        """Shape (len(texts), dimensions). Only a text that no document has, or lately had, is embedded."""
        if not texts:
            return np.empty((0, self._embedder.dimensions), np.float32)
        vectors = {text: self._removed[_key(text)] for text in texts if _key(text) in self._removed}
        vectors |= await self._index.vectors([text for text in texts if text not in vectors])
        if missing := list(dict.fromkeys(text for text in texts if text not in vectors)):
            embed = self._embedder.embed_documents
            if pool and (pool.running or len(missing) > FEW):
                embed = pool.embed
            with telemetry.span("embed", attributes={"support.texts": len(missing)}):
                vectors |= zip(missing, await asyncio.to_thread(embed, missing), strict=True)
            telemetry.chunks_embedded.add(len(missing))
        return np.stack([vectors[text] for text in texts])

    async def _write(self, step: Step) -> None:
        with telemetry.span("index write", attributes={"support.chunks": len(step.chunks)}):
            await self._put(step)
        for change in step.ended:
            _report(change)

    async def _put(self, step: Step) -> None:
        """First what is new, then what moved, then away with the rest: at no time is an unchanged passage missing."""
        index = self._index
        if begun := [self._unfinished(change.name, change.before) for change in step.begun if change.touches_chunks]:
            await index.put_records(begun)
        if step.chunks:
            await index.upsert(step.chunks, step.vectors)
        if moved := [chunk for change in step.ended for chunk in change.moved]:
            await index.refresh(moved)
        if vanished := [chunk for change in step.ended for chunk in change.vanished]:
            await self._remember(step)
            await index.delete_chunks([chunk.id for chunk in vanished])
        if written := [change.after for change in step.ended if change.after and change.writes_record]:
            await index.put_records(written)
        if gone := [change.name for change in step.ended if not change.after and change.writes_record]:
            await index.delete_records(gone)

    async def _remember(self, step: Step) -> None:
        """The vectors of documents that lose all their chunks."""
        texts = [
            chunk.embedded_text for change in step.ended if not _chunks_of(change.after) for chunk in change.vanished
        ]
        if not texts:
            return
        vectors = await self._index.vectors(texts[-REMEMBERED:])
        self._removed |= {_key(text): vector for text, vector in vectors.items()}
        for oldest in list(self._removed)[:-REMEMBERED]:
            del self._removed[oldest]

    def _unfinished(self, name: str, record: DocumentRecord | None) -> DocumentRecord:
        """Neither hash nor etag: the next look at this document does everything again, or removes it all."""
        if record is None:
            reason = "Reading it was interrupted; it is read again with the next reconciliation."
            record = DocumentRecord(name, "", "", DocumentStatus.BROKEN, reason, "", 0, self._now())
        return replace(record, content_hash="", etag="")


async def _only(change: Change) -> AsyncIterator[Change]:
    yield change


def _report(change: Change) -> None:
    if change.after is None:
        if change.writes_record:
            telemetry.documents.add(1, {"status": "forgotten"})
            logger.info("document forgotten", extra={"document": change.name})
    elif change.before is None or change.after.content_hash != change.before.content_hash:
        status = change.after.status.value
        telemetry.documents.add(1, {"status": status})
        about = {"document": change.name, "status": status, "chunks": change.after.chunks}
        logger.info("document read", extra=about)


def _outcome(record: DocumentRecord | None) -> str:
    """The field of `Reconciliation` that counts it."""
    if record is None:
        return "forgotten"
    return "ingested" if record.status is DocumentStatus.INDEXED else "failed"


def _chunks_of(record: DocumentRecord | None) -> int:
    return record.chunks if record else 0


def _digest(data: bytes, metadata: Mapping[str, str]) -> str:
    """SHA-256 of all that a document's chunks are made from, after the version of what makes them."""
    about = json.dumps(sorted(metadata.items())).encode()
    return f"{PIPELINE}-{hashlib.sha256(about + data).hexdigest()}"


def _key(text: str) -> bytes:
    """In place of a text that is to be forgotten."""
    return hashlib.sha256(text.encode()).digest()


def _is_current(record: DocumentRecord | None, info: DocumentInfo) -> bool:
    return record is not None and record.etag == info.etag and record.content_hash.startswith(f"{PIPELINE}-")
