from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.escalation.hours import BusinessHours, Spans, parse_spans, parse_zone

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR = date(2027, 1, 1)
ALWAYS: Spans = ((0, 24 * 60),)
OFFICE = BusinessHours(BERLIN, [parse_spans("09:00-12:00, 13:00-17:00")] * 5 + [(), ()], frozenset({NEW_YEAR}))
STEP = timedelta(minutes=15)

searched = settings(deadline=None, max_examples=60)

# On some date, each of these puts its clock forward and back; Lord Howe by half an hour, Beirut and Havana at midnight.
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Asia/Beirut",
        "America/Havana",
    ]
).map(ZoneInfo)
MOMENTS = st.timedeltas(timedelta(), timedelta(days=700)).map(lambda since: datetime(2026, 1, 1, tzinfo=UTC) + since)
QUARTERS = st.integers(0, 104 * 7 * 24 * 4).map(lambda quarters: datetime(2025, 12, 29, tzinfo=UTC) + quarters * STEP)
DURATIONS = st.integers(0, 40 * 4).map(lambda quarters: quarters * STEP)


@st.composite
def days(draw: st.DrawFn, step: int = 1, earliest: int = 0) -> Spans:
    """Times that are multiples of `step` minutes; none before `earliest` but midnight."""
    times = st.integers(earliest, 24 * 60 // step).map(lambda number: number * step) | st.just(0)
    edges = sorted(draw(st.sets(times, max_size=6)))
    return tuple((edges[i], edges[i + 1]) for i in range(0, len(edges) - 1, 2))


def hours(spans: st.SearchStrategy[Spans]) -> st.SearchStrategy[BusinessHours]:
    weeks = st.tuples(spans, spans).map(lambda two: [*two, *two, (), *two]).filter(any)
    holidays = st.frozensets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=5)
    return st.builds(BusinessHours, ZONES, weeks, holidays)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def clock_says_open(hours: BusinessHours, moment: datetime) -> bool:
    """Judged by the clock on the wall alone."""
    local = moment.astimezone(hours.zone)
    minute = local.hour * 60 + local.minute
    return local.date() not in hours.holidays and any(
        opens <= minute < closes for opens, closes in hours.week[local.weekday()]
    )


# ---- what holds for all hours


@searched
@given(hours(days()), MOMENTS, st.timedeltas(timedelta(), timedelta(days=3)), st.timedeltas(timedelta(), timedelta(1)))
def test_a_due_time_is_not_before_its_start_and_grows_with_both(
    hours: BusinessHours, start: datetime, duration: timedelta, more: timedelta
) -> None:
    due = hours.add(start, duration)
    assert due.tzinfo is UTC
    assert start <= hours.next_opening(start) <= due
    assert due <= hours.add(start + more, duration)
    assert due + more <= hours.add(start, duration + more)


