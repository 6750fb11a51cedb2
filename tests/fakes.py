"""Stand-ins for parts that are slow or far away; they keep the contracts of the real ones."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shared.errors import IndexModelMismatch, Unavailable
from shared.knowledge.embedding import Vectors
from shared.knowledge.filters import Filters, admits
from shared.knowledge.index import SAMPLED, Chunk, DocumentRecord, Match

_TOKEN = re.compile(r"\w+|[^\w\s]")


class HashEmbedder:
    """An `Embedder` without a model: texts are near each other if they share words. `embedded` is what it was given."""

    def __init__(self, fingerprint: str = "hash", *, dimensions: int = 64, max_tokens: int = 256) -> None:
        self.fingerprint = fingerprint
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        self.embedded: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return np.array([self._vector(text) for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)

    def embed_query(self, text: str) -> Vectors:
        return self._vector(text)

    def _vector(self, text: str) -> Vectors:
        vector = np.full(self.dimensions, 1e-3, dtype=np.float32)
        for token in _TOKEN.findall(text.lower()):
            digest = hashlib.sha256(token.encode()).digest()
            vector[int.from_bytes(digest[:4]) % self.dimensions] += 1 if digest[4] % 2 else -1
        return vector / np.linalg.norm(vector)


@dataclass(eq=False)
class Generation:
    """What one building of an index has made."""

    model: str
    published: bool = True
    chunks: dict[str, Chunk] = field(default_factory=dict)
    vectors: dict[str, Vectors] = field(default_factory=dict)
    records: dict[str, DocumentRecord] = field(default_factory=dict)
    version: str = field(default_factory=lambda: uuid.uuid4().hex)

    def touch(self) -> None:
        self.version = uuid.uuid4().hex


class InMemoryIndex:
    """A `VectorIndex`. Instances that share `generations` are as processes that share an index."""

    def __init__(self, model: str, generations: list[Generation] | None = None) -> None:
        self.model = model
        self.generations = [] if generations is None else generations
        self._used: Generation | None = None

    @property
    def used(self) -> Generation:
        if self._used is None or self._used not in self.generations:
            if self._used and not self._used.published:
                raise Unavailable("Another attempt to rebuild the index has begun.")
            self._used = self._in_use()
        return self._used

    def _in_use(self) -> Generation:
        published = [generation for generation in self.generations if generation.published]
        if mine := [generation for generation in published if generation.model == self.model]:
            return mine[-1]
        for generation in published:
            if generation.chunks:
                raise IndexModelMismatch(f"{generation.model}, not {self.model}: python -m tools.reindex")
        self.generations.append(Generation(self.model))
        return self.generations[-1]

    async def upsert(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        if len(chunks) != len(vectors):
            raise ValueError(f"{len(chunks)} chunks and {len(vectors)} vectors")
        self.used.chunks.update({chunk.id: chunk for chunk in chunks})
        self.used.vectors.update({chunk.id: vector for chunk, vector in zip(chunks, vectors, strict=True)})

    async def refresh(self, chunks: Sequence[Chunk]) -> None:
        self.used.chunks.update({chunk.id: chunk for chunk in chunks if chunk.id in self.used.chunks})

    async def chunks(self, document: str) -> Sequence[Chunk]:
        found = [chunk for chunk in self.used.chunks.values() if chunk.document == document]
        return sorted(found, key=lambda chunk: chunk.start)

    async def vectors(self, texts: Sequence[str]) -> Mapping[str, Vectors]:
        chunks = self.used.chunks.values()
        return {c.embedded_text: self.used.vectors[c.id] for c in chunks if c.embedded_text in texts}

    async def delete_chunks(self, ids: Sequence[str]) -> None:
        for identifier in ids:
            self.used.chunks.pop(identifier, None)
            self.used.vectors.pop(identifier, None)
        self.used.touch()

    async def query(self, vector: Vectors, *, limit: int, filters: Filters | None = None) -> Sequence[Match]:
        admitted = [c for c in self.used.chunks.values() if admits(filters or {}, c.metadata)]
        return self._nearest(admitted, vector, limit)

    async def containing(self, text: str, vector: Vectors, *, limit: int) -> Sequence[Match]:
        return self._nearest([c for c in self.used.chunks.values() if text in c.text], vector, limit)

    def _nearest(self, chunks: Sequence[Chunk], vector: Vectors, limit: int) -> Sequence[Match]:
        matches = [Match(chunk, max(0.0, 1 - float(self.used.vectors[chunk.id] @ vector))) for chunk in chunks]
        return sorted(matches, key=lambda match: match.distance)[:limit]

    async def count(self) -> int:
        return len(self.used.chunks)

    async def sample(self) -> Vectors:
        vectors = np.array(list(self.used.vectors.values()), np.float32)
        return vectors[:: len(vectors) // SAMPLED + 1]

    async def version(self) -> str:
        return self.used.version

    async def chunk_counts(self) -> Mapping[str, int]:
        return Counter(chunk.document for chunk in self.used.chunks.values())

    async def put_records(self, records: Sequence[DocumentRecord]) -> None:
        self.used.touch()
        self.used.records.update({record.name: record for record in records})

    async def record(self, document: str) -> DocumentRecord | None:
        return self.used.records.get(document)

    async def records(self) -> Sequence[DocumentRecord]:
        return sorted(self.used.records.values(), key=lambda record: record.name)

    async def delete_records(self, documents: Sequence[str]) -> None:
        self.used.touch()
        for document in documents:
            self.used.records.pop(document, None)

    async def rebuild(self) -> InMemoryIndex:
        self._keep_what_is_used()
        rebuilt = InMemoryIndex(self.model, self.generations)
        rebuilt._used = Generation(self.model, published=False)
        self.generations.append(rebuilt._used)
        return rebuilt

    async def publish(self) -> None:
        self.used.published = True
        self._keep_what_is_used()

    def _keep_what_is_used(self) -> None:
        """The latest of this model, and the latest of another."""
        latest = {generation.model == self.model: generation for generation in self.generations if generation.published}
        self.generations[:] = [generation for generation in self.generations if generation in latest.values()]

    async def ping(self) -> None:
        await self.count()

    async def close(self) -> None:
        pass
