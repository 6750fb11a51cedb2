import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.timers import Schedule, timer_request


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "moment", "expected"),
    [
        ("* * * * * *", "2026-01-01T00:00:00", "2026-01-01T00:00:01"),
        ("*/15 * * * * *", "2026-01-01T00:00:44.9", "2026-01-01T00:00:45"),
        ("0 */5 * * * *", "2026-01-01T00:05:00", "2026-01-01T00:10:00"),
        ("0 0 * * * *", "2026-12-31T23:30:00", "2027-01-01T00:00:00"),
        ("0 30 9 * * 1-5", "2026-11-20T09:30:00", "2026-11-23T09:30:00"),  # Friday → Monday
        ("0 0 0 1,15 * *", "2026-02-10T00:00:00", "2026-02-15T00:00:00"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 13 * 5", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),  # both must match: a Friday, 13th
        ("5/20 0 0 * * *", "2026-01-01T00:00:06", "2026-01-01T00:00:25"),
        ("0 10-20/5 * * * *", "2026-01-01T00:15:00", "2026-01-01T00:20:00"),
    ],
)
def test_the_next_occasion(expression: str, moment: str, expected: str) -> None:
    assert Schedule.parse(expression).after(at(moment)) == at(expected)


@given(
    second=st.integers(0, 59),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_daily_time_comes_within_a_day_and_only_then(second: int, minute: int, hour: int, moment: datetime) -> None:
    schedule = Schedule.parse(f"{second} {minute} {hour} * * *")
    occasion = schedule.after(moment)
    assert timedelta() < occasion - moment <= timedelta(days=1)
    assert (occasion.hour, occasion.minute, occasion.second) == (hour, minute, second)
    assert schedule.after(occasion) == occasion + timedelta(days=1)


@pytest.mark.parametrize(
    "expression",
    ["* * * * *", "60 * * * * *", "* * * 0 * *", "x * * * * *", "5-1 * * * * *", "*/0 * * * * *", "", "1,"],
)
def test_a_wrong_expression_is_named(expression: str) -> None:
    with pytest.raises(ValueError, match="'"):
        Schedule.parse(expression)


def test_a_date_that_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="never"):
        Schedule.parse("0 0 0 30 2 *").after(at("2026-01-01"))


def test_the_function_is_told_what_the_host_tells() -> None:
    request = json.loads(timer_request(at("2026-01-01"), at("2026-01-02"), late=True).json)
    assert request["IsPastDue"] is True
    assert request["ScheduleStatus"]["Next"] == "2026-01-02T00:00:00+00:00"