@searched
@given(hours(days(step=15, earliest=16)), QUARTERS, DURATIONS)
def test_the_open_time_until_due_is_the_duration(hours: BusinessHours, start: datetime, duration: timedelta) -> None:
    """Counted in quarters of an hour, on clocks that are not changed while a span begins or ends."""
    due = hours.add(start, duration)
    quarters = (start + n * STEP for n in range((due - start) // STEP))
    assert sum(clock_says_open(hours, quarter) for quarter in quarters) * STEP == duration


@searched
@given(hours(days(step=15, earliest=16)), QUARTERS)
def test_open_is_what_the_clock_says(hours: BusinessHours, moment: datetime) -> None:
    assert hours.is_open(moment) == clock_says_open(hours, moment)
    opening = hours.next_opening(moment)
    assert hours.is_open(opening)
    quarters = (moment + n * STEP for n in range((opening - moment) // STEP))
    assert not any(clock_says_open(hours, quarter) for quarter in quarters)


@searched
@given(ZONES, MOMENTS, st.timedeltas(timedelta(), timedelta(days=400)))
def test_hours_that_never_close_add_like_a_clock(zone: ZoneInfo, start: datetime, duration: timedelta) -> None:
    always = BusinessHours(zone, [ALWAYS] * 7)
    assert always.is_open(start)
    assert always.add(start, duration) == start + duration


@searched
@given(hours(days()), MOMENTS, ZONES)
def test_the_zone_in_which_a_moment_is_written_does_not_matter(
    hours: BusinessHours, moment: datetime, zone: ZoneInfo
) -> None:
    assert hours.is_open(moment.astimezone(zone)) == hours.is_open(moment)
    assert hours.add(moment.astimezone(zone), STEP) == hours.add(moment, STEP)


# ---- plain cases


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("2026-11-23T10:00", 60, "2026-11-23T11:00"),
        ("2026-11-23T11:30", 60, "2026-11-23T13:30"),  # over lunch
        ("2026-11-23T11:00", 60, "2026-11-23T12:00"),  # at closing time, not at the next opening
        ("2026-11-23T12:15", 60, "2026-11-23T14:00"),
        ("2026-11-23T16:30", 60, "2026-11-24T09:30"),
        ("2026-11-20T16:30", 60, "2026-11-23T09:30"),  # over the weekend
        ("2026-11-21T03:00", 480, "2026-11-24T10:00"),
        ("2026-12-31T16:30", 60, "2027-01-04T09:30"),  # New Year's Day is a Friday
    ],
)
def test_due_times(start: str, minutes: int, due: str) -> None:
    assert OFFICE.add(at(start), timedelta(minutes=minutes)) == at(due)


@pytest.mark.parametrize(
    ("moment", "opening"),
    [
        ("2026-11-23T08:59", "2026-11-23T09:00"),
        ("2026-11-23T09:00", "2026-11-23T09:00"),
        ("2026-11-23T12:00", "2026-11-23T13:00"),
        ("2026-11-23T17:00", "2026-11-24T09:00"),
        ("2026-12-31T20:00", "2027-01-04T09:00"),
    ],
)
def test_openings(moment: str, opening: str) -> None:
    assert OFFICE.next_opening(at(moment)) == at(opening)


@pytest.mark.parametrize(("night", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-01", 24)])
def test_a_sunday_is_as_long_as_its_clock_is_changed(night: str, length: int) -> None:
    sundays = BusinessHours(BERLIN, [(), (), (), (), (), (), ALWAYS])
    start = at(night)
    assert sundays.add(start, timedelta(hours=length)) == start.astimezone(UTC) + timedelta(hours=length)
    assert sundays.next_opening(start.astimezone(UTC) + timedelta(hours=length)) == at(night) + timedelta(days=7)


def test_spans_that_the_changed_clock_skips_count_once() -> None:
    """On that night 02:00 is followed by 03:00, so both spans are the same hour, and the third none."""
    night = BusinessHours(BERLIN, [(), (), (), (), (), (), parse_spans("02:00-02:45, 02:50-02:55, 03:00-04:00")])
    assert night.add(at("2026-03-29T00:00"), timedelta(hours=1)) == at("2026-03-29T04:00")


def test_an_hour_that_the_clock_shows_twice_is_open_in_its_own_zone_too() -> None:
    always = BusinessHours(BERLIN, [ALWAYS] * 7)
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    for moment in (first, first + timedelta(hours=1)):
        assert f"{moment.astimezone(BERLIN):%H:%M}" == "02:30"
        assert always.is_open(moment.astimezone(BERLIN))


def test_hours_that_never_open_are_refused() -> None:
    with pytest.raises(ValueError, match="closed all week"):
        BusinessHours(BERLIN, [()] * 7)


def test_the_time_of_a_week() -> None:
    assert OFFICE.weekly == timedelta(hours=35)


# ---- what people write


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("09:00-17:30", ((540, 1050),)),
        ("9:00 – 12:00 ,13:00-17:00", ((540, 720), (780, 1020))),
        ("00:00-24:00", ALWAYS),
    ],
)
def test_opening_times(text: str, spans: Spans) -> None:
    assert parse_spans(text) == spans


@searched
@given(days().filter(bool))
def test_opening_times_are_read_as_written(spans: Spans) -> None:
    if any(closes == opens for (_, closes), (opens, _) in pairwise(spans)):
        return
    written = ", ".join(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in spans)
    assert parse_spans(written) == spans


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no opening time"),
        ("closed", "leave the day out"),
        ("9-17", "write it like 09:00-17:30"),
        ("09:00-17:60", "no opening time"),
        ("17:00-09:00", "begin before it ends"),
        ("09:00-09:00", "begin before it ends"),
        ("09:00-24:30", "24:00 at the latest"),
        ("13:00-17:00, 09:00-12:00", "in order"),
        ("09:00-13:00, 12:00-17:00", "in order"),
        ("09:00-12:00, 12:00-17:00", "with a break"),
        ("09:00-12:00,", "'' is no opening time"),
        (900, "no opening time"),
        (time(9), "no opening time"),
    ],
)
def test_wrong_opening_times_are_explained(text: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_spans(text)


@pytest.mark.parametrize("name", ["Europe/Berlinn", "Europe", "", "../secret", "/etc/localtime", "Europe/Berlin\0", 1])
def test_an_unknown_zone_is_named(name: object) -> None:
    with pytest.raises(ValueError, match="no known time zone") as refused:
        parse_zone(name)
    assert repr(name) in str(refused.value)


def test_a_zone() -> None:
    assert parse_zone("Europe/Berlin") == BERLIN
