from dataclasses import dataclass

import pytest

from shared.conversation.query import search_query


@dataclass(frozen=True)
class Said:
    role: str
    text: str


HISTORY = [
    Said("assistant", "Hello!"),
    Said("user", "How long does delivery to Austria take?"),
    Said("assistant", "Three working days."),
]


@pytest.mark.parametrize("follow_up", ["And to Norway?", "what about express?", "How much is it?", "is it free?"])
def test_a_follow_up_carries_the_previous_question(follow_up: str) -> None:
    assert search_query(follow_up, HISTORY) == f"How long does delivery to Austria take? {follow_up}"


@pytest.mark.parametrize(
    "question", ["How do I reset my account password?", "What does error ERR-1042 on the display mean?"]
)
def test_a_question_that_stands_alone_is_left_alone(question: str) -> None:
    assert search_query(question, HISTORY) == question


def test_a_greeting_is_not_searched_for() -> None:
    assert (
        search_query("Hi there, how can I cancel my coffee subscription", [])
        == "how can I cancel my coffee subscription"
    )


def test_the_query_is_bounded() -> None:
    assert len(search_query("word " * 2000, [Said("user", "previous " * 500)])) <= 1000


def test_without_history_a_short_question_is_the_query() -> None:
    assert search_query("it?", []) == "it?"
