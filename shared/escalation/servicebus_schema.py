"""The queues of a Service Bus namespace. See docs/decisions/0010-service-bus-queues.md."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.servicebus import parse_connection_string
from azure.servicebus.aio.management import ServiceBusAdministrationClient

from shared.errors import ConfigurationError, Unavailable
from shared.escalation.queue import QUEUES

LOCK = timedelta(minutes=1)
DELIVERIES = 10
DUPLICATES = timedelta(minutes=10)
"""How long a second message of the same id is dropped. For good: a change needs a new queue."""


async def create(where: str, credential: AsyncTokenCredential | None = None) -> list[str]:
    """Create the queues that are not there; bring lock and deliveries of the others up to date. Returns all names.

    `where` and `credential` as of `ServiceBusTicketQueue`; needs the right to manage, which the app itself has not.
    Raises `ConfigurationError` for a queue that drops no duplicates, which cannot be changed; `Unavailable`.
    """
    try:
        async with _client(where, credential) as client:
            for name in QUEUES:
                await _make(client, name)
    except AzureError as error:
        raise Unavailable("The queues could not be made: may this account manage the namespace?") from error
    return list(QUEUES)


def is_emulator(connection_string: str) -> bool:
    """Emulators are given their queues when they start, and have no administration."""
    return "usedevelopmentemulator=true" in connection_string.lower().replace(" ", "")


def _client(where: str, credential: AsyncTokenCredential | None) -> Any:
    if credential is not None:
        return ServiceBusAdministrationClient(where, credential)
    try:
        parse_connection_string(where)
    except ValueError:
        raise ConfigurationError("SERVICE_BUS: this is no connection string of a namespace.") from None
    return ServiceBusAdministrationClient.from_connection_string(where)


async def _make(client: Any, name: str) -> None:
    try:
        await client.create_queue(
            name,
            lock_duration=LOCK,
            max_delivery_count=DELIVERIES,
            requires_duplicate_detection=True,
            duplicate_detection_history_time_window=DUPLICATES,
        )
    except ResourceExistsError:
        queue = await client.get_queue(name)
        if not queue.requires_duplicate_detection:
            raise ConfigurationError(
                f"The queue {name} drops no duplicates, and that cannot be changed: delete it, and run this again."
            ) from None
        if (queue.lock_duration, queue.max_delivery_count) != (LOCK, DELIVERIES):
            queue.lock_duration, queue.max_delivery_count = LOCK, DELIVERIES
            await client.update_queue(queue)
