"""A Chroma server behind a network that fails, and one that is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emulators import processes
from emulators.http_proxy import Fault, FaultyProxy
from shared.errors import Unavailable
from shared.knowledge import chroma, chroma_server
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.chroma_server import ChromaServer
from shared.knowledge.index import Chunk

VECTOR = np.array([1, 0, 0], dtype=np.float32)
CHUNK = Chunk("c1", "faq.md", "v1", "A passage.", "FAQ", 0, 10)


@pytest.fixture
def proxy(running_chroma: str) -> Iterator[FaultyProxy]:
    with FaultyProxy(running_chroma) as running:
        yield running


@pytest.fixture
def behind(proxy: FaultyProxy, chroma_server: ChromaServer) -> ChromaServer:
    return replace(chroma_server, url=proxy.url)


@pytest.fixture
async def index(behind: ChromaServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChromaIndex]:
    monkeypatch.setattr(chroma, "PAUSES", (0.0, 0.0))
    index = ChromaIndex(behind, "some-model")
    yield index
    await index.close()


async def store(index: ChromaIndex) -> None:
    await index.upsert([CHUNK], np.stack([VECTOR]))


@pytest.mark.parametrize("applied", [False, True])
async def test_a_cut_line_is_not_noticed(index: ChromaIndex, proxy: FaultyProxy, applied: bool) -> None:
    fault = Fault(cut=True, applied=applied)
    proxy.faults.add(fault)
    await store(index)
    proxy.faults.add(fault)
    await store(index)
    proxy.faults.add(fault)
    assert await index.count() == 1
    proxy.faults.add(fault)
    assert [match.chunk for match in await index.query(VECTOR, limit=5)] == [CHUNK]
    before = await index.version()
    proxy.faults.add(fault)
    await index.delete_chunks([CHUNK.id])
    assert await index.count() == 0
    assert await index.version() != before
    rebuilt = await index.rebuild()
    proxy.faults.add(fault)
    await rebuilt.publish()
    assert not proxy.faults.clear()


@pytest.mark.parametrize(
    "fault", [Fault(cut=True), Fault(status=503), Fault(status=502, applied=True), Fault(status=404)], ids=str
)
async def test_what_lasts_is_unavailable_and_over_afterwards(
    index: ChromaIndex, proxy: FaultyProxy, fault: Fault
) -> None:
    await store(index)
    proxy.faults.add(replace(fault, times=1000))
    for call in (index.query(VECTOR, limit=5), store(index), index.version(), index.ping()):
        with pytest.raises(Unavailable):
            await call
    proxy.faults.clear()
    assert [match.chunk for match in await index.query(VECTOR, limit=5)] == [CHUNK]


async def test_nobody_waits_for_ever(
    index: ChromaIndex, behind: ChromaServer, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma_server, "TIMEOUT", dict.fromkeys(chroma_server.TIMEOUT, 0.5))
    await store(index)
    proxy.faults.add(Fault(delay=60, times=1000))
    with pytest.raises(Unavailable):
        await index.query(VECTOR, limit=5)
    with pytest.raises(Unavailable):
        await ChromaIndex(behind, "some-model").ping()  # nor does one that has never answered


async def test_a_database_that_is_not_there_says_how_to_make_it(chroma_server: ChromaServer) -> None:
    missing = replace(chroma_server, database="nowhere")
    with pytest.raises(Unavailable, match=r"tests/nowhere.*create_stores"):
        await ChromaIndex(missing, "some-model").ping()
    await missing.create()
    await missing.create()
    await ChromaIndex(missing, "some-model").ping()


async def test_a_server_that_is_killed_goes_on_with_what_it_had(tmp_path: Path) -> None:
    with processes.chroma(tmp_path) as server:
        index = ChromaIndex(
            ChromaServer(f"http://127.0.0.1:{server.port}", "default_tenant", "default_database"), "some-model"
        )
        await store(index)
        server.kill()
        with pytest.raises(Unavailable):
            await index.query(VECTOR, limit=5)
        server.start()
        assert [match.chunk for match in await index.query(VECTOR, limit=5)] == [CHUNK]
        await index.close()
