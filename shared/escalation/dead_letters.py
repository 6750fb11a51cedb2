"""Messages that were set aside: counted for an alarm, listed, explained, sent again or removed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence

from shared.errors import InvalidInput
from shared.escalation.events.event import parse_event, parse_request
from shared.escalation.queue import QUEUES, REQUESTS, DeadLetter, TicketQueue
from shared.telemetry import dead_letters

logger = logging.getLogger(__name__)

PAGE = 100


class DeadLetters:
    """Those of all queues. Every method raises `Unavailable`."""

    def __init__(self, queue: TicketQueue) -> None:
        self._queue = queue
        self._before: Mapping[str, int] = {}

    async def count(self) -> Mapping[str, int]:
        """How many each queue has. Tells the metric, and the log when there are more than the last time."""
        counts = {name: await self._queue.count_dead_letters(name) for name in QUEUES}
        for name, count in counts.items():
            dead_letters.set(count, {"queue": name})
            if count > self._before.get(name, 0):
                logger.error("dead_letters", extra={"queue": name, "count": count})
        self._before = counts
        return counts

    async def list(self, queues: Sequence[str] = QUEUES) -> AsyncIterator[DeadLetter]:
        """Each queue's, oldest first."""
        for name in queues:
            after = 0
            while page := await self._queue.dead_letters(name, after=after, limit=PAGE):
                for letter in page:
                    yield letter
                after = page[-1].sequence_number

    async def replay(self, letter: DeadLetter) -> None:
        """Raises `NotFound` if it is no dead letter any more."""
        await self._queue.replay(letter)
        logger.info("dead_letter_replayed", extra={"queue": letter.queue, "message_id": letter.message.id})

    async def discard(self, letter: DeadLetter) -> None:
        """Raises `NotFound` if it is no dead letter any more."""
        await self._queue.discard(letter)
        logger.info("dead_letter_discarded", extra={"queue": letter.queue, "message_id": letter.message.id})


def diagnose(letter: DeadLetter) -> str | None:
    """What is wrong with the message itself, so that sending it again would be in vain; None if nothing is."""
    parse = parse_request if letter.queue == REQUESTS else parse_event
    try:
        parse(letter.message.body)
    except InvalidInput as problem:
        return str(problem)
    return None
