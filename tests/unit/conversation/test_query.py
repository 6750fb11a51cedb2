from dataclasses import dataclass

import pytest

from shared.conversation.query import questions_before, questions_in, search_question, whole_question
from shared.memory.models import Message, Role, Source
from tests.chat import NOW


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
    assert whole_question(follow_up, HISTORY) == f"How long does delivery to Austria take? {follow_up}"


@pytest.mark.parametrize(
    "question", ["How do I reset my account password?", "What does error ERR-1042 on the display mean?"]
)
def test_a_question_that_stands_alone_is_left_alone(question: str) -> None:
    assert whole_question(question, HISTORY) == question


def test_a_chain_of_follow_ups_leads_back_to_what_it_is_about() -> None:
    chain = [*HISTORY, Said("user", "And to Norway?"), Said("assistant", "Seven days.")]
    assert questions_before("How much is it?", chain) == ["And to Norway?", "How long does delivery to Austria take?"]
    assert whole_question("How much is it?", chain) == (
        "How long does delivery to Austria take? And to Norway? How much is it?"
    )
    assert questions_before("How do I reset my account password?", chain) == []


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("Can I pay by card? And when am I charged?", ["Can I pay by card?", "And when am I charged?"]),
        ("how long does it take and what does it cost", ["how long does it take", "what does it cost"]),
        ("I moved to Cork. Can I change my address?", ["I moved to Cork. Can I change my address?"]),
        ("How do I pack and send it? Thanks!", ["How do I pack and send it? Thanks!"]),
        ("It hums and does nothing", ["It hums and does nothing"]),
    ],
)
def test_the_questions_of_a_message(message: str, asked: list[str]) -> None:
    assert questions_in(message) == asked


def test_a_greeting_is_not_searched_for() -> None:
    assert (
        whole_question("Hi there, how can I cancel my coffee subscription", [])
        == "how can I cancel my coffee subscription"
    )


def test_the_query_is_bounded() -> None:
    assert len(whole_question("word " * 2000, [Said("user", "previous " * 500)])) <= 1000


def test_without_history_a_short_question_is_the_query() -> None:
    assert whole_question("it?", []) == "it?"


def said(role: Role, text: str, *, cited: bool = False) -> Message:
    return Message("m", "s", role, text, NOW, sources=(Source("c", text, {}, 0.1, text, 0, 1),) if cited else ())


def test_the_search_knows_what_was_asked_and_answered_before() -> None:
    history = [
        said("assistant", "Hello!"),
        said("user", "Do you ship to Austria?"),
        said("assistant", "Yes, in three days.", cited=True),
        said("user", "What does it cost?"),
        said("assistant", "Five euros.", cited=True),
    ]
    question = search_question("And to Norway?", history)
    assert question.text == "And to Norway?"
    assert question.replied == "Five euros."
    assert question.asked == ("What does it cost?", "Do you ship to Austria?")
    assert "Hello!" not in question.said


def test_an_answer_that_was_none_says_nothing_about_the_topic() -> None:
    history = [said("user", "Do you ship to Austria?"), said("assistant", "I could not find an answer to this.")]
    question = search_question("And to Norway?", history)
    assert question.replied == ""
    assert question.said == ("Do you ship to Austria?",)
