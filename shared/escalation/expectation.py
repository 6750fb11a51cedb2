"""What a customer who was handed over is told about when an answer comes."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from shared.escalation.hours import BusinessHours

# Not strftime's, which speaks the language of the server.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def expectation(now: datetime, sla: timedelta, hours: BusinessHours | None) -> str:
    """A sentence or two about a ticket made now. `hours` are its team's; None if somebody is always there."""
    due = hours.add(now, sla) if hours else now + sla
    if hours is None or due - now == sla:
        return f"You can usually expect an answer within {_within(sla)}."
    here, end = now.astimezone(hours.zone), due.astimezone(hours.zone)
    by = f"today by {end:%H:%M}" if end.date() == here.date() else f"by {_day(end, here)} at {end:%H:%M}"
    if hours.is_open(now):
        return f"You can usually expect an answer {by} ({hours.zone.key})."
    opening = hours.next_opening(now).astimezone(hours.zone)
    day = "today" if opening.date() == here.date() else f"on {_day(opening, here)}"
    if end.date() == opening.date():
        by = f"by {end:%H:%M}"
    return f"Our team is back {day} at {opening:%H:%M} ({hours.zone.key}); you can usually expect an answer {by}."


def _within(duration: timedelta) -> str:
    """`duration` rounded up: minutes below two hours, hours below two days."""
    minutes = math.ceil(duration / timedelta(minutes=1))
    if minutes < 120 and minutes != 60:
        return _count(minutes, "minute")
    if minutes < 48 * 60:
        return _count(math.ceil(minutes / 60), "hour")
    return _count(math.ceil(minutes / 60 / 24), "day")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _day(moment: datetime, now: datetime) -> str:
    """The day of a moment, both in the same zone; the weekday alone if it is one of the next six."""
    weekday = _DAYS[moment.weekday()]
    soon = (moment.date() - now.date()).days < 7
    return weekday if soon else f"{weekday}, {moment.day} {_MONTHS[moment.month - 1]}"
