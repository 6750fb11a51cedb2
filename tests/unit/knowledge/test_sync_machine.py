"""Whatever happens to documents, events and processes: after a reconciliation the index is what the documents are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.errors import NotFound
from shared.knowledge import steps
from shared.knowledge.chunking import Chunker
from shared.knowledge.documents import DocumentInfo
from shared.knowledge.index import Chunk
from shared.knowledge.ingestion import IngestionService
from shared.knowledge.parsing import DocumentParser
from shared.knowledge.retrieval import Retriever
from tests.fakes import Generation, HashEmbedder, InMemoryIndex

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT = 5_000
NAMES = ["a.md", "help/a.md", "notes.txt"]


def section(name: str) -> str:
    return f"## {name}\n\n" + " ".join(f"{name.lower()}{n}" for n in range(150))


# Texts share sections, so that passages move, stay and are found again; the last three cannot be indexed.
TEXTS = [
    *("# Guide\n\n" + "\n\n".join(map(section, names)) for names in (["One"], ["Two", "One"], ["Three", "One", "Two"])),
    "---\nproduct: Solo\n---\n# Guide\n\n" + section("One"),
    section("Two") + "\n\n" + section("Two"),
    "",
    "\0\1",
    "x" * (LIMIT + 1),
]


class Documents:
    """A `DocumentStore` in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, tuple[bytes, str]] = {}
        self._writes = 0

    async def list(self) -> AsyncIterator[DocumentInfo]:
        for name in list(self.stored):
            yield await self.info(name)

    async def info(self, name: str) -> DocumentInfo:
        if name not in self.stored:
            raise NotFound(name)
        data, etag = self.stored[name]
        return DocumentInfo(name, len(data), NOW, etag)

    async def read(self, name: str, *, max_bytes: int) -> bytes:
        if name not in self.stored:
            raise NotFound(name)
        return self.stored[name][0]

    def put(self, name: str, data: bytes) -> str:
        self._writes += 1
        self.stored[name] = data, f"etag-{self._writes}"
        return self.stored[name][1]


CALLS = st.none() | st.integers(3, 16)
"""After how many a process ends. Each call to the index counts twice: before and after it had its effect."""


class Killed(Exception):
    """The process has ended: nothing it still tries has an effect."""


class Process:
    """Ends at one of the calls to an index, either before or after that call has had its effect."""

    def __init__(self) -> None:
        self.calls_left: int | None = None

    def guard(self, index: Any) -> Any:
        return _Guarded(self, index)

    @property
    def dead(self) -> bool:
        return self.calls_left == 0

    def count(self) -> None:
        if self.calls_left:
            self.calls_left -= 1
        if self.dead:
            raise Killed


class _Guarded:
    def __init__(self, process: Process, index: Any) -> None:
        self._process = process
        self._index = index

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._process.count()
            result = await getattr(self._index, name)(*args, **kwargs)
            self._process.count()
            return self._process.guard(result) if name == "rebuild" else result

        return call


class SyncMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        # Some documents share a step, others need several.
        self.steps = patch.multiple(steps, CHUNKS=2, DOCUMENTS=2)
        self.steps.start()
        self.embedder = HashEmbedder()
        self.parser = DocumentParser(timeout=5, memory_mb=64, max_bytes=LIMIT)
        self.documents = Documents()
        self.generations: list[Generation] = []
        self.seen: dict[str, dict[str, Chunk]] = {}
        self.truth: dict[str, str] = {}
        self.events: list[tuple[str, bytes | None, str]] = []
        self._start()

    def _start(self) -> None:
        self.process = Process()
        self.index = InMemoryIndex(self.embedder.fingerprint, self.generations)
        self.service = self._service(self.process.guard(self.index))

    def _service(self, index: Any) -> IngestionService:
        return IngestionService(
            documents=self.documents,
            parser=self.parser,
            chunker=Chunker(self.embedder),
            embedder=self.embedder,
            index=index,
            max_bytes=LIMIT,
            now=lambda: NOW,
        )

    def _run(self, work: Awaitable[object], calls: int | None) -> bool:
        """False if the process ended, after that many `calls`; then another is started."""
        self.process.calls_left = calls

        async def until_killed() -> None:
            await work

        try:
            self.runner.run(until_killed())
        except Killed:
            assert self.process.dead
        if not self.process.dead:
            return True
        self._start()
        return False

    # ---- what the content team does

    @rule(name=st.sampled_from(NAMES), text=st.sampled_from(TEXTS))
    def write(self, name: str, text: str) -> None:
        etag = self.documents.put(name, text.encode())
        self.truth[name] = text
        self.events.append((name, text.encode(), etag))

    @precondition(lambda self: self.truth)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.truth)))
        del self.truth[name], self.documents.stored[name]
        self.events.append((name, None, ""))

    @precondition(lambda self: self.truth)
    @rule(data=st.data(), new=st.sampled_from(NAMES))
    def rename(self, data: st.DataObject, new: str) -> None:
        old = data.draw(st.sampled_from(sorted(self.truth)))
        if old != new:
            self.write(new, self.truth[old])
            del self.truth[old], self.documents.stored[old]
            self.events.append((old, None, ""))

    # ---- what the platform does

    @precondition(lambda self: self.events)
    @rule(data=st.data(), again=st.booleans(), calls=CALLS)
    def deliver(self, data: st.DataObject, again: bool, calls: int | None) -> None:
        """Any event, however old; it may come once more. Others may never come."""
        event = data.draw(st.sampled_from(self.events))
        if not again:
            self.events.remove(event)
        name, content, etag = event
        work = self.service.forget(name) if content is None else self.service.ingest(name, content, etag=etag)
        self._run(work, calls)

    @rule()
    def restart(self) -> None:
        self._start()

    @rule(calls=CALLS)
    def rebuild(self, calls: int | None) -> None:
        if self._run(self.service.rebuild(), calls):
            self._check()

    @rule()
    def reconcile(self) -> None:
        self._run(self.service.reconcile(), None)
        self._check()

    @rule(calls=CALLS)
    def reconcile_and_end(self, calls: int | None) -> None:
        self._run(self.service.reconcile(), calls)

    # ---- what holds

    @invariant()
    def every_chunk_has_a_record(self) -> None:
        for generation in self.generations:
            assert {chunk.document for chunk in generation.chunks.values()} <= generation.records.keys()
            assert generation.chunks.keys() == generation.vectors.keys()

    @invariant()
    def no_finished_document_lacks_a_chunk(self) -> None:
        for generation in self.generations:
            counts = Counter(chunk.document for chunk in generation.chunks.values())
            for record in generation.records.values():
                assert not record.content_hash or record.chunks == counts[record.name]

    @invariant()
    def what_changed_has_another_version(self) -> None:
        """Unless the change was cut short; then another one will follow."""
        for generation in self.generations:
            if all(record.content_hash for record in generation.records.values()):
                contents = dict(generation.chunks)
                assert self.seen.setdefault(generation.version, contents) == contents

    def _check(self) -> None:
        self.process.calls_left = None
        clean = InMemoryIndex(self.embedder.fingerprint)
        self.runner.run(self._service(clean).reconcile())
        found, expected = self.index.used, clean.used
        assert found.records == expected.records
        assert found.records.keys() == self.truth.keys()
        assert found.chunks == expected.chunks
        for identifier, chunk in found.chunks.items():
            assert np.array_equal(found.vectors[identifier], self.embedder.embed_documents([chunk.embedded_text])[0])
        assert self.runner.run(self.service.reconcile()).unchanged == len(self.truth)
        for word in ("One", "Two", "Three"):
            passages = self.runner.run(Retriever(self.embedder, self.index).retrieve(f"What is {word.lower()}7?"))
            for passage in passages:
                assert passage.chunk.text in self.truth[passage.chunk.document]

    def teardown(self) -> None:
        self.steps.stop()
        self.runner.close()


SyncMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSync = SyncMachine.TestCase
