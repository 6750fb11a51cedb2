"""The timer triggers, by NCRONTAB expressions."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Self

from local.runtime import Function, InvocationFailed, Message, Runtime, as_json

LONGEST_SLEEP = 30.0
"""Seconds. A laptop that was asleep notices within this time that an occasion has passed."""


class Schedule:
    """`second minute hour day month weekday` (0 is Sunday), each `*`, `n`, `a-b`, a list of those, or with `/step`.

    Unlike in Unix cron, day and weekday must both match: https://github.com/atifaziz/NCrontab/wiki/Crontab-Expression
    """

    _RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))

    def __init__(self, *fields: frozenset[int]) -> None:
        self._seconds, self._minutes, self._hours, self._days, self._months, self._weekdays = fields

    @classmethod
    def parse(cls, expression: str) -> Self:
        """Raises `ValueError` naming the expression."""
        fields = expression.split()
        if len(fields) != len(cls._RANGES):
            raise ValueError(f"{expression!r}: a schedule has six fields, the first is seconds")
        try:
            return cls(*(_field(field, *limits) for field, limits in zip(fields, cls._RANGES, strict=True)))
        except ValueError as error:
            raise ValueError(f"{expression!r}: {error}") from None

    def after(self, moment: datetime) -> datetime:
        """The first occasion later than `moment`. Raises `ValueError` if there is none within eight years."""
        earliest = moment.replace(microsecond=0) + timedelta(seconds=1)
        # Eight years hold every date of the calendar, also around a year 1900 without a leap day.
        for _ in range(8 * 366):
            if occasion := self._within_day(earliest):
                return occasion
            earliest = earliest.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        raise ValueError("this schedule never comes round")

    def _within_day(self, earliest: datetime) -> datetime | None:
        if not (
            earliest.day in self._days
            and earliest.month in self._months
            and earliest.isoweekday() % 7 in self._weekdays
        ):
            return None
        for hour in sorted(hour for hour in self._hours if hour >= earliest.hour):
            for minute in sorted(self._minutes):
                for second in sorted(self._seconds):
                    occasion = earliest.replace(hour=hour, minute=minute, second=second)
                    if occasion >= earliest:
                        return occasion
        return None


class Timer:
    """Serves one timer function. Times are UTC; an occasion that passed while the last one ran is caught up once."""

    def __init__(self, runtime: Runtime, function: Function) -> None:
        self._runtime = runtime
        self._function = function
        self._schedule = Schedule.parse(function.trigger["schedule"])

    async def run(self) -> None:
        """Until cancelled."""
        last = datetime.now(UTC)
        if self._function.trigger.get("runOnStartup"):
            await self._fire(last, late=False)
        while True:
            due = self._schedule.after(last)
            last = await _sleep_until(due)
            await self._fire(due, late=last - due > timedelta(seconds=LONGEST_SLEEP))

    async def _fire(self, due: datetime, *, late: bool) -> None:
        with contextlib.suppress(InvocationFailed):  # The log has it; the next occasion comes anyway.
            await self._runtime.invoke(self._function, timer_request(due, self._schedule.after(due), late=late))


async def _sleep_until(due: datetime) -> datetime:
    while (left := (due - (now := datetime.now(UTC))).total_seconds()) > 0:  # noqa: ASYNC110 - an alarm by wall clock
        await asyncio.sleep(min(left, LONGEST_SLEEP))
    return now


def timer_request(due: datetime, following: datetime, *, late: bool) -> Message:
    return as_json(
        {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {
                "Last": due.isoformat(),
                "LastUpdated": due.isoformat(),
                "Next": following.isoformat(),
            },
            "IsPastDue": late,
        }
    )


def _field(text: str, low: int, high: int) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, stepped, step = part.partition("/")
        first, dash, last = span.partition("-")
        start = low if span == "*" else int(first)
        end = high if span == "*" or (stepped and not dash) else int(last or first)
        if not low <= start <= end <= high:
            raise ValueError(f"{part!r} is outside {low}-{high}")
        values.update(range(start, end + 1, int(step) if stepped else 1))
    return frozenset(values)
