"""`TicketQueue` on Azure Service Bus queues.

Each queue needs duplicate detection; see docs/decisions/0010. A sender or receiver is a connection of its own, which
takes about a second to open, so those that were used stay open. One task uses each at a time: the SDK's are not made
for more. What fails is closed and opened anew by the next call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue, parse_connection_string
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    MessageSizeExceededError,
    ServiceBusServerBusyError,
)

from shared.clock import utc_now
from shared.errors import ConfigurationError, Conflict, NotFound, PayloadTooLarge, SupportAgentError, Unavailable
from shared.escalation.queue import MAX_MESSAGE_BYTES, REQUESTS, DeadLetter, QueueMessage, ReceivedMessage

OPERATION_SECONDS = 6
"""Longest time for one operation, with opening what it needs; in one region it takes about 20 ms once that is open."""
WAIT_SECONDS = 0.5
"""For messages that somebody else may have locked meanwhile."""
SEARCH_SECONDS = 50
"""Longest time for finding a dead letter among others: their locks last 60 s."""
BUSY_SECONDS = 10
"""https://learn.microsoft.com/azure/service-bus-messaging/service-bus-throttling"""
MOST_COUNTED = 500
"""Dead letters. They are counted by looking at them, with all they hold."""
PAGE = 100
MAX_REASON = 4096
"""Characters of a dead letter's reason, and of its description."""
AGAIN = "/replay-"
"""Between a message's id and what makes it another one."""

_End = Literal["sender", "receiver", "dead letters"]
_REASON, _DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"

logger = logging.getLogger(__name__)


