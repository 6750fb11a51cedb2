"""The adapters under test. One more adapter of a port is one more fixture that opens it, named in the params there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.escalation.queue import TicketQueue
from shared.escalation.sqlite import SqliteTicketQueue
from shared.memory.sqlite import SqliteConversationStore
from shared.memory.store import ConversationStore


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


@pytest.fixture(params=["sqlite_store"])
async def open_store(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], ConversationStore]]:
    """Opens one more instance on the same data, as another process would."""
    new, opened = request.getfixturevalue(request.param), list[ConversationStore]()

    def open_one() -> ConversationStore:
        opened.append(new())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def store(open_store: Callable[[], ConversationStore]) -> ConversationStore:
    return open_store()


# ---- TicketQueue: a lock of 5 s, 3 deliveries, 20 s of duplicate detection
@pytest.fixture
def sqlite_queue(tmp_path: Path, clock: Clock) -> Callable[[], TicketQueue]:
    return lambda: SqliteTicketQueue(
        tmp_path / "queues.db", lock_seconds=5, max_delivery_count=3, duplicate_window_seconds=20, now=clock
    )


@pytest.fixture(params=["sqlite_queue"])
async def open_queue(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], TicketQueue]]:
    """Opens one more instance on the same data, as another process would."""
    new, opened = request.getfixturevalue(request.param), list[TicketQueue]()

    def open_one() -> TicketQueue:
        opened.append(new())
        return opened[-1]

    yield open_one
    for queue in opened:
        await queue.close()


@pytest.fixture
def queue(open_queue: Callable[[], TicketQueue]) -> TicketQueue:
    return open_queue()
