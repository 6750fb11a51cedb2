import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.durations import DurationCounts, Durations, first_response, person_first_replies, person_replies
from tests.records import Story

MINUTE = timedelta(minutes=1)


def durations(*seconds: float) -> Durations:
    counts = DurationCounts()
    for length in seconds:
        counts.add(timedelta(seconds=length))
    return counts.durations()


def test_median_and_p90_are_durations_that_occurred() -> None:
    assert durations() == Durations(0, None, None)
    assert durations(7) == Durations(1, 7, 7)
    assert durations(0, 0) == Durations(2, 0, 0)
    assert durations(1, 2) == Durations(2, 1, 2)
    assert durations(*range(1, 11)) == Durations(10, 5, 9)
    assert durations(-0.2) == Durations(1, 0, 0)  # of two clocks


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_three_digits_are_kept_whatever_the_order(seconds: list[float], order: random.Random) -> None:
    found = durations(*seconds)
    ordered = sorted(seconds)
    for q, value in ((0.5, found.median), (0.9, found.p90)):
        exact = ordered[max(0, -(-int(q * 10) * len(ordered) // 10) - 1)]
        assert value == pytest.approx(exact, rel=0.0051, abs=1e-6)
    order.shuffle(seconds)
    assert durations(*seconds) == found


def test_however_many_durations_there_are_few_counts_are_kept() -> None:
    counts = DurationCounts()
    generator = random.Random(7)
    for _ in range(20_000):
        counts.add(timedelta(seconds=generator.uniform(1, 1000)))
    assert len(counts._counts) <= 2701
    assert counts.durations().count == 20_000


def test_the_first_response_is_the_bots_or_a_persons() -> None:
    assert first_response(Story().asks().waits(seconds=4).answers("a.md").told()) == timedelta(seconds=4)
    assert first_response(Story().asks().abstains().asks().waits(hours=1).answers().told()) == MINUTE
    # The first message was never answered; the customer waited since then.
    assert first_response(Story().asks().waits(minutes=9).asks().answers().told()) == 10 * MINUTE
    assert first_response(Story().asks().escalates().claims().replies().told()) == 3 * MINUTE
    assert first_response(Story().asks().escalates().told()) is None
    assert first_response(Story().escalates().claims().replies().asks().told()) is None
    assert first_response(Story().escalates().claims().replies().asks().replies().told()) == MINUTE
    assert first_response(Story().escalates().claims().replies().told()) is None


def test_from_a_ticket_to_the_first_reply() -> None:
    story = Story().asks().escalates().waits(minutes=30).claims().waits(minutes=5).replies().replies().resolves()
    assert list(person_first_replies(story.told())) == [35 * MINUTE]
    assert list(person_first_replies(story.escalates().told())) == [35 * MINUTE]


def test_from_a_message_to_a_persons_next_while_they_have_the_conversation() -> None:
    story = Story().asks().escalates().claims().replies()
    assert list(person_replies(story.told())) == []  # that was the first reply to the ticket
    story.asks().waits(minutes=2).asks("Hello?").waits(minutes=3).replies().replies().asks("Thanks")
    assert list(person_replies(story.told())) == [5 * MINUTE]


def test_a_wait_ends_when_the_bot_takes_over() -> None:
    story = Story().asks().escalates().claims().asks().gives_back().asks().answers("a.md").waits(hours=5).claims()
    assert list(person_replies(story.replies().told())) == []
    assert list(person_replies(story.asks().waits(minutes=5).replies().told())) == [5 * MINUTE]


def test_after_a_ticket_is_resolved_the_customer_waits_for_nobody() -> None:
    story = Story().asks().escalates().claims().replies().resolves().asks("So?").escalates().waits(hours=5).claims()
    assert list(person_replies(story.replies().told())) == []
