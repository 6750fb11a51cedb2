"""The adapters under test. One more adapter of a port is one more fixture that opens it, named in the params there.

The Cosmos DB adapter runs against the emulator of this repository, or against the account that COSMOS_TEST_ENDPOINT
and COSMOS_TEST_KEY name; the Service Bus adapter likewise, see `servicebus.py`; for Blob
Storage and Chroma see `servers.py`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from azure.cosmos.aio import CosmosClient

from emulators.cosmos.auth import EMULATOR_KEY
from emulators.cosmos.server import CosmosEmulator
from shared.cosmos import Cosmos
from shared.escalation.queue import TicketQueue
from shared.escalation.sqlite import SqliteTicketQueue
from shared.knowledge import cosmos as knowledge_cosmos
from shared.knowledge import cosmos_schema as knowledge_schema
from shared.knowledge.cosmos import CosmosVectorIndex
from shared.knowledge.index import VectorIndex
from shared.memory import cosmos_schema
from shared.memory.cosmos import CosmosConversationStore
from shared.memory.sqlite import SqliteConversationStore
from shared.memory.store import ConversationStore
from tests.contract.push import (  # noqa: F401
    channel,
    hub_connection,
    laptop_hub,
    running_webpubsub,
    webpubsub,
)
from tests.contract.servers import (  # noqa: F401
    azurite,
    blob_account,
    blob_connection,
    chroma_server,
    running_chroma,
)
from tests.contract.servicebus import (  # noqa: F401
    kept_queues,
    running_servicebus,
    servicebus,
    servicebus_queue,
)

PORTS = {
    "ConversationStore": ("sqlite_store", "cosmos_store"),
    "TicketQueue": ("sqlite_queue", "servicebus_queue"),
    "DocumentStore": ("folder", "blobs"),
    "TranscriptStore": ("folder_transcripts", "blob_transcripts"),
    "PushChannel": ("laptop_hub", "webpubsub"),
    "VectorIndex": ("embedded_chroma", "served_chroma", "cosmos_index"),
}
"""Each port's adapters, by the fixtures that open them."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many of a port's cases each of its adapters passed."""
    passed = Counter[str]()
    for report in terminalreporter.stats.get("passed", ()):
        if report.when == "call" and "tests/contract/" in report.nodeid:
            passed.update(set(report.nodeid.partition("[")[2].rstrip("]").split("-")))
    counts = {port: [f"{adapter} {passed[adapter]}" for adapter in adapters] for port, adapters in PORTS.items()}
    if any(passed[adapter] for adapters in PORTS.values() for adapter in adapters):
        terminalreporter.section("contracts: cases passed")
        for port, passes in counts.items():
            terminalreporter.line(f"{port}: {', '.join(passes)}")


class Clock:
    """What the adapters take for the present; `sleep` lets time pass for all of them."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


# ---- ConversationStore
@pytest.fixture
def sqlite_store(tmp_path: Path, clock: Clock) -> Callable[[], ConversationStore]:
    return lambda: SqliteConversationStore(tmp_path / "conversations.db", now=clock)


@pytest.fixture(scope="module")
def running_cosmos() -> Iterator[CosmosEmulator]:
    with CosmosEmulator() as emulator:
        yield emulator


@pytest.fixture
def cosmos(running_cosmos: CosmosEmulator, clock: Clock) -> CosmosEmulator:
    """The emulator, without faults, at the test's own time."""
    running_cosmos.reset()
    running_cosmos.storage.clock = lambda: clock().timestamp()
    return running_cosmos


@pytest.fixture
async def cosmos_store(cosmos: CosmosEmulator, clock: Clock) -> AsyncIterator[Callable[[], ConversationStore]]:
    endpoint = os.environ.get("COSMOS_TEST_ENDPOINT", cosmos.url)
    key = os.environ.get("COSMOS_TEST_KEY", EMULATOR_KEY)
    database = f"test-{uuid4().hex}"
    await cosmos_schema.create(endpoint, key, database)
    yield lambda: CosmosConversationStore(Cosmos(endpoint, key, database), retention=timedelta(days=30), now=clock)
    cosmos.server.faults.clear()
    async with CosmosClient(endpoint, key) as client:
        await client.delete_database(database)


# ---- VectorIndex
DIMENSIONS_OF = {"some-model": 4, "other-model": 9, "third-model": 3}


@pytest.fixture
async def cosmos_index(
    cosmos: CosmosEmulator, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[str], VectorIndex]]:
    """Opens the index for a model of `DIMENSIONS_OF`."""
    monkeypatch.setattr(knowledge_cosmos, "GRACE_SECONDS", 0)
    endpoint = os.environ.get("COSMOS_TEST_ENDPOINT", cosmos.url)
    key = os.environ.get("COSMOS_TEST_KEY", EMULATOR_KEY)
    database = f"test-{uuid4().hex}"
    for dimensions in DIMENSIONS_OF.values():
        containers, vectors = knowledge_schema.containers(dimensions), knowledge_schema.vectors(dimensions)
        await cosmos_schema.create(endpoint, key, database, containers, vectors)
    yield lambda model: CosmosVectorIndex(Cosmos(endpoint, key, database), model, DIMENSIONS_OF[model])
    cosmos.server.faults.clear()
    async with CosmosClient(endpoint, key) as client:
        await client.delete_database(database)


@pytest.fixture(params=["sqlite_store", "cosmos_store"])
def new_store(request: pytest.FixtureRequest) -> Callable[[], ConversationStore]:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def open_store(
    new_store: Callable[[], ConversationStore],
) -> AsyncIterator[Callable[[], ConversationStore]]:
    """Opens one more instance on the same data, as another process would."""
    opened = list[ConversationStore]()

    def open_one() -> ConversationStore:
        opened.append(new_store())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def store(open_store: Callable[[], ConversationStore]) -> ConversationStore:
    return open_store()


# ---- TicketQueue: a lock of 5 s, 3 deliveries, 20 s of duplicate detection
@pytest_asyncio.fixture(loop_scope="module")
async def sqlite_queue(tmp_path: Path, clock: Clock) -> AsyncIterator[Callable[[], TicketQueue]]:
    opened = list[SqliteTicketQueue]()

    def open_one() -> TicketQueue:
        opened.append(
            SqliteTicketQueue(
                tmp_path / "queues.db", lock_seconds=5, max_delivery_count=3, duplicate_window_seconds=20, now=clock
            )
        )
        return opened[-1]

    yield open_one
    for queue in opened:
        await queue.close()


@pytest.fixture(params=["sqlite_queue", "servicebus_queue"])
def open_queue(request: pytest.FixtureRequest) -> Callable[[], TicketQueue]:
    """Opens one more instance on the same data, as another process would."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def queue(open_queue: Callable[[], TicketQueue]) -> TicketQueue:
    return open_queue()
