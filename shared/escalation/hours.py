"""When people are there: opening times of a week in a time zone, less the holidays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTES_A_DAY = 24 * 60

_DAY = timedelta(days=1)
_SPAN = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*[-–]\s*([01]?\d|2[0-4]):([0-5]\d)")

type Spans = tuple[tuple[int, int], ...]
"""Opening and closing of a day in minutes from its midnight, in order and apart; (0, 1440) is the whole day."""


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """`week` has the opening times of the seven days, Monday's first. Moments are aware; those returned are in UTC.

    A span begins and ends when the zone's clock first shows its times: it is an hour shorter or longer if the clock is
    changed meanwhile. Raises `ValueError` if there is no opening in the week.
    """

    zone: ZoneInfo
    week: Sequence[Spans]
    holidays: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if not any(self.week):
            raise ValueError("it is closed all week; give at least one day its opening times")

    def is_open(self, at: datetime) -> bool:
        # Of moments in unlike zones, Python calls none equal that its clock shows twice.
        return self.next_opening(at) == at.astimezone(UTC)

    def next_opening(self, at: datetime) -> datetime:
        """The first moment from `at` on when it is open; `at` itself if it is open then."""
        opens, _ = next(self._openings(at))
        return opens

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """The moment when it has been open for `duration` since `start`. At least the next opening."""
        openings, left = self._openings(start), duration
        opens, closes = next(openings)
        while closes - opens < left:
            left -= closes - opens
            opens, closes = next(openings)
        return opens + left

    @property
    def weekly(self) -> timedelta:
        """How long it is open in a week without holidays and changes of the clock."""
        return timedelta(minutes=sum(end - start for spans in self.week for start, end in spans))

    def _openings(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What is left of each opening from `at` on: in order, apart, without end."""
        at = at.astimezone(UTC)
        day = at.astimezone(self.zone).date()
        while True:
            if day not in self.holidays:
                # A clock put forward may let spans overlap, or end before they begin.
                for opens, closes in sorted(map(self._moments, self._dated(day))):
                    if closes > max(opens, at):
                        yield max(opens, at), closes
                        at = closes
            day += _DAY

    def _dated(self, day: date) -> list[tuple[datetime, datetime]]:
        midnight = datetime.combine(day, time())
        spans = self.week[day.weekday()]
        return [(midnight + timedelta(minutes=start), midnight + timedelta(minutes=end)) for start, end in spans]

    def _moments(self, span: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
        opens, closes = span
        return opens.replace(tzinfo=self.zone).astimezone(UTC), closes.replace(tzinfo=self.zone).astimezone(UTC)


def parse_zone(name: object) -> ZoneInfo:
    """The time zone of an IANA name. Raises `ValueError`, which names it."""
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones, such as "Europe"
        raise ValueError(f"{name!r} is no known time zone; write it like Europe/Berlin, or UTC") from error


def parse_spans(text: object) -> Spans:
    """`09:00-12:00, 13:00-17:00` as spans. Raises `ValueError`, which says how to write them."""
    spans: list[tuple[int, int]] = []
    for part in str(text).split(","):
        found = _SPAN.fullmatch(part.strip())
        if not found:
            raise ValueError(
                f"{part.strip()!r} is no opening time; write it like 09:00-17:30, several with a comma between,"
                " and leave the day out if it is closed"
            )
        hours, minutes, end_hours, end_minutes = map(int, found.groups())
        spans.append((hours * 60 + minutes, end_hours * 60 + end_minutes))
        if not spans[-1][0] < spans[-1][1] <= MINUTES_A_DAY:
            raise ValueError(f"{part.strip()!r} must begin before it ends, at 24:00 at the latest")
    if any(closes >= opens for (_, closes), (opens, _) in pairwise(spans)):
        raise ValueError(f"the opening times {str(text)!r} must come in order, with a break between")
    return tuple(spans)
