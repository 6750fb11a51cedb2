"""How long people wait: for the first answer, and for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from math import ceil

from shared.memory.models import ConversationRecord, Message


@dataclass(frozen=True, slots=True)
class Durations:
    """In seconds, to three significant digits; None if there are none. Both are durations that occurred (nearest rank),
    so of two the median is the shorter one."""

    count: int
    median: float | None
    p90: float | None


class DurationCounts:
    """Counts durations by their first three digits: at most 900 counts a power of ten, however many there are."""

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()

    def add(self, duration: timedelta) -> None:
        # Two instances' clocks may differ by more than an answer takes.
        self._counts[float(f"{max(0.0, duration.total_seconds()):.3g}")] += 1

    def durations(self) -> Durations:
        return Durations(self._counts.total(), self._quantile(0.5), self._quantile(0.9))

    def _quantile(self, q: float) -> float | None:
        rank = ceil(q * self._counts.total())
        ordered = sorted(self._counts)
        reached = accumulate(self._counts[seconds] for seconds in ordered)
        return next((seconds for seconds, count in zip(ordered, reached, strict=True) if count >= rank > 0), None)


def first_response(record: ConversationRecord) -> timedelta | None:
    """From the customer's first message to the first answer after it, the bot's or a person's; None if there is no
    such."""
    asked = next((message for message in record.messages if message.role == "user"), None)
    if asked is None:
        return None
    answers = (message for message in record.messages if message.reply_to or message.role == "human_agent")
    answer = next((message for message in answers if message.seq > asked.seq), None)
    return answer.created_at - asked.created_at if answer else None


def person_first_replies(record: ConversationRecord) -> Iterator[timedelta]:
    """From each ticket to the first reply of a person."""
    return (ticket.replied_at - ticket.created_at for ticket in record.tickets if ticket.replied_at)


def person_replies(record: ConversationRecord) -> Iterator[timedelta]:
    """From what the customer writes while a person has the conversation to that person's next message. Of several
    messages in a row the wait begins with the first."""
    waits_since: datetime | None = None
    for message in record.messages:
        if message.role == "user" and _with_a_person(record, message):
            waits_since = waits_since or message.created_at
        elif message.role == "human_agent":
            if waits_since:
                yield message.created_at - waits_since
            waits_since = None
        elif message.reply_to:
            waits_since = None  # the person gave the conversation back to the bot


def _with_a_person(record: ConversationRecord, message: Message) -> bool:
    return any(
        ticket.claimed_at
        and ticket.claimed_at <= message.created_at
        and (ticket.resolved_at is None or message.created_at < ticket.resolved_at)
        for ticket in record.tickets
    )
