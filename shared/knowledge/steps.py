"""Many documents in steps: what is embedded and written together, and how the steps overlap."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.knowledge.embedding import Vectors
from shared.knowledge.index import Chunk, DocumentRecord

CHUNKS = 200
"""Most chunks of a step. A write to Chroma costs some 40 ms however small it is, and 2 ms for each chunk beyond it."""
FIRST = 64
"""Most chunks of the first step, so that some are embedded while the next ones are still read."""
DOCUMENTS = 500
"""Most documents of a step, of which many may need no chunk to be written."""


@dataclass(frozen=True, slots=True)
class Change:
    """All that makes the index follow one document, whose record then is `after` (None: it is forgotten)."""

    name: str
    before: DocumentRecord | None
    after: DocumentRecord | None
    new: Sequence[Chunk] = ()
    moved: Sequence[Chunk] = ()
    vanished: Sequence[Chunk] = ()

    @property
    def touches_chunks(self) -> bool:
        return bool(self.new or self.moved or self.vanished)

    @property
    def writes_record(self) -> bool:
        return self.touches_chunks or self.before != self.after


@dataclass(slots=True)
class Step:
    """A document begins and ends in the same step, unless its new chunks are too many for one.

    `vectors` has shape (len(chunks), dimensions); empty until they are embedded.
    """

    begun: list[Change] = field(default_factory=list[Change])
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    ended: list[Change] = field(default_factory=list[Change])
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def texts(self) -> list[str]:
        return [chunk.embedded_text for chunk in self.chunks]

    @property
    def documents(self) -> set[str]:
        return {change.name for change in (*self.begun, *self.ended)} | {chunk.document for chunk in self.chunks}

    def without(self, documents: set[str]) -> Step:
        kept = [number for number, chunk in enumerate(self.chunks) if chunk.document not in documents]
        return Step(
            [change for change in self.begun if change.name not in documents],
            [self.chunks[number] for number in kept],
            [change for change in self.ended if change.name not in documents],
            self.vectors[kept],
        )


async def in_steps(changes: AsyncIterable[Change | None]) -> AsyncIterator[Step]:
    """The changes in their order, without those that came to nothing."""
    step, most = Step(), min(FIRST, CHUNKS)
    async for change in changes:
        if change is None:
            continue
        step.begun.append(change)
        for chunk in change.new:
            if len(step.chunks) == most:
                yield step
                step, most = Step(), CHUNKS
            step.chunks.append(chunk)
        step.ended.append(change)
        if len(step.ended) == DOCUMENTS:
            yield step
            step = Step()
    if step.ended:
        yield step


async def ahead[S, T](
    work: Callable[[S], Coroutine[Any, Any, T]], source: AsyncIterable[S], *, limit: int
) -> AsyncGenerator[T]:
    """What `work` makes of each item, in order. Up to `limit` items are worked on before they are asked for.

    Closing it cancels them.
    """
    running: deque[asyncio.Task[T]] = deque()
    try:
        async for item in source:
            running.append(asyncio.create_task(work(item)))
            if len(running) > limit:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
