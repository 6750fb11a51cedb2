"""What the index in Cosmos DB does beside the contract: what a call costs, where things lie, and what faults do."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from emulators.cosmos.faults import WRITES, Fault
from emulators.cosmos.server import CosmosEmulator
from emulators.faults import Faults
from shared import cosmos as cosmos_client
from shared.errors import Unavailable
from shared.knowledge import cosmos as knowledge_cosmos
from shared.knowledge.index import Chunk, VectorIndex
from tests.contract.test_vector_index import MODEL, axis, chunk, holds, record

pytestmark = pytest.mark.skipif("COSMOS_TEST_ENDPOINT" in os.environ, reason="reads the emulator's log")

FAULTS = {
    "throttled": Fault(status=429, retry_after_ms=5, times=2),
    "cut before": Fault(cut=True),
    "cut after": Fault(cut=True, applied=True),
    "failed before": Fault(WRITES, status=500),
    "failed after": Fault(WRITES, status=503, applied=True),
    "to be repeated": Fault(WRITES, status=449),
}
MOST_REQUESTS = 25
"""No story below has as many."""


@pytest.fixture
async def open_index(cosmos_index: Callable[[str], VectorIndex]) -> AsyncIterator[Callable[[], VectorIndex]]:
    opened: list[VectorIndex] = []

    def open_one() -> VectorIndex:
        opened.append(cosmos_index(MODEL))
        return opened[-1]

    yield open_one
    for index in opened:
        await index.close()


@pytest.fixture
def index(open_index: Callable[[], VectorIndex]) -> VectorIndex:
    return open_index()


async def asked(cosmos: CosmosEmulator, call: Awaitable[object]) -> Counter[str]:
    """The requests of a call on items, by operation and container. Left out is how the SDK learns that it has to merge
    a vector search itself: a query that is refused, and a plan."""
    cosmos.server.requests.clear()
    await call
    counted = [one for one in cosmos.server.requests if one.status < 400 and one.operation not in ("metadata", "plan")]
    return Counter(f"{one.operation} {one.container}" for one in counted)


async def test_what_a_call_costs(index: VectorIndex, cosmos: CosmosEmulator) -> None:
    chunks = [chunk(n) for n in range(60)] + [chunk(n, "other.md") for n in range(60)]
    head, search = {"read records": 1}, {"query chunks-4": 1}
    await index.ping()
    assert await asked(cosmos, index.upsert(chunks, np.stack([axis(n) for n in range(120)]))) == {
        **head,
        "batch chunks-4": 2,  # one for each document
    }
    assert await asked(cosmos, index.put_records([record("faq.md")])) == {**head, "batch records": 1}
    assert await asked(cosmos, index.version()) == head
    assert await asked(cosmos, index.record("faq.md")) == {"read records": 2}
    assert await asked(cosmos, index.query(axis(0), limit=100)) == {**head, **search}
    assert await asked(cosmos, index.query(axis(0), limit=100, filters={"product": "Duo"})) == {**head, **search}
    assert await asked(cosmos, index.containing("E-41", axis(0), limit=9)) == {**head, **search}
    assert await asked(cosmos, index.chunks("faq.md")) == {**head, **search}
    assert await asked(cosmos, index.delete_chunks([one.id for one in chunks[:60]])) == {
        **head,
        **search,
        "batch chunks-4": 1,
        "batch records": 1,
    }


async def test_a_batch_is_no_larger_than_cosmos_takes(
    index: VectorIndex, cosmos: CosmosEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = [chunk(n, text=f"{n}" + "ä" * 100_000) for n in range(30)]
    found = await asked(cosmos, index.upsert(large, np.stack([axis(n) for n in range(30)])))
    assert found["batch chunks-4"] > 1
    assert await index.count() == 30
    monkeypatch.setattr(knowledge_cosmos, "CLEARED_AT_ONCE", 7)
    await (await index.rebuild()).publish()
    assert await holds(index) == ([], [])


async def test_vectors_come_back_bit_by_bit(index: VectorIndex) -> None:
    vector = np.random.default_rng(7).standard_normal(4).astype(np.float32)
    await index.upsert([chunk(1)], np.stack([vector]))
    found = await index.vectors([chunk(1).embedded_text])
    assert found[chunk(1).embedded_text].tobytes() == vector.tobytes()


async def test_vectors_of_another_length_are_refused(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match="9 dimensions, and not 4"):
        await index.upsert([chunk(1)], np.ones((1, 9), dtype=np.float32))


async def test_any_name_will_do(index: VectorIndex) -> None:
    names = ["a/b?#.md", "ü" * 700, "\\ ", "尺寸.md"]
    for n, name in enumerate(names):
        await index.upsert([chunk(n, name)], np.stack([axis(n)]))
    await index.put_records([record(name) for name in names])
    for n, name in enumerate(names):
        assert list(await index.chunks(name)) == [chunk(n, name)]
        assert await index.record(name) == record(name)
    await index.delete_chunks([chunk(n, name).id for n, name in enumerate(names)])
    await index.delete_records(names)
    assert await holds(index) == ([], [])


async def test_nothing_is_left_of_what_was_replaced(index: VectorIndex, cosmos: CosmosEmulator) -> None:
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    await index.put_records([record("faq.md")])
    await index.rebuild()
    rebuilt = await index.rebuild()
    await rebuilt.upsert([chunk(2)], np.stack([axis(0)]))
    await rebuilt.publish()
    found = await rebuilt.query(axis(0), limit=9)
    assert [match.chunk for match in found] == [chunk(2)]
    storage = cosmos.storage
    items = {
        container["id"]: list(storage.items(container))
        for database in storage.databases()
        for container in storage.containers(database["id"])
    }
    assert [item["generation"] for item in items["chunks-4"]] == ["g3"]
    assert [list(item["generations"]) for item in items["records"]] == [["g3"]]


async def test_a_publication_that_is_cut_short_counts(
    index: VectorIndex, open_index: Callable[[], VectorIndex], cosmos: CosmosEmulator
) -> None:
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    rebuilt = await index.rebuild()
    await rebuilt.upsert([chunk(2)], np.stack([axis(0)]))
    cosmos.server.faults.add(Fault(["query"], status=500, times=99))  # it looks for what is to be removed
    with pytest.raises(Unavailable):
        await rebuilt.publish()
    cosmos.server.faults.clear()
    assert await holds(open_index()) == await holds(index) == (["faq.md-2"], [])
    await (await index.rebuild()).publish()
    assert await holds(rebuilt) == ([], [])


# ---- faults
@dataclass
class Fate:
    """The fault befalls what is done within, and not what is checked later."""

    faults: Faults[Fault]
    fault: Fault
    happened: bool = False

    def __enter__(self) -> None:
        self.faults.add(self.fault)

    def __exit__(self, *_: object) -> None:
        self.happened = not self.faults.clear()


type Story = Callable[[VectorIndex, Fate], Awaitable[None]]


async def upserting(index: VectorIndex, fate: Fate) -> None:
    with fate:
        await index.upsert([chunk(1), chunk(2, "other.md")], np.stack([axis(0), axis(1)]))
    assert (await holds(index))[0] == ["faq.md-1", "other.md-2"]


async def searching(index: VectorIndex, fate: Fate) -> None:
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    with fate:
        found = await index.query(axis(0), limit=5)
    assert [match.chunk for match in found] == [chunk(1)]


async def refreshing(index: VectorIndex, fate: Fate) -> None:
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    moved: Chunk = replace(chunk(1, product="Duo"), version="v2", start=7)
    with fate:
        await index.refresh([moved])
    assert [match.chunk for match in await index.query(axis(0), limit=5)] == [moved]


async def deleting(index: VectorIndex, fate: Fate) -> None:
    await index.upsert([chunk(1), chunk(2)], np.stack([axis(0), axis(1)]))
    before = await index.version()
    with fate:
        await index.delete_chunks(["faq.md-1", "never-there"])
    assert [one.id for one in await index.chunks("faq.md")] == ["faq.md-2"]
    assert await index.version() != before


async def recording(index: VectorIndex, fate: Fate) -> None:
    before = await index.version()
    with fate:
        await index.put_records([record("a.md"), record("b.md")])
        between = await index.version()
        await index.delete_records(["a.md", "never-there.md"])
    assert before != between != await index.version()
    assert list(await index.records()) == [record("b.md")]


async def replacing(index: VectorIndex, fate: Fate) -> None:
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    await index.put_records([record("faq.md")])
    with fate:
        rebuilt = await index.rebuild()
        await rebuilt.publish()
    assert await index.count() == await rebuilt.count() == 0
    assert list(await index.records()) == []


STORIES: list[Story] = [upserting, searching, refreshing, deleting, recording, replacing]


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("tell", STORIES, ids=lambda tell: tell.__name__)
async def test_a_fault_at_any_request_changes_nothing(
    index: VectorIndex, cosmos: CosmosEmulator, tell: Story, name: str
) -> None:
    """Each request of a story fails in turn; what the caller and the index know is as if none had."""
    for skip in range(MOST_REQUESTS):
        await index.delete_chunks(["faq.md-1", "faq.md-2", "other.md-2"])
        await index.delete_records(["a.md", "b.md", "faq.md"])
        fate = Fate(cosmos.server.faults, replace(FAULTS[name], skip=skip))
        await tell(index, fate)
        if not fate.happened:
            assert skip or (tell is searching and fate.fault.operations)  # who only reads fails no write
            return
    pytest.fail("the story never ended")


async def test_throttled_for_long_is_told_with_the_time_to_wait(
    open_index: Callable[[], VectorIndex], cosmos: CosmosEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosmos_client, "THROTTLED_SECONDS", 1)
    index = open_index()
    await index.upsert([chunk(1)], np.stack([axis(0)]))
    cosmos.server.faults.add(Fault(status=429, retry_after_ms=1600, times=99))
    with pytest.raises(Unavailable) as refused:
        await index.query(axis(0), limit=1)
    assert refused.value.retry_after == 2
    cosmos.server.faults.clear()
    assert len(await index.query(axis(0), limit=1)) == 1
