"""Timers through the genuine runtime."""

from datetime import UTC, datetime, timedelta

from tests.integration.runtime.hosted import eventually


def test_a_timer_fires_again_after_it_failed(host) -> None:
    with host("timers") as app:
        assert eventually(lambda: [entry["timer"] for entry in app.record()].count("tick") >= 2)
    ticks = [entry for entry in app.record() if entry["timer"] == "tick"]
    following = [datetime.fromisoformat(tick["next"]) for tick in ticks]
    assert following == sorted(set(following))
    assert not any(tick["past_due"] for tick in ticks)


def test_a_timer_that_wants_to_runs_at_the_start_and_no_other_time(host) -> None:
    with host("timers") as app:
        assert eventually(lambda: [entry["timer"] for entry in app.record()].count("tick") >= 2)
    (started,) = [entry for entry in app.record() if entry["timer"] == "at_start"]
    new_year = datetime(datetime.now(UTC).year + 1, 1, 1, tzinfo=UTC)
    assert datetime.fromisoformat(started["next"]) - new_year < timedelta(seconds=1)