class ServiceBusTicketQueue:
    """`where` is a connection string or, with `credential`, a namespace's host name (NAME.servicebus.windows.net). The
    credential stays its owner's to close.

    Who sends needs the right to send, all else the right to listen; nothing needs the right to manage. An instance
    settles only what it has received itself. `now` must be right to a few seconds.

    Raises `ConfigurationError` for a connection string that is none.
    """

    def __init__(
        self,
        where: str,
        credential: AsyncTokenCredential | None = None,
        *,
        operation_seconds: float = OPERATION_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        if credential is None:
            _check(where)
        self._where = where
        self._credential = credential
        self._patience = operation_seconds
        self._wait = wait_seconds
        self._now = now
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: ServiceBusClient | None = None
        self._ends: dict[tuple[_End, str], Any] = {}
        self._locks: dict[tuple[_End, str], asyncio.Lock] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._held: dict[str, tuple[str, Any]] = {}
        """The queue and the SDK's message of each lock token; without it nothing can be settled."""

    async def send(self, queue: str, message: QueueMessage) -> None:
        """Raises `PayloadTooLarge` above 256 KB, `Unavailable`."""
        outgoing = ServiceBusMessage(
            message.body,
            message_id=message.id,
            content_type=message.content_type,
            subject=message.subject,
            correlation_id=message.correlation_id,
            application_properties={**message.properties},
        )
        try:
            async with self._using("sender", queue) as sender:
                await sender.send_messages(outgoing)
        except MessageSizeExceededError as error:
            problem = f"A queue message may have {MAX_MESSAGE_BYTES} bytes; {message.id} has more."
            raise PayloadTooLarge(problem) from error

    async def receive(self, queue: str, *, limit: int = 1) -> Sequence[ReceivedMessage]:
        """Looks first, so that an empty queue answers at once and no more is asked for than there is.

        What is asked for and not there stays asked for: a later message is then locked at once, and comes with the next
        `receive` of this instance. If there is none within 5 s, the SDK gives it back.
        """
        self._forget_expired()
        held = {message.sequence_number for name, message in self._held.values() if name == queue}
        async with self._using("receiver", queue) as receiver:
            there: Sequence[Any] = await receiver.peek_messages(limit + len(held), sequence_number=1)
            wanted = min(limit, sum(message.sequence_number not in held for message in there))
            if not wanted:
                return []
            found: Sequence[Any] = await receiver.receive_messages(wanted, max_wait_time=self._wait)
        fresh = [message for message in found if message.locked_until_utc > self._now()]
        self._held |= {str(message.lock_token): (queue, message) for message in fresh}
        return [_received(message, queue) for message in fresh]

    async def complete(self, received: ReceivedMessage) -> None:
        await self._settle(received, lambda receiver, message: receiver.complete_message(message))

    async def abandon(self, received: ReceivedMessage, *, problem: str = "") -> None:
        """Service Bus keeps no `problem`."""
        del problem
        await self._settle(received, lambda receiver, message: receiver.abandon_message(message))

    async def dead_letter(self, received: ReceivedMessage, *, reason: str, description: str = "") -> None:
        await self._settle(
            received,
            lambda receiver, message: receiver.dead_letter_message(
                message, reason=reason[:MAX_REASON], error_description=description[:MAX_REASON]
            ),
        )

    # ---- dead letters
    async def dead_letters(self, queue: str, *, after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        async with self._using("dead letters", queue) as receiver:
            found: Sequence[Any] = await receiver.peek_messages(limit, sequence_number=after + 1)
        return [_dead_letter(one, queue) for one in found]

    async def count_dead_letters(self, queue: str) -> int:
        """At most `MOST_COUNTED`; the namespace's metric DeadletteredMessages knows of more."""
        count, after = 0, 0
        async with self._using("dead letters", queue) as receiver:
            while count < MOST_COUNTED:
                page: Sequence[Any] = await receiver.peek_messages(PAGE, sequence_number=after + 1)
                if not page:
                    break
                count, after = count + len(page), page[-1].sequence_number
        return count

    async def replay(self, letter: DeadLetter) -> None:
        """Sent first and removed then: what fails between the two is sent again under the same id, and dropped."""
        async with self._taken(letter) as remove:
            base = letter.message.id.partition(AGAIN)[0]
            await self.send(letter.queue, replace(letter.message, id=f"{base}{AGAIN}{letter.sequence_number}"))
            await remove()

    async def discard(self, letter: DeadLetter) -> None:
        async with self._taken(letter) as remove:
            await remove()

    @asynccontextmanager
    async def _taken(self, letter: DeadLetter) -> AsyncGenerator[Callable[[], Coroutine[Any, Any, None]]]:
        """Hold one dead letter; yields what removes it. Raises `NotFound`.

        Service Bus hands out the oldest first: those before it are held meanwhile, and given back.
        """
        number, held = letter.sequence_number, list[Any]()
        try:
            async with self._using("dead letters", letter.queue, seconds=SEARCH_SECONDS) as receiver:
                there: Sequence[Any] = await receiver.peek_messages(1, sequence_number=number)
                if not there or there[0].sequence_number != number:
                    raise NotFound(f"Message {letter.message.id} is no dead letter of {letter.queue} any more.")

                async def remove() -> None:
                    await receiver.complete_message(held[-1])
                    held.pop()

                try:
                    while not held or held[-1].sequence_number != number:
                        more: Sequence[Any] = await receiver.receive_messages(1, max_wait_time=self._wait)
                        if not more:
                            raise Unavailable(f"Somebody else has the dead letter {letter.message.id}. Try again.")
                        held += more
                    yield remove
                except SupportAgentError:
                    await _give_back(receiver, held)
                    raise
                await _give_back(receiver, held)
        except _ANSWERS as error:  # a lock that ran out
            raise Unavailable(f"The dead letter {letter.message.id} could not be removed. Try again.") from error

    # ---- life cycle
    async def ping(self) -> None:
        async with self._using("receiver", REQUESTS) as receiver:
            await receiver.peek_messages(1, sequence_number=1)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._loop is asyncio.get_running_loop():
            for key in list(self._ends):
                self._discard(key)
            if self._closing:
                await asyncio.wait(self._closing, timeout=self._patience)

    async def _settle(self, received: ReceivedMessage, settle: Callable[[Any, Any], Coroutine[Any, Any, None]]) -> None:
        if received.lock_token not in self._held:
            raise _lock_lost(received)
        _, message = self._held[received.lock_token]
        try:
            async with self._using("receiver", received.queue) as receiver:
                await settle(receiver, message)
        except (MessageLockLostError, MessageAlreadySettled) as error:
            self._held.pop(received.lock_token, None)
            raise _lock_lost(received) from error
        self._held.pop(received.lock_token, None)

    def _forget_expired(self) -> None:
        now = self._now()
        self._held = {token: held for token, held in self._held.items() if held[1].locked_until_utc > now}

    @asynccontextmanager
    async def _using(self, end: _End, queue: str, *, seconds: float | None = None) -> AsyncGenerator[Any]:
        """An open sender or receiver, for this task alone. Raises `Unavailable`, and the answers in `_ANSWERS`."""
        key = (end, queue)
        try:
            async with asyncio.timeout(seconds or self._patience), self._lock(key):
                try:
                    link = self._link(key)
                    await link.__aenter__()  # opens it unless it is open
                    yield link
                except (*_ANSWERS, SupportAgentError):
                    raise
                except BaseException:  # also who is cancelled may leave half a frame behind
                    self._discard(key)
                    raise
        except _ANSWERS:
            raise
        except (AzureError, OSError, ValueError) as error:
            logger.warning(
                "servicebus_failed", extra={"queue": queue, "end": end, "problem": f"{type(error).__name__}: {error}"}
            )
            wait = BUSY_SECONDS if isinstance(error, ServiceBusServerBusyError) else 1
            raise Unavailable(f"The queue {queue} does not answer. Try again.", retry_after=wait) from error

    def _lock(self, key: tuple[_End, str]) -> asyncio.Lock:
        if self._closed:
            raise Unavailable("The queues are closed.")
        if self._loop is not asyncio.get_running_loop():
            # What belongs to another loop cannot even be closed from here.
            self._loop, self._client = asyncio.get_running_loop(), None
            self._ends, self._locks, self._closing = {}, {}, set()
        return self._locks.setdefault(key, asyncio.Lock())

    def _link(self, key: tuple[_End, str]) -> Any:
        if key not in self._ends:
            end, queue = key
            client = self._client = self._client or self._new_client()
            if end == "sender":
                self._ends[key] = client.get_queue_sender(queue)
            else:
                dead = ServiceBusSubQueue.DEAD_LETTER if end == "dead letters" else None
                self._ends[key] = client.get_queue_receiver(queue, sub_queue=dead)
        return self._ends[key]

    def _new_client(self) -> ServiceBusClient:
        # One that failed for good is tried again by whoever calls next.
        patience: dict[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.1, "retry_backoff_max": 1}
        if self._credential is None:
            return ServiceBusClient.from_connection_string(self._where, **patience)
        return ServiceBusClient(self._where, self._credential, **patience)

    def _discard(self, key: tuple[_End, str]) -> None:
        if (link := self._ends.pop(key, None)) is not None:
            task = asyncio.create_task(_close(link))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


_ANSWERS = (MessageLockLostError, MessageAlreadySettled, MessageSizeExceededError)
"""What the service, or the SDK for it, refuses: nothing is broken."""


def _check(connection_string: str) -> None:
    try:
        parse_connection_string(connection_string)
    except ValueError as wrong:
        raise ConfigurationError(f"SERVICE_BUS: no connection string of Service Bus: {wrong}") from None


async def _give_back(receiver: Any, messages: Sequence[Any]) -> None:
    for message in messages:
        await receiver.abandon_message(message)


async def _close(link: Any) -> None:
    try:
        async with asyncio.timeout(OPERATION_SECONDS):
            await link.close()
    except (AzureError, OSError, ValueError, AttributeError) as error:  # broken, which is why it is closed
        logger.debug("servicebus_not_closed", extra={"problem": type(error).__name__})


def _lock_lost(received: ReceivedMessage) -> Conflict:
    return Conflict(f"The lock of message {received.message.id} was lost: it ran out, or it was settled before.")


def _received(message: Any, queue: str) -> ReceivedMessage:
    return ReceivedMessage(
        message=_message(message),
        queue=queue,
        lock_token=str(message.lock_token),
        delivery_count=(message.delivery_count or 0) + 1,  # on the wire: of those that failed
        sequence_number=message.sequence_number,
        enqueued_at=message.enqueued_time_utc,
        locked_until=message.locked_until_utc,
    )


def _dead_letter(message: Any, queue: str) -> DeadLetter:
    return DeadLetter(
        message=_message(message),
        queue=queue,
        sequence_number=message.sequence_number,
        delivery_count=message.delivery_count or 0,
        enqueued_at=message.enqueued_time_utc,
        reason=message.dead_letter_reason or "",
        description=message.dead_letter_error_description or "",
    )


def _message(message: Any) -> QueueMessage:
    given: Mapping[Any, Any] = message.application_properties or {}
    properties = {_text(name): _text(value) for name, value in given.items()}
    return QueueMessage(
        id=message.message_id,
        body=b"".join(message.body),
        content_type=message.content_type or "",
        subject=message.subject,
        correlation_id=message.correlation_id,
        properties={name: value for name, value in properties.items() if name not in (_REASON, _DESCRIPTION)},
    )


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
