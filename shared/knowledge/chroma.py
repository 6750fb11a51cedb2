"""A vector index in Chroma: in this process, on a folder, or on a server."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import batched
from pathlib import Path
from threading import Lock, RLock
from typing import Any

import numpy as np

from shared.errors import IndexModelMismatch, Unavailable
from shared.knowledge.chroma_server import BROKEN, UNANSWERED, ChromaServer, InternalError, NotFoundError
from shared.knowledge.embedding import Vectors
from shared.knowledge.filters import FILTERS, Filters, values
from shared.knowledge.index import SAMPLED, Chunk, DocumentRecord, DocumentStatus, Match, Scalar, VectorIndex

CHUNKS = "chunks"
DOCUMENTS = "documents"
CONFIGURATION = {"hnsw": {"space": "cosine"}, "embedding_function": {"type": "legacy"}}
"""Of both collections. So does Chroma's own client say that it is given the vectors, and embeds nothing."""
BATCH = 5_000
"""Chroma takes 5,461 entries at once (SQLite's limit on variables)."""
MODEL_KEY = "embedding_model"
UNPUBLISHED = "unpublished"
"""Metadata of the chunks' collection while the index is being rebuilt. Taking it away is the switch: one write."""
# Chroma keeps one flat map per entry. Ours are told apart from the document's own keys by this prefix.
OWN = "chunk."
DIGEST = OWN + "digest"
"""Hash of the embedded text: by it the vector is found again when the same text has another name."""
MEANT_FOR = OWN + "for."
"""And a list of the values that its document names for each of `FILTERS`, after …"""
ANY = ","
"""… this one, which says that it names any. No value has a comma."""
VERSION_ID = "/version"
"""Entry among the records that is written with each of them. No document's name begins with a slash."""
PAUSES = (0.1, 0.5)
"""Seconds before a server whose line was cut is asked again: all that is done here may be done twice."""
KEPT_CHUNKS = 4_096
"""Chunks that are kept in memory, about 10 MB. Chroma takes six times as long to read 200 of them as to find them."""
FEW = 100
"""Chunks whose distances are computed here: the rarer what is asked for, the longer Chroma's search walks around it."""
MOST_ADMITTED = 20_000
"""Chunks to which a search is narrowed by their ids: more of them are too much to hand over each time, and …"""
KEPT_FILTERS = 8
"""… of so many filters in memory, 20 MB."""
SETTLED = 5
"""Seconds since a file was written after which its time tells another write: clocks of files tick, some every 2 s."""
NO_VECTOR = [1.0]
"""Chroma wants a vector with everything; a document's record has none."""


