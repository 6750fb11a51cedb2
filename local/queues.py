"""Service Bus's part: takes messages from a `TicketQueue` and fires the queue triggers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial

from local.runtime import Function, InvocationFailed, Message, Runtime, as_json, binary, text
from shared.errors import Conflict, SupportAgentError
from shared.escalation.queue import ReceivedMessage, TicketQueue

logger = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two looks at a queue that is empty, or of which no more may be taken."""


class QueuePump:
    """Serves one queue function: success completes a message, failure gives it back.

    The queue itself sets a message aside that was delivered too often, as Service Bus does.
    """

    def __init__(self, runtime: Runtime, function: Function, queue: TicketQueue) -> None:
        self._runtime = runtime
        self._function = function
        self._queue = queue
        self._deliveries: set[asyncio.Task[None]] = set()
        self._invocations: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled; messages in hand are then given back."""
        try:
            while True:
                if not await self._take():
                    await asyncio.sleep(INTERVAL)
        finally:
            # Only the functions are cut off: what becomes of their messages must still reach the queue.
            for invocation in self._invocations:
                invocation.cancel()
            await asyncio.gather(*self._deliveries)

    async def _take(self) -> bool:
        """Start on as many messages as may run at once. False if there are none, or none may."""
        name = self._function.trigger["queueName"]
        free = self._runtime.host.queue_parallelism - len(self._deliveries)
        try:
            received = await self._queue.receive(name, limit=free) if free else ()
        except SupportAgentError as error:
            logger.warning("the queue %s cannot be read: %s", name, error)
            return False
        for message in received:
            delivery = asyncio.create_task(self._deliver(message))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)
        return bool(received)

    async def _deliver(self, received: ReceivedMessage) -> None:
        invocation = asyncio.create_task(
            self._runtime.invoke(self._function, body_of(received), message_metadata(received))
        )
        self._invocations.add(invocation)
        invocation.add_done_callback(self._invocations.discard)
        settle = partial(self._queue.abandon, received)
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await invocation
                settle = partial(self._queue.complete, received)
            except InvocationFailed as failed:
                settle = partial(self._queue.abandon, received, problem=failed.problem)
        try:
            await settle()
        except Conflict:
            pass  # The lock ran out: the message is delivered again, as it would be by Service Bus.
        except SupportAgentError as error:
            logger.warning("message %s could not be settled: %s", received.message.id, error)


def body_of(received: ReceivedMessage) -> Message:
    """Text where it is text, as the host hands it over."""
    try:
        return text(received.message.body.decode())
    except UnicodeDecodeError:
        return binary(received.message.body)


def message_metadata(received: ReceivedMessage) -> dict[str, Message]:
    """The trigger metadata that the host adds to a Service Bus message."""
    message = received.message
    properties = as_json(dict(message.properties))
    fields = {
        "MessageId": text(message.id),
        "ContentType": text(message.content_type),
        "DeliveryCount": as_json(received.delivery_count),
        "SequenceNumber": as_json(received.sequence_number),
        "EnqueuedTimeUtc": as_json(received.enqueued_at.isoformat()),
        "LockedUntil": as_json(received.locked_until.isoformat()),
        "LockToken": text(received.lock_token),
        "ApplicationProperties": properties,
        "UserProperties": properties,
    }
    if message.subject is not None:
        fields |= {"Subject": text(message.subject), "Label": text(message.subject)}
    if message.correlation_id is not None:
        fields["CorrelationId"] = text(message.correlation_id)
    return fields
