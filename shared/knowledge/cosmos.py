"""A vector index in Cosmos DB, which grows with the documents. Its data model is told in docs/decisions/0013.

One item, the head, lists the generations of the index and says which are in use. Every call reads it first (a point
read), so that all processes go over to a rebuilt index with the write that publishes it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import batched
from secrets import token_hex
from typing import Any

import numpy as np

from shared.codec import as_document
from shared.cosmos import BATCH, Container, Cosmos, Item, Operation, again, batches, item_id, value
from shared.errors import IndexModelMismatch, Unavailable
from shared.knowledge import cosmos_schema as schema
from shared.knowledge.embedding import Vectors
from shared.knowledge.filters import FILTERS, Filters, values
from shared.knowledge.index import SAMPLED, Chunk, DocumentRecord, Match, VectorIndex
from shared.knowledge.terms import codes

CLEARED_AT_ONCE = 1_000
"""Chunks of an abandoned generation that are looked up at once."""
GRACE_SECONDS = 5.0
"""Longest time for which a call that read the head before a publication may still use the generation before."""
RECORDS = "records"
"""Partition of the head and the records: a record and the version change in one batch."""
HEAD = "head"
EVERYONE = ""
"""Among the values that a chunk is meant for: it names none. No value is empty."""
DIGITS = 9
"""Significant ones that tell every float32 from its neighbours (IEEE 754)."""


@dataclass(frozen=True, slots=True)
class Generation:
    """`state` is `unpublished` while the index is being rebuilt, then `published`; `dropped` once nobody uses it,
    until its items are gone. `version` is another token after each write of a record."""

    name: str
    model: str
    dimensions: int
    state: str
    version: str


@dataclass(frozen=True, slots=True)
class Head:
    """Generations, oldest first. `made` counts all that ever were, so that no name comes back."""

    generations: tuple[Generation, ...] = ()
    made: int = 0
    etag: str | None = None

    def in_state(self, state: str) -> list[Generation]:
        return [one for one in self.generations if one.state == state]

    def with_one_more(self, model: str, dimensions: int, state: str) -> Head:
        new = Generation(f"g{self.made + 1}", model, dimensions, state, token_hex(8))
        return replace(self, generations=(*self.generations, new), made=self.made + 1)

    def with_state(self, state: str, chosen: Callable[[Generation], bool]) -> Head:
        changed = (replace(one, state=state) if chosen(one) else one for one in self.generations)
        return replace(self, generations=tuple(changed))

    def dropping_unused(self, model: str) -> Head:
        """Kept are the latest of this model, and the latest of another: an app may still run with that."""
        latest = {one.model == model: one.name for one in self.in_state("published")}
        return self.with_state("dropped", lambda one: one.name not in latest.values())


class CosmosVectorIndex:
    """A `VectorIndex` in the containers that `cosmos_schema` names; `create` of `memory/cosmos_schema.py` makes them.

    `model` is the fingerprint of the embedding model, whose vectors have `dimensions`. `generation` is that of a
    rebuilt index until it is published. To close it closes the client, which others may share.
    """

    def __init__(self, cosmos: Cosmos, model: str, dimensions: int, *, generation: str | None = None) -> None:
        self._cosmos = cosmos
        self._model = model
        self._dimensions = dimensions
        self._rebuilt = generation
        self._records = Container(cosmos, schema.RECORDS)

    # ---- chunks

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        if len(chunks) != len(vectors):
            raise ValueError(f"{len(chunks)} chunks and {len(vectors)} vectors")
        used = await self._used()
        if len(chunks) and vectors.shape[1] != used.dimensions:
            raise ValueError(f"vectors of {vectors.shape[1]} dimensions, and not {used.dimensions}")
        items = [
            _chunk_item(used, chunk) | {"vector": _numbers(vector)}
            for chunk, vector in zip(chunks, vectors, strict=True)
        ]
        for partition, own in _by_partition(items).items():
            for part in batches([("upsert", (item,)) for item in own]):
                await again(lambda partition=partition, part=part: self._chunks(used).batch(partition, part))

    async def refresh(self, chunks: Sequence[Chunk]) -> None:
        used = await self._used()
        for partition, own in _by_partition(_chunk_item(used, chunk) for chunk in chunks).items():

            async def work(partition: str = partition, own: Sequence[Item] = own) -> None:
                known = {row["id"] for row in await self._chunks(used).query("SELECT c.id FROM c", partition)}
                changes: list[Operation] = [
                    ("patch", (item["id"], [_set(f"/{name}", item[name]) for name in ("document", "meant_for")]))
                    for item in own
                    if item["id"] in known
                ]
                for part in batches(changes):
                    await self._chunks(used).batch(partition, part)

            await again(work)

    async def chunks(self, document: str) -> Sequence[Chunk]:
        used = await self._used()
        found = await self._select(used, "SELECT c.document FROM c", partition=_partition(used, document))
        return sorted((value(Chunk, row) for row in found), key=lambda chunk: chunk.start)

    async def vectors(self, texts: Sequence[str]) -> Mapping[str, Vectors]:
        used, by_digest = await self._used(), {_digest(text): text for text in texts}
        known: dict[str, Vectors] = {}
        for part in batched(by_digest, BATCH, strict=False):
            rows = await self._select(
                used,
                "SELECT c.digest, c.vector FROM c WHERE c.generation = @generation"
                " AND ARRAY_CONTAINS(@digests, c.digest)",
                digests=list(part),
            )
            known |= {by_digest[row["digest"]]: np.asarray(row["vector"], dtype=np.float32) for row in rows}
        return known

    async def delete_chunks(self, ids: Sequence[str]) -> None:
        used = await self._used()
        for part in batched(ids, BATCH, strict=False):
            named = "SELECT c.id, c.partition FROM c WHERE c.generation = @generation AND ARRAY_CONTAINS(@ids, c.id)"
            await self._remove(self._chunks(used), used, named, ids=[item_id("chunk", one) for one in part])
        # Whatever becomes of the record: what is gone must not be answered from anybody's cache.
        await again(lambda: self._write_records(used, []))

    async def query(self, vector: Vectors, *, limit: int, filters: Filters | None = None) -> Sequence[Match]:
        conditions, wanted = list[str](), dict[str, Any]()
        for key in FILTERS:  # what becomes part of the query is never the caller's text
            if filters is None or key not in filters:
                continue
            names = {f"{key}{n}": one for n, one in enumerate((EVERYONE, *sorted(values(key, filters[key]))))}
            conditions.append(" OR ".join(f"ARRAY_CONTAINS(c.meant_for.{key}, @{name})" for name in names))
            wanted |= names
        return await self._nearest(vector, limit, conditions, wanted)

    async def containing(self, text: str, vector: Vectors, *, limit: int) -> Sequence[Match]:
        # What a customer looks up is a code, and those are indexed. All else is sought in every text.
        is_code = codes(text) == [text]
        condition = "ARRAY_CONTAINS(c.codes, @wanted)" if is_code else "CONTAINS(c.document.text, @wanted)"
        return await self._nearest(vector, limit, [condition], {"wanted": text})

    async def count(self) -> int:
        return await self._count(await self._used())

    async def sample(self) -> Vectors:
        # In the order of the partitions, which is that of their hashes: of documents by chance.
        rows: Any = await self._select(
            await self._used(),
            "SELECT TOP @limit VALUE c.vector FROM c WHERE c.generation = @generation",
            limit=SAMPLED,
        )
        return np.asarray(rows, np.float32)

    async def chunk_counts(self) -> Mapping[str, int]:
        rows: Any = await self._select(
            await self._used(), "SELECT VALUE c.source FROM c WHERE c.generation = @generation"
        )
        return Counter(rows)

    async def version(self) -> str:
        used = await self._used()
        return f"{used.name}:{used.version}"

    # ---- records

    async def put_records(self, records: Sequence[DocumentRecord]) -> None:
        used = await self._used()
        operations: list[Operation] = [("upsert", (_record_item(used, record),)) for record in records]
        for part in batched(operations, BATCH - 1, strict=False):
            await again(lambda part=part: self._write_records(used, part))

    async def record(self, document: str) -> DocumentRecord | None:
        used = await self._used()
        item = await again(lambda: self._records.read(_record_id(used, document), RECORDS))
        return value(DocumentRecord, item) if item else None

    async def records(self) -> Sequence[DocumentRecord]:
        rows = await self._record_rows("SELECT c.document FROM c", await self._used())
        return sorted((value(DocumentRecord, row) for row in rows), key=lambda record: record.name)

    async def delete_records(self, documents: Sequence[str]) -> None:
        used = await self._used()
        named = "SELECT c.id FROM c WHERE ARRAY_CONTAINS(@ids, c.id)"
        for part in batched(documents, BATCH - 1, strict=False):
            ids = [_record_id(used, name) for name in part]

            async def work(ids: Sequence[str] = ids) -> None:
                known = await self._records.query(named, RECORDS, ids=ids)
                await self._write_records(used, [("delete", (row["id"],)) for row in known])

            await again(work)

    # ---- life cycle

    async def rebuild(self) -> VectorIndex:
        def begun(head: Head) -> Head:
            return head.dropping_unused(self._model).with_one_more(self._model, self._dimensions, "unpublished")

        head = await self._change(begun)
        await self._clear()
        return CosmosVectorIndex(self._cosmos, self._model, self._dimensions, generation=head.generations[-1].name)

    async def publish(self) -> None:
        def published(head: Head) -> Head:
            mine = self._own(head).name
            return head.with_state("published", lambda one: one.name == mine).dropping_unused(self._model)

        if self._rebuilt is None:
            raise ValueError("only a rebuilt index can be published")
        await self._change(published)
        self._rebuilt = None
        await self._clear()

    async def ping(self) -> None:
        await self._used()

    async def close(self) -> None:
        await self._cosmos.close()

    # ---- generations

    async def _used(self) -> Generation:
        """Raises `IndexModelMismatch`."""

        async def work() -> Generation:
            head = await self._head()
            if self._rebuilt is not None:
                return self._own(head)
            published = head.in_state("published")
            if mine := [one for one in published if one.model == self._model]:
                return mine[-1]
            for other in published:
                if await self._count(other):
                    raise IndexModelMismatch(
                        f"The search index was filled by another embedding model ({other.model}) than the one that"
                        f" is set ({self._model}). Rebuild it: python -m tools.reindex"
                    )
            head = head.with_one_more(self._model, self._dimensions, "published")
            await self._write(head)
            return head.generations[-1]

        return await again(work)

    def _own(self, head: Head) -> Generation:
        for one in head.in_state("unpublished") + head.in_state("published"):
            if one.name == self._rebuilt:
                return one
        raise Unavailable("Another attempt to rebuild the search index has begun.")

    async def _change(self, change: Callable[[Head], Head]) -> Head:
        async def work() -> Head:
            changed = change(await self._head())
            await self._write(changed)
            return changed

        return await again(work)

    async def _head(self) -> Head:
        if (item := await self._records.read(HEAD, RECORDS)) is None:
            return Head()
        generations = (Generation(name=name, **about) for name, about in item["generations"].items())
        return Head(tuple(sorted(generations, key=_number)), item["made"], item["_etag"])

    async def _write(self, head: Head) -> None:
        """Raises `Changed` if another process was faster."""
        generations = {
            one.name: {"model": one.model, "dimensions": one.dimensions, "state": one.state, "version": one.version}
            for one in head.generations
        }
        item = {"id": HEAD, "partition": RECORDS, "made": head.made, "generations": generations}
        if head.etag is None:
            await self._records.create(item)
        else:
            await self._records.replace(item | {"_etag": head.etag})

    async def _clear(self) -> None:
        """Remove what dropped generations hold. What is interrupted is done by the next attempt."""
        if not (dropped := (await again(self._head)).in_state("dropped")):
            return
        await asyncio.sleep(GRACE_SECONDS)
        some = "SELECT TOP @limit c.id, c.partition FROM c WHERE c.generation = @generation"
        for one in dropped:
            for container in (self._chunks(one), self._records):
                while await self._remove(container, one, some, limit=CLEARED_AT_ONCE):
                    pass
        gone = {one.name for one in dropped}
        await self._change(
            lambda head: replace(head, generations=tuple(one for one in head.generations if one.name not in gone))
        )

    # ---- items

    def _chunks(self, used: Generation) -> Container:
        return Container(self._cosmos, schema.chunks(used.dimensions))

    async def _select(
        self, used: Generation, text: str, *, partition: str | None = None, **parameters: Any
    ) -> list[Item]:
        return await again(lambda: self._chunks(used).query(text, partition, **parameters, generation=used.name))

    async def _record_rows(self, selection: str, used: Generation) -> list[Item]:
        text = f"{selection} WHERE c.generation = @generation"
        return await again(lambda: self._records.query(text, RECORDS, generation=used.name))

    async def _count(self, used: Generation) -> int:
        rows: Any = await self._select(used, "SELECT VALUE COUNT(1) FROM c WHERE c.generation = @generation")
        return sum(rows)

    async def _nearest(
        self, vector: Vectors, limit: int, conditions: Sequence[str], parameters: Mapping[str, Any]
    ) -> Sequence[Match]:
        where = " AND ".join(["c.generation = @generation", *(f"({one})" for one in conditions)])
        rows = await self._select(
            await self._used(),
            "SELECT TOP @limit c.document, VectorDistance(c.vector, @vector) AS similarity FROM c"  # noqa: S608
            f" WHERE {where} ORDER BY VectorDistance(c.vector, @vector)",
            limit=limit,
            vector=_numbers(vector),
            **parameters,
        )
        # For the cosine, Cosmos DB's distance is the similarity: 1 same … -1 opposite, and a little more by rounding.
        return [Match(value(Chunk, row), min(max(1 - row["similarity"], 0.0), 2.0)) for row in rows]

    async def _remove(self, container: Container, used: Generation, text: str, **parameters: Any) -> int:
        """Remove the items that are selected; how many were left of them."""

        async def work() -> int:
            rows = await container.query(text, **parameters, generation=used.name)
            for partition, own in _by_partition(rows).items():
                for part in batches([("delete", (row["id"],)) for row in own]):
                    await container.batch(partition, part)
            return len(rows)

        return await again(work)

    async def _write_records(self, used: Generation, operations: Sequence[Operation]) -> None:
        """In one batch with the new version, which comes first."""
        new_version: Operation = ("patch", (HEAD, [_set(f"/generations/{used.name}/version", token_hex(8))]))
        await self._records.batch(RECORDS, [new_version, *operations])


def _number(generation: Generation) -> int:
    return int(generation.name.removeprefix("g"))


def _partition(used: Generation, document: str) -> str:
    """All chunks of a document; its name may be longer than a key."""
    return f"{used.name}:{_digest(document)}"


def _chunk_item(used: Generation, chunk: Chunk) -> Item:
    named = {key: values(key, str(chunk.metadata.get(key, ""))) for key in FILTERS}
    return {
        "id": item_id("chunk", chunk.id),
        "partition": _partition(used, chunk.document),
        "generation": used.name,
        "source": chunk.document,
        "digest": _digest(chunk.embedded_text),
        "codes": codes(chunk.text),
        "meant_for": {key: sorted(texts) or [EVERYONE] for key, texts in named.items()},
        "document": as_document(chunk),
    }


def _record_id(used: Generation, name: str) -> str:
    return item_id(used.name, name)


def _record_item(used: Generation, record: DocumentRecord) -> Item:
    about = {"id": _record_id(used, record.name), "partition": RECORDS, "generation": used.name}
    return about | {"document": as_document(record)}


def _numbers(vector: Vectors) -> list[float]:
    """Half as long in JSON as a float32 that was widened."""
    return [float(f"{number:.{DIGITS}g}") for number in vector]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _set(path: str, given: Any) -> Mapping[str, Any]:
    return {"op": "set", "path": path, "value": given}


def _by_partition(items: Iterable[Item]) -> Mapping[str, list[Item]]:
    found: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[item["partition"]].append(item)
    return found
