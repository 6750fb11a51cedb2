"""The period that is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.errors import InvalidInput

DEFAULT = timedelta(days=7)
LONGEST = timedelta(days=92)
"""A quarter."""


@dataclass(frozen=True, slots=True)
class Period:
    """What began in [since, until), both in UTC."""

    since: datetime
    until: datetime


def read_period(since: str | None, until: str | None, *, now: datetime) -> Period:
    """The period between two dates (from their first moment on, UTC) or instants (RFC 3339; UTC if they do not say).

    By default it ends now and is seven days long. Raises `InvalidInput`.
    """
    try:
        end = _instant(until) if until else now.astimezone(UTC)
        begin = _instant(since) if since else end - DEFAULT
    except (ValueError, OverflowError):
        raise InvalidInput(
            "since and until are dates (2026-05-04) or instants (2026-05-04T09:30:00Z; in an address, + is %2B)."
        ) from None
    if begin >= end:
        raise InvalidInput("since must lie before until.")
    if end - begin > LONGEST:
        raise InvalidInput(f"The period is longer than {LONGEST.days} days. Ask for a part of it.")
    return Period(begin, end)


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
