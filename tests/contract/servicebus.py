"""Fixtures of the Service Bus adapter, which runs against the emulator of this repository or, where
SERVICEBUS_TEST_CONNECTION names one, against a namespace: its queues are deleted and made anew for every test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceNotFoundError
from azure.servicebus.aio.management import ServiceBusAdministrationClient

from emulators.servicebus.broker import QueueOptions
from emulators.servicebus.server import ServiceBusEmulator
from shared.escalation.queue import QUEUES, TicketQueue
from shared.escalation.servicebus import ServiceBusTicketQueue

NAMESPACE = os.environ.get("SERVICEBUS_TEST_CONNECTION")
OPTIONS = QueueOptions(lock_seconds=5, max_delivery_count=3, duplicate_window_seconds=20)
SLACK = timedelta(seconds=10 if NAMESPACE else 0)
"""Between the clock of a test and that of the queues."""
FUTURE = datetime(2100, 1, 1, 12, tzinfo=UTC)
"""The SDK gives up locks that have run out by its own clock; where a test decides what time it is, none has."""


class RealClock:
    """For a namespace, which takes no orders about the time."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 30))


class _Kept(ServiceBusTicketQueue):
    closed = False

    def __init__(self, where: str) -> None:
        super().__init__(where, wait_seconds=1 if NAMESPACE else 0.1, now=self._time)
        self.clock: Callable[[], datetime] = RealClock()

    def _time(self) -> datetime:
        return self.clock()

    async def close(self) -> None:
        self.closed = True
        await super().close()


@pytest.fixture(scope="module")
def running_servicebus() -> Iterator[ServiceBusEmulator]:
    with ServiceBusEmulator(dict.fromkeys(QUEUES, OPTIONS)) as emulator:
        yield emulator


@pytest.fixture
def servicebus(running_servicebus: ServiceBusEmulator, clock: Callable[[], datetime]) -> ServiceBusEmulator:
    """The emulator, empty and without faults, at the test's own time."""
    running_servicebus.reset()
    running_servicebus.broker.clock = lambda: clock().timestamp()
    return running_servicebus


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept_queues() -> AsyncIterator[list[_Kept]]:
    """At most one, which goes from test to test: each sender or receiver takes half a second to open."""
    kept = list[_Kept]()
    yield kept
    for queue in kept:
        await queue.close()


@pytest_asyncio.fixture(loop_scope="module")
async def servicebus_queue(
    servicebus: ServiceBusEmulator, kept_queues: list[_Kept], clock: Callable[[], datetime]
) -> AsyncIterator[Callable[[], TicketQueue]]:
    if NAMESPACE:
        await _make_queues(NAMESPACE)
    opened = list[_Kept]()

    def open_one() -> TicketQueue:
        opened.append(kept_queues.pop() if kept_queues else _Kept(NAMESPACE or servicebus.connection_string))
        opened[-1].clock = clock
        return opened[-1]

    yield open_one
    for queue in opened:
        if kept_queues or queue.closed or NAMESPACE:
            await queue.close()
        else:
            kept_queues.append(queue)


async def _make_queues(connection_string: str) -> None:
    async with ServiceBusAdministrationClient.from_connection_string(connection_string) as client:
        for name in QUEUES:
            with contextlib.suppress(ResourceNotFoundError):
                await client.delete_queue(name)
            await client.create_queue(
                name,
                lock_duration=timedelta(seconds=OPTIONS.lock_seconds),
                max_delivery_count=OPTIONS.max_delivery_count,
                requires_duplicate_detection=True,
                duplicate_detection_history_time_window=timedelta(seconds=OPTIONS.duplicate_window_seconds),
            )
