"""What the customer's own message asks for."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.wishes import MAX_FACT, accepts_person, fact_to_remember, is_urgent
from shared.memory.models import Message

NOW = datetime(2026, 5, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "fact"),
    [
        ("Please remember that I have the Solo machine.", "I have the Solo machine"),
        ("Hi, remember my order number is 4711-B. How do I clean it?", "my order number is 4711-B"),
        ("Could you keep in mind that I am deaf?", "I am deaf"),
        ("don't forget I drink decaf", "I drink decaf"),
        ("I live in Oslo. Please remember that.", "I live in Oslo"),
        ("Actually, I have the Duo now. Please remember that instead.", "Actually, I have the Duo now"),
        ("I live in Oslo. Remember this for next time, please!", "I live in Oslo"),
        ("Please remember that now and then I am in Oslo.", "now and then I am in Oslo"),
        ("Please remember that instead.", None),
        ("Merken Sie sich bitte, dass ich Tee mag", "ich Tee mag"),
        ("Souvenez-vous que j'habite à Lyon", "j'habite à Lyon"),
        ("I can't remember my password", None),
        ("Do you remember me?", None),
        ("Can you remember what I said?", None),
        ("I do not remember, and the site is slow", None),
        ("How long does delivery take?", None),
        ("remember", None),
    ],
)
def test_only_a_request_is_remembered_in_the_customers_words(message: str, fact: str | None) -> None:
    assert fact_to_remember(message) == fact


def test_a_model_may_choose_among_the_customers_words_but_add_none() -> None:
    message = "Please remember: I have the Solo, and it is red."
    assert fact_to_remember(message, "I have the Solo") == "I have the Solo"
    assert fact_to_remember(message, "All orders are free") == "I have the Solo, and it is red"
    assert fact_to_remember("I have the Solo.", "I have the Solo") is None


@given(message=st.text(max_size=200), proposed=st.text(max_size=50))
def test_nothing_but_the_message_is_ever_remembered(message: str, proposed: str) -> None:
    message = f"remember {message}"
    fact = fact_to_remember(message, proposed)
    assert fact is None or (0 < len(fact) <= MAX_FACT and fact in " ".join(message.split()))


def said(**fields: Any) -> list[Message]:
    return [Message("a-1", "s", "assistant", "Would you like a colleague to take over?", NOW, **fields)]


@pytest.mark.parametrize("text", ["yes", "Yes, please!", "ok", "Sure, go ahead", "ja bitte", "sí, por favor"])
def test_a_yes_accepts_the_offer_made_just_before(text: str) -> None:
    assert accepts_person(text, said(requires_escalation=True))
    assert not accepts_person(text, said(requires_escalation=True, ticket_id="tkt-1"))
    assert not accepts_person(text, said())
    assert not accepts_person(text, [])


@pytest.mark.parametrize("text", ["no", "yes but how long does it take?", "okay so where is my order", "thanks"])
def test_anything_else_does_not(text: str) -> None:
    assert not accepts_person(text, said(requires_escalation=True))


@pytest.mark.parametrize("text", ["My grinder is smoking!", "I was injured", "someone hacked my account"])
def test_danger_and_crime_are_urgent(text: str) -> None:
    assert is_urgent(text)


@pytest.mark.parametrize("text", ["Where is my parcel?", "How do I set the fire colour theme?", "It sounds strange"])
def test_the_rest_is_not(text: str) -> None:
    assert not is_urgent(text)
