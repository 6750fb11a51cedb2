from datetime import UTC, datetime, timedelta

import pytest

from shared.analytics.period import Period, read_period
from shared.errors import InvalidInput

NOW = datetime(2026, 5, 11, 8, 30, tzinfo=UTC)


def test_the_last_seven_days_unless_asked_otherwise() -> None:
    assert read_period(None, None, now=NOW) == Period(NOW - timedelta(days=7), NOW)
    assert read_period("2026-05-10", None, now=NOW) == Period(datetime(2026, 5, 10, tzinfo=UTC), NOW)
    week = Period(datetime(2026, 4, 24, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
    assert read_period(None, "2026-05-01", now=NOW) == week


def test_an_instant_may_be_in_any_zone() -> None:
    period = read_period("2026-05-04T02:00:00+02:00", "2026-05-04T09:30:00Z", now=NOW)
    assert (period.since.isoformat(), period.until.isoformat()) == (
        "2026-05-04T00:00:00+00:00",
        "2026-05-04T09:30:00+00:00",
    )


def test_a_quarter_is_the_longest() -> None:
    assert read_period("2026-01-01", "2026-04-03", now=NOW)
    with pytest.raises(InvalidInput, match="92 days"):
        read_period("2026-01-01", "2026-04-03T00:00:01Z", now=NOW)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-05-04", "2026-05-04"),
        ("2026-05-05", "2026-05-04"),
        ("2026-06-01", None),
        ("yesterday", None),
        ("2026-02-30", None),
        ("2026-05-04T00:00:00 02:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        (None, "0001-01-02"),
        (None, "9999-12-31T23:59:59-14:00"),
    ],
)
def test_what_is_no_period_is_refused(since: str | None, until: str | None) -> None:
    with pytest.raises(InvalidInput):
        read_period(since, until, now=NOW)
