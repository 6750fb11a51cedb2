"""A helpdesk tool as its maker would write it: with the queue's name, CloudEvents, and `azure-servicebus` alone."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from typing import Any

from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

QUEUE = "escalations"
TICKET = "support.ticket.requested.v1"
PAUSE = 0.5
"""Seconds before a broken connection is opened again."""


class Helpdesk:
    """`async with Helpdesk(connection_string) as desk`: receives and completes events for as long."""

    def __init__(self, connection_string: str) -> None:
        self._connection_string = connection_string
        self._running: asyncio.Task[None] | None = None
        self._arrived = asyncio.Condition()
        self.deliveries: Counter[str] = Counter()
        """By event id, how often it came."""
        self.tickets: dict[str, dict[str, Any]] = {}
        """By ticket id, the data of its event."""

    async def __aenter__(self) -> Helpdesk:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._running:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def ticket(self, ticket_id: str, *, seconds: float) -> dict[str, Any]:
        """Its event's data, as soon as it came. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: ticket_id in self.tickets)
        return self.tickets[ticket_id]

    async def _run(self) -> None:
        while True:
            try:
                await self._receive()
            except (ServiceBusError, OSError, ValueError):  # the SDK raises all of these when its server dies
                await asyncio.sleep(PAUSE)

    async def _receive(self) -> None:
        async with (
            ServiceBusClient.from_connection_string(self._connection_string, retry_total=0) as client,
            client.get_queue_receiver(QUEUE) as receiver,
        ):
            while True:
                for message in await receiver.receive_messages(max_message_count=20, max_wait_time=2):
                    event = json.loads(b"".join(message.body))
                    await self._take(event)
                    await receiver.complete_message(message)

    async def _take(self, event: dict[str, Any]) -> None:
        async with self._arrived:
            self.deliveries[event["id"]] += 1
            if event["type"] == TICKET:
                self.tickets[event["data"]["ticket_id"]] = event["data"]
            self._arrived.notify_all()
