"""The listener, and the hand that gives the broker's messages to those who wait for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from emulators.faults import Faults
from emulators.servicebus.auth import EMULATOR_KEY, connection_string
from emulators.servicebus.broker import Broker, QueueOptions
from emulators.servicebus.connection import Connection
from emulators.servicebus.faults import Fault
from emulators.servicebus.links import OutgoingLink
from emulators.threads import ThreadedServer

TICK = 0.05
"""Seconds between two looks at the clock."""


class Server:
    """`opened` counts the links that were attached to each address."""

    def __init__(self, broker: Broker, key: str = EMULATOR_KEY) -> None:
        self.broker = broker
        self.key = key
        self.token: str | None = None
        """One of Microsoft Entra ID that is taken in place of a signature."""
        self.faults = Faults[Fault]()
        self.opened = Counter[str]()
        self.consumers: list[OutgoingLink] = []
        self.connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, host: str, port: int) -> int:
        """Listen until `stop`. Returns the port, which is chosen if `port` is 0."""
        self._listener = await asyncio.start_server(self._accept, host, port)
        self._tasks.add(asyncio.create_task(self._tick()))
        return self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.broker.close()

    def cut(self) -> None:
        """Break every connection."""
        for connection in list(self.connections):
            connection.abort()

    def deliver(self) -> None:
        """Hand messages to the consumers that wait for some, one to each in turn."""
        waiting = [link for link in self.consumers if link.ready]
        while waiting:
            waiting = [link for link in waiting if link.ready and self._deliver(link)]

    def _deliver(self, link: OutgoingLink) -> bool:
        stored = self.broker.lock_next(link.address)
        if stored is None:
            return False
        fault = self.faults.take(lambda fault: fault.befalls("deliver", link.address))
        if fault and fault.cut:
            link.session.connection.abort()
            return False
        link.deliver(stored, self.broker.clock())
        return True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task, connection = asyncio.current_task(), Connection(self, reader, writer)
        assert task is not None  # noqa: S101
        self._tasks.add(task)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
            self._tasks.discard(task)

    async def _tick(self) -> None:
        """Time passes without a frame: locks run out, scheduled messages become due."""
        while True:
            await asyncio.sleep(TICK)
            self.deliver()


class ServiceBusEmulator(ThreadedServer):
    """In memory, on a thread of its own: `with ServiceBusEmulator(queues) as bus: … bus.connection_string`."""

    def __init__(self, queues: Mapping[str, QueueOptions]) -> None:
        super().__init__("servicebus-emulator")
        self.server = Server(Broker(queues))
        self.connection_string = ""

    @property
    def broker(self) -> Broker:
        return self.server.broker

    @property
    def faults(self) -> Faults[Fault]:
        return self.server.faults

    async def _start(self) -> None:
        port = await self.server.serve("127.0.0.1", 0)
        self.connection_string = connection_string("127.0.0.1", port, self.server.key)

    async def _stop(self) -> None:
        await self.server.stop()

    def run[T](self, work: Callable[[], T]) -> T:
        """Do something to the server or its broker, on its own thread."""

        async def there() -> T:
            return work()

        return self._there(there())

    def reset(self) -> None:
        """Forget messages, faults and what was counted."""
        self.faults.clear()
        self.run(self.broker.clear)
        self.server.opened.clear()
