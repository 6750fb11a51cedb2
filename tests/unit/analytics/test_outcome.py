from datetime import timedelta

import pytest

from shared.analytics.outcome import Outcome, outcome, took_part
from tests.records import LATER, START, Story

SOON = START + timedelta(hours=1)


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        # ---- the bot alone
        (Story().asks().answers("a.md"), "assumed"),
        (Story().asks().abstains(), "unresolved"),
        (Story().asks().abstains().asks("And so?").answers("a.md"), "assumed"),
        (Story().asks().answers("a.md").asks("And so?").abstains(), "unresolved"),
        (Story().asks().answers("a.md").asks("Thanks!").answers(), "assumed"),
        (Story().asks().abstains().asks("Thanks anyway").answers(), "unresolved"),
        (Story().asks("Hi").answers(), "unresolved"),  # nothing shows that anybody was helped
        (Story().asks(), "unresolved"),  # nobody answered
        (Story().asks().answers("a.md").asks("And so?"), "unresolved"),
        # ---- the customer says so
        (Story().asks().answers("a.md").rates("up"), "confirmed_by_customer"),
        (Story().asks().answers("a.md").rates("down"), "unresolved"),
        (Story().asks().answers("a.md").rates("down").asks("And so?").answers("b.md"), "unresolved"),
        (Story().asks().answers("a.md").rates("up").asks("And so?").answers("b.md"), "confirmed_by_customer"),
        (Story().asks().answers("a.md").rates("up").asks("And so?").abstains(), "unresolved"),
        (Story().asks().answers("a.md").rates("down").rates("up"), "confirmed_by_customer"),
        (Story().asks().answers("a.md").asks("So?").answers("b.md").rates("up").rates("down", 2), "unresolved"),
        # ---- a person
        (Story().asks().abstains().escalates(), "unresolved"),
        (Story().escalates(), "unresolved"),
        (Story().asks().abstains().escalates().claims().replies(), "unresolved"),
        (Story().asks().abstains().escalates().claims().replies().resolves(), "confirmed_by_person"),
        (Story().asks().abstains().escalates().claims().replies().resolves("assumed"), "assumed"),
        (Story().asks().abstains().escalates().claims().replies().resolves().rates("up"), "confirmed_by_customer"),
        (Story().asks().escalates().claims().replies().rates("down").resolves(), "confirmed_by_person"),
        (Story().asks().escalates().claims().replies().resolves().asks("So?").answers("a.md"), "confirmed_by_person"),
        (Story().asks().escalates().claims().replies().resolves().asks("So?").abstains(), "unresolved"),
        (Story().asks().escalates().claims().replies().resolves().escalates(), "unresolved"),
        (Story().asks().answers("a.md").rates("up").escalates(), "unresolved"),
    ],
)
def test_what_came_of_a_conversation_that_is_over(story: Story, expected: Outcome) -> None:
    assert outcome(story.told(), now=LATER) == expected


@pytest.mark.parametrize(
    "story",
    [
        Story().asks().answers("a.md"),
        Story().asks().abstains(),
        Story().asks().answers("a.md").rates("down"),
        Story().asks().escalates(),
    ],
)
def test_what_is_not_over_is_neither_solved_nor_unsolved(story: Story) -> None:
    assert outcome(story.told(), now=SOON) == "ongoing"


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (Story().asks().answers("a.md").rates("up"), "confirmed_by_customer"),
        (Story().asks().escalates().claims().replies().resolves(), "confirmed_by_person"),
        (Story().asks().escalates().claims().replies().resolves("assumed"), "assumed"),
    ],
)
def test_what_was_declared_counts_at_once(story: Story, expected: Outcome) -> None:
    assert outcome(story.told(), now=SOON) == expected


def test_a_conversation_is_over_when_it_expires_or_after_a_day_without_a_word() -> None:
    told = Story().waits(hours=23).asks().answers("a.md").told()
    assert outcome(told, now=START + timedelta(hours=23, minutes=59)) == "ongoing"
    assert outcome(told, now=START + timedelta(hours=24)) == "assumed"

    long = Story().lasts(days=90).asks().answers("a.md").asks("And then?").abstains()
    told = long.told()
    assert outcome(told, now=long.at + timedelta(hours=23)) == "ongoing"
    assert outcome(told, now=long.at + timedelta(hours=24)) == "unresolved"


def test_who_only_opens_a_conversation_takes_no_part() -> None:
    assert not took_part(Story().told())
    assert took_part(Story().asks().told())
    assert took_part(Story().escalates().told())  # by the button, without a word
