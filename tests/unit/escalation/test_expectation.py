from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.escalation.expectation import expectation
from shared.escalation.hours import BusinessHours, parse_spans

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = BusinessHours(BERLIN, [parse_spans("08:00-12:00, 13:00-18:00")] * 5 + [(), ()])
MONDAY = "Our team is back on Monday at 08:00 (Europe/Berlin); you can usually expect an answer"
HOLIDAYS = BusinessHours(BERLIN, OFFICE.week, frozenset(date(2026, 11, day) for day in range(23, 28)))


@pytest.mark.parametrize(
    ("now", "minutes", "told"),
    [
        # 2026-11-23 is a Monday.
        ("2026-11-23T13:30", 240, "You can usually expect an answer within 4 hours."),
        ("2026-11-23T11:30", 240, "You can usually expect an answer today by 16:30 (Europe/Berlin)."),
        ("2026-11-23T16:00", 240, "You can usually expect an answer by Tuesday at 10:00 (Europe/Berlin)."),
        (
            "2026-11-23T07:00",
            60,
            "Our team is back today at 08:00 (Europe/Berlin); you can usually expect an answer by 09:00.",
        ),
        (
            "2026-11-21T07:00",
            60,
            f"{MONDAY} by 09:00.",
        ),
        (
            "2026-11-20T19:00",
            600,
            f"{MONDAY} by Tuesday at 09:00.",
        ),
        (
            "2026-11-23T09:00",
            5000,
            "You can usually expect an answer by Friday, 4 December at 11:20 (Europe/Berlin).",
        ),
    ],
)
def test_in_and_out_of_hours(now: str, minutes: int, told: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    assert expectation(moment, timedelta(minutes=minutes), OFFICE) == told
    assert expectation(moment.astimezone(UTC), timedelta(minutes=minutes), OFFICE) == told


def test_a_day_more_than_a_week_away_has_its_date() -> None:
    told = expectation(datetime(2026, 11, 20, 19, tzinfo=BERLIN), timedelta(hours=1), HOLIDAYS)
    assert told.startswith("Our team is back on Monday, 30 November at 08:00 (Europe/Berlin);")


@pytest.mark.parametrize(
    ("minutes", "within"),
    [
        (1, "1 minute"),
        (30, "30 minutes"),
        (60, "1 hour"),
        (90, "90 minutes"),
        (120, "2 hours"),
        (121, "3 hours"),
        (1440, "24 hours"),
        (2880, "2 days"),
        (3000, "3 days"),
    ],
)
def test_where_somebody_is_always_there_the_time_is_told(minutes: int, within: str) -> None:
    told = expectation(datetime(2026, 11, 22, 3, tzinfo=UTC), timedelta(minutes=minutes), None)
    assert told == f"You can usually expect an answer within {within}."