class ChromaIndex:
    """A `VectorIndex` on a folder, a server, or an open client of either; `model` is the embedder's fingerprint.

    Two collections: the chunks with their vectors, and one record per document. A rebuilt index has two new ones of the
    next number. The one in use is the latest of this model that is published; when its collections are gone, another
    was published, and is looked up. Nothing is opened before first use.
    """

    def __init__(self, where: Path | ChromaServer | Any, model: str) -> None:
        self._where = where
        self._model = model
        self._unpublished = False
        self._client: Any = None
        self._open: dict[str, Any] = {}
        self._opening = RLock()
        self._version = ""
        self._version_as_of: int | None = None
        self._kept = _Kept[Chunk](KEPT_CHUNKS)
        self._admitted = _Kept[Sequence[str]](KEPT_FILTERS)

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
            self._turn_to("")

        await self._run(work)

    async def refresh(self, chunks: Sequence[Chunk]) -> None:
        def work() -> None:
            for part in batched(chunks, BATCH, strict=False):
                # Not the texts, of which an id is made: Chroma would want to embed them again.
                self._chunks.update(ids=[chunk.id for chunk in part], metadatas=self._replacing(part))
            self._turn_to("")

        await self._run(work)

    async def chunks(self, document: str) -> Sequence[Chunk]:
        def work() -> list[Chunk]:
            found = self._chunks.get(where={OWN + "document": document}, include=["documents", "metadatas"])
            return [_chunk(*entry) for entry in _entries(found["ids"], found["documents"], found["metadatas"])]

        return sorted(await self._run(work), key=lambda chunk: chunk.start)

    async def vectors(self, texts: Sequence[str]) -> Mapping[str, Vectors]:
        def work() -> dict[str, Vectors]:
            by_digest = {_digest(text): text for text in texts}
            known: dict[str, Vectors] = {}
            for part in batched(by_digest, BATCH, strict=False):
                found = self._chunks.get(where={DIGEST: {"$in": list(part)}}, include=["metadatas", "embeddings"])
                for fields, vector in zip(found["metadatas"], found["embeddings"], strict=True):
                    known[by_digest[fields[DIGEST]]] = np.asarray(vector, dtype=np.float32)
            return known

        return await self._run(work)

    async def delete_chunks(self, ids: Sequence[str]) -> None:
        def work() -> None:
            for part in batched(ids, BATCH, strict=False):
                self._chunks.delete(ids=list(part))
            # Whatever becomes of the record: what is gone must not be answered from anybody's cache.
            self._write_records({})
            self._turn_to("")

        await self._run(work)

    async def query(self, vector: Vectors, *, limit: int, filters: Filters | None = None) -> Sequence[Match]:
        return await self._run(
            lambda: self._nearest_of(filters, vector, limit) if filters else self._nearest(vector, limit)
        )

    async def containing(self, text: str, vector: Vectors, *, limit: int) -> Sequence[Match]:
        def work() -> list[Match]:
            holding = {"$contains": text}
            ids = self._chunks.get(where_document=holding, include=[])["ids"]
            return self._nearest_among(ids, vector, limit, where_document=holding)

        return await self._run(work)

    async def count(self) -> int:
        return await self._run(self._count)

    async def sample(self) -> Vectors:
        def work() -> Vectors:
            ids: Sequence[str] = self._chunks.get(include=[])["ids"]
            some = ids[:: math.ceil(len(ids) / SAMPLED) or 1]
            found: Any = self._chunks.get(ids=some, include=["embeddings"])["embeddings"] if some else []
            return np.asarray(found, np.float32)

        return await self._run(work)

    async def chunk_counts(self) -> Mapping[str, int]:
        def work() -> Counter[str]:
            counts: Counter[str] = Counter()
            for offset in range(0, self._chunks.count(), BATCH):
                found = self._chunks.get(limit=BATCH, offset=offset, include=["metadatas"])
                counts.update(fields[OWN + "document"] for fields in found["metadatas"])
            return counts

        return await self._run(work)

    async def version(self) -> str:
        def work() -> str:
            documents = self._documents
            found = documents.get(ids=[VERSION_ID], include=["metadatas"])
            return ":".join([str(documents.id), *(fields["version"] for fields in found["metadatas"])])

        # Reading it takes Chroma half as long as the search itself, so it is read only if its file was written since.
        # The time is taken first: what is written meanwhile is seen by the next who asks.
        written = self._written()
        if written is None or written != self._version_as_of:
            self._version, self._version_as_of = await self._run(work), written
        self._turn_to(self._version)
        return self._version

    # ---- records

    async def put_records(self, records: Sequence[DocumentRecord]) -> None:
        def work() -> None:
            for part in batched(records, BATCH, strict=False):
                self._write_records({record.name: _record_fields(record) for record in part})

        await self._run(work)

    async def record(self, document: str) -> DocumentRecord | None:
        found = await self._run(lambda: self._documents.get(ids=[document], include=["metadatas"]))
        return next((_record(fields) for fields in found["metadatas"]), None)

    async def records(self) -> Sequence[DocumentRecord]:
        found = await self._run(lambda: self._documents.get(include=["metadatas"]))
        entries = zip(found["ids"], found["metadatas"], strict=True)
        records = (_record(fields) for identifier, fields in entries if identifier != VERSION_ID)
        return sorted(records, key=lambda record: record.name)

    async def delete_records(self, documents: Sequence[str]) -> None:
        def work() -> None:
            # In this order: with no record, nothing would remind of a version that still has to change.
            self._write_records({})
            for part in batched(documents, BATCH, strict=False):
                self._documents.delete(ids=list(part))

        await self._run(work)

    # ---- life cycle

    async def rebuild(self) -> VectorIndex:
        return await self._run(self._rebuild)

    async def publish(self) -> None:
        await self._run(self._publish)

    async def ping(self) -> None:
        await self.count()

    async def close(self) -> None:
        def work() -> None:
            with self._opening:
                self._open.clear()
                # Clients of one folder share one database, which is closed with the last of them.
                if self._client is not None and isinstance(self._where, Path | ChromaServer):
                    self._client.close()
                self._client = None

        await asyncio.to_thread(work)

    # ---- in a thread

    async def _run[T](self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(self._translating_errors, work)

    def _translating_errors[T](self, work: Callable[[], T]) -> T:
        try:
            try:
                return _repeated(work)
            except NotFoundError:
                if self._unpublished:  # another attempt has begun, and has removed this one
                    raise
                self._open.clear()  # another process has published a rebuilt index
                self._turn_to("")
                return _repeated(work)
        except (InternalError, NotFoundError, OSError, *UNANSWERED) as error:
            raise Unavailable("The search index does not answer.") from error

    @property
    def _chunks(self) -> Any:
        return self._collection(CHUNKS)

    @property
    def _documents(self) -> Any:
        return self._collection(DOCUMENTS)

    def _count(self) -> int:
        return self._chunks.count()

    def _written(self) -> int | None:
        """When the index was last written, if its time would tell another write from that one. Nanoseconds."""
        if not isinstance(self._where, Path):
            return None
        from shared.knowledge.chroma_folder import FILE  # brings the database itself

        try:
            written = (self._where / FILE).stat().st_mtime_ns
        except OSError:  # not there yet; what else is wrong with it, Chroma will say
            return None
        return written if time.time_ns() - written > SETTLED * 1e9 else None

    def _turn_to(self, version: str) -> None:
        """Nothing of another version is kept in memory; without one, nothing at all."""
        self._kept.turn_to(version)
        self._admitted.turn_to(version)

    def _collection(self, name: str) -> Any:
        with self._opening:
            if name not in self._open:
                self._open = self._create(self._number_in_use())
            return self._open[name]

    def _create(self, number: int, **metadata: Scalar) -> dict[str, Any]:
        """The two collections of that number, as they are if they exist. The chunks come last: with them it counts."""
        return {
            name: self._connect().get_or_create_collection(
                f"{name}-{number}",
                metadata={MODEL_KEY: self._model, **metadata},
                configuration=CONFIGURATION,
            )
            for name in (DOCUMENTS, CHUNKS)
        }

    def _number_in_use(self) -> int:
        published = self._published()
        mine = [number for number, chunks in published.items() if chunks.metadata[MODEL_KEY] == self._model]
        if mine:
            return max(mine)
        for chunks in published.values():
            if chunks.count():
                raise IndexModelMismatch(
                    "The search index was filled by another embedding model"
                    f" ({chunks.metadata[MODEL_KEY]}) than the one that is set ({self._model})."
                    " Rebuild it: python -m tools.reindex"
                )
        # Empty ones cannot be taken over: of a fixed dimension since they first were filled.
        return max(self._numbers(), default=0) + 1

    def _rebuild(self) -> ChromaIndex:
        with self._opening:
            self._remove_all_but(self._in_use())
            rebuilt = ChromaIndex(self._connect(), self._model)
            rebuilt._unpublished = True
            rebuilt._open = self._create(max(self._numbers(), default=0) + 1, **{UNPUBLISHED: True})
            return rebuilt

    def _publish(self) -> None:
        with self._opening:
            self._count()  # raises NotFoundError, which `modify` does not
            self._chunks.modify(metadata={MODEL_KEY: self._model})
            self._unpublished = False
            self._remove_all_but(self._in_use())

    def _in_use(self) -> set[int]:
        """The latest of this model, and the latest of another: an app may still run with that."""
        latest = {
            chunks.metadata[MODEL_KEY] == self._model: number for number, chunks in sorted(self._published().items())
        }
        return set(latest.values())

    def _published(self) -> dict[int, Any]:
        """The chunks' collections by number."""
        return {
            number: collection
            for number, collection in self._numbered(CHUNKS)
            if UNPUBLISHED not in (collection.metadata or {})
        }

    def _numbers(self) -> set[int]:
        return {number for name in (CHUNKS, DOCUMENTS) for number, _ in self._numbered(name)}

    def _numbered(self, name: str) -> Iterator[tuple[int, Any]]:
        for collection in self._connect().list_collections():
            if match := re.fullmatch(rf"{name}-(\d+)", collection.name):
                yield int(match[1]), collection

    def _remove_all_but(self, kept: set[int]) -> None:
        for name in (CHUNKS, DOCUMENTS):
            for number, collection in self._numbered(name):
                if number not in kept:
                    self._connect().delete_collection(collection.name)

    def _connect(self) -> Any:
        if self._client is None:
            if isinstance(self._where, Path):
                from shared.knowledge import chroma_folder

                self._client = chroma_folder.Client(self._where)
            elif isinstance(self._where, ChromaServer):
                self._client = self._where.connect()
            else:
                self._client = self._where
        return self._client

    def _write_records(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        entries = {**records, VERSION_ID: {"version": uuid.uuid4().hex}}
        self._documents.upsert(
            ids=list(entries), embeddings=[NO_VECTOR] * len(entries), metadatas=list(entries.values())
        )

    def _replacing(self, chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
        """Chroma merges what it is given into what it has: the keys that are no longer there are set to None."""
        known = self._chunks.get(ids=[chunk.id for chunk in chunks], include=["metadatas"])
        old = dict(zip(known["ids"], known["metadatas"], strict=True))
        return [dict.fromkeys(old.get(chunk.id, {})) | _fields(chunk) for chunk in chunks]

    def _nearest_of(self, filters: Filters, vector: Vectors, limit: int) -> list[Match]:
        """Chroma takes many times as long to find out which chunks a filter admits as to search among them, so which
        they are is asked once for each version of the index."""
        condition = _condition(filters)
        key = str(condition)
        kept, version = self._admitted.of([key])
        if (ids := kept.get(key)) is None:
            ids = list(self._chunks.get(where=condition, limit=MOST_ADMITTED + 1, include=[])["ids"])
            self._admitted.keep({key: ids}, version)
        if len(ids) > MOST_ADMITTED:
            return self._nearest(vector, limit, where=condition)
        return self._nearest_among(ids, vector, limit, where=condition)

    def _nearest_among(self, ids: Sequence[str], vector: Vectors, limit: int, **condition: Any) -> list[Match]:
        """Among the chunks of these ids, which were found by the condition."""
        if not ids:
            return []
        if len(ids) > FEW:
            try:
                return self._nearest(vector, limit, ids=list(ids))
            except InternalError:
                # What Chroma answers if one of them was deleted a moment ago; if it is something else, it comes again.
                return self._nearest(vector, limit, **condition)
        found = self._chunks.get(ids=list(ids), include=["documents", "metadatas", "embeddings"])
        if not found["ids"]:
            return []
        rows = np.asarray(found["embeddings"], dtype=np.float32)
        cosines = rows @ vector / (np.linalg.norm(rows, axis=1) * np.linalg.norm(vector))
        matches = [
            Match(_chunk(*entry), min(max(1 - float(cosine), 0.0), 2.0))
            for entry, cosine in zip(
                _entries(found["ids"], found["documents"], found["metadatas"]), cosines, strict=True
            )
        ]
        return sorted(matches, key=lambda match: match.distance)[:limit]

    def _nearest(self, vector: Vectors, limit: int, **condition: Any) -> list[Match]:
        found = self._chunks.query(
            query_embeddings=[np.asarray(vector, dtype=np.float32)],
            n_results=limit,
            include=["distances"],
            **condition,
        )
        ids = found["ids"][0]
        chunks = self._read(ids)
        # Rounding puts the distance of equal vectors a little below 0.
        distances = (min(max(float(distance), 0.0), 2.0) for distance in found["distances"][0])
        pairs = zip(ids, distances, strict=True)
        # What is not there any more was deleted after it was found.
        return [Match(chunks[id_], distance) for id_, distance in pairs if id_ in chunks]

    def _read(self, ids: Sequence[str]) -> Mapping[str, Chunk]:
        """The chunks of these ids, as far as they are there; from Chroma only those that are not kept."""
        chunks, version = self._kept.of(ids)
        if missing := [id_ for id_ in ids if id_ not in chunks]:
            found = self._chunks.get(ids=missing, include=["documents", "metadatas"])
            entries = _entries(found["ids"], found["documents"], found["metadatas"])
            read = {entry[0]: _chunk(*entry) for entry in entries}
            self._kept.keep(read, version)
            chunks |= read
        return chunks


class _Kept[T]:
    """What was read of the version of the index that was asked for last, by key; without one, nothing is kept.

    What nobody asked for lately goes first. For any thread.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._version = ""
        self._values: OrderedDict[str, T] = OrderedDict()
        self._guard = Lock()

    def turn_to(self, version: str) -> None:
        """All of another version is dropped."""
        with self._guard:
            if version != self._version:
                self._values.clear()
                self._version = version

    def of(self, keys: Iterable[str]) -> tuple[dict[str, T], str]:
        """What is kept of these, and its version."""
        with self._guard:
            found = {key: self._values[key] for key in keys if key in self._values}
            for key in found:
                self._values.move_to_end(key)
            return found, self._version

    def keep(self, values: Mapping[str, T], version: str) -> None:
        """Unless there is another version now: then they may be of the past."""
        with self._guard:
            if not version or version != self._version:
                return
            self._values.update(values)
            while len(self._values) > self._size:
                self._values.popitem(last=False)


def _repeated[T](work: Callable[[], T]) -> T:
    for pause in PAUSES:
        try:
            return work()
        except BROKEN:
            time.sleep(pause)
    return work()


def _entries(ids: Any, documents: Any, metadatas: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    return zip(ids, documents, metadatas, strict=True)


def _fields(chunk: Chunk) -> dict[str, Any]:
    own = {"document": chunk.document, "version": chunk.version, "breadcrumb": chunk.breadcrumb}
    place = {"start": chunk.start, "end": chunk.end, "gap": chunk.gap, "document_chunks": chunk.document_chunks}
    fields = {OWN + key: value for key, value in {**own, **place}.items()}
    return {**fields, DIGEST: _digest(chunk.embedded_text), **_meant_for(chunk.metadata), **chunk.metadata}


def _meant_for(metadata: Mapping[str, Scalar]) -> dict[str, list[str]]:
    named = {key: values(key, str(metadata.get(key, ""))) for key in FILTERS}
    return {MEANT_FOR + key: [ANY, *sorted(texts)] for key, texts in named.items() if texts}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _chunk(identifier: str, text: str, fields: dict[str, Any]) -> Chunk:
    own = {
        key.removeprefix(OWN): value
        for key, value in fields.items()
        if key.startswith(OWN) and key != DIGEST and not key.startswith(MEANT_FOR)
    }
    others = {key: value for key, value in fields.items() if not key.startswith(OWN)}
    return Chunk(id=identifier, text=text, metadata=others, **own)


def _condition(filters: Filters) -> Any:
    """Chroma's condition for what is meant for these values or for everyone: one directly, several under `$and`."""
    conditions = [
        {"$or": [{MEANT_FOR + key: {"$not_contains": ANY}}, *({MEANT_FOR + key: {"$contains": v}} for v in wanted)]}
        for key, text in filters.items()
        for wanted in [sorted(values(key, text))]
    ]
    return {"$and": conditions} if len(conditions) > 1 else next(iter(conditions), None)


def _record_fields(record: DocumentRecord) -> dict[str, Any]:
    return asdict(record) | {"indexed_at": record.indexed_at.isoformat()}


def _record(fields: Any) -> DocumentRecord:
    values: dict[str, Any] = dict(fields)
    values["status"] = DocumentStatus(values["status"])
    values["indexed_at"] = datetime.fromisoformat(values["indexed_at"])
    return DocumentRecord(**values)
