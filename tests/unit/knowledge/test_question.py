import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.question import (
    ASKED_BEFORE_WEIGHT,
    BEFORE_TERMS,
    NEW_TOPIC,
    OPENING,
    REPLIED_WEIGHT,
    Question,
    clean,
    parts,
    query_vector,
)
from shared.knowledge.terms import codes, terms
from tests.fakes import HashEmbedder

ASKED = "The grinder is stuck since Monday."


@pytest.mark.parametrize(
    "message",
    [
        f"Hello everyone,\n{ASKED}",
        f"Dear support team. {ASKED} Any help would be greatly appreciated!",
        f"{ASKED}\nMany thanks in advance,\nJane Doe",
        f"{ASKED}\n\nKind regards\nJane",
        f"{ASKED}\n> Dear Jane,\n> your parcel left our house.",
        f"{ASKED}\n\nOn Mon, 3 Feb 2025 at 10:12, The Shop <shop@example.com> wrote:\nYour parcel left our house.",
        f"{ASKED}\n-----Original Message-----\nYour parcel left our house.",
        f"{ASKED}\n\nFrom: The Shop\nSent: Monday\nSubject: Parcel\n\nYour parcel left our house.",
        f"{ASKED}\n-- \nJane Doe\nHead of Coffee",
        f"{ASKED}\n\nSent from my iPhone",
    ],
)
def test_what_surrounds_a_request_in_a_mail_is_left_out(message: str) -> None:
    assert clean(message) == ASKED


@pytest.mark.parametrize(
    "message",
    [
        "Thanks to the update my mails are gone.",
        "Can you help me with the grinder?",
        "On Mondays the shop wrote: closed. Is it?",
        "if volume > 3 then it hums",
        "Warm regards from the grinder: it smokes",
        "Is it closed?\nThanks,\nor must I call?",
    ],
)
def test_sentences_that_tell_something_stay(message: str) -> None:
    assert set(terms(message)) - set(terms("thanks")) <= set(terms(clean(message)))


@pytest.mark.parametrize("message", ["Hello", "Thank you!", "> quoted only", "??", ""])
def test_a_message_of_courtesy_alone_stays_as_it_is(message: str) -> None:
    assert clean(message) == message


@given(st.lists(st.sampled_from(["Hi!", ASKED, "Thanks.", "ERR-1042?", "> no", "\n", "Bye", "-- \n"]), max_size=8))
def test_cleaning_only_takes_away(sentences: list[str]) -> None:
    message = " ".join(sentences)
    cleaned = clean(message)
    assert not set(terms(cleaned)) - set(terms(message))
    assert not set(codes(cleaned)) - set(codes(message))
    assert bool(terms(cleaned)) == bool(terms(message))


def test_the_question_of_a_short_message_is_a_text_of_its_own() -> None:
    asked = parts(Question("I stay for two nights. Is there a pool? Thanks!"))
    assert [text for text, _ in asked.weighted] == [asked.words, "Is there a pool?"]
    assert len(parts(Question("Is there a pool?")).weighted) == 1


@given(st.text(max_size=60))
def test_the_vector_is_of_length_one(message: str) -> None:
    embedder = HashEmbedder()
    question = Question(message, replied="Yes.", asked=("Is it far?",), said=("Yes.", "Is it far?"))
    vector = query_vector([(embedder.embed_query(text), weight) for text, weight in parts(question).weighted])
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("message", "share"),
    [
        ("And for two?", 1),
        ("Does it have a heated pool?", 1),
        ("Does it have a heated indoor swimming pool?", 0.75),
    ],
)
def test_a_follow_up_leans_on_what_was_said_before_the_less_the_more_it_says(message: str, share: float) -> None:
    asked = parts(Question(message, replied="Yes.", asked=("Is it far?",), said=("Yes.", "Is it far?")))
    assert dict(asked.weighted)["Yes."] == pytest.approx(REPLIED_WEIGHT * share)
    assert dict(asked.weighted)["Is it far?"] == pytest.approx(ASKED_BEFORE_WEIGHT * share)
    assert dict(asked.before)["Yes."] == pytest.approx(BEFORE_TERMS * share)


@pytest.mark.parametrize(
    "message",
    [
        "My tracking says delivered, but I have nothing. What now?",
        "Do you sell wooden pizza ovens?",
    ],
)
def test_a_message_that_stands_alone_hardly_needs_what_was_said_before(message: str) -> None:
    asked = parts(Question(message, replied="Yes.", asked=("Is it far?",), said=("Yes.", "Is it far?")))
    assert dict(asked.weighted)["Yes."] == pytest.approx(REPLIED_WEIGHT * NEW_TOPIC)
    assert dict(asked.before)["Yes."] == pytest.approx(BEFORE_TERMS * NEW_TOPIC)


def test_of_a_long_answer_a_message_that_stands_alone_needs_the_opening() -> None:
    reply = "word " * 100
    alone, leaning = (parts(Question(text, replied=reply)) for text in ("Do you sell wooden pizza ovens?", "And two?"))
    assert reply[:OPENING] in dict(alone.weighted)
    assert reply in dict(leaning.weighted)
    assert reply in dict(alone.before)


def test_what_was_said_before_counts_less_the_longer_ago_it_was() -> None:
    asked = parts(Question("And for two?", replied="Yes.", asked=("Is it far?", "Is it cheap?"), said=("Yes.",)))
    weights = dict(asked.weighted)
    assert weights["And for two?"] > weights["Yes."] > weights["Is it far?"] > weights["Is it cheap?"]
    assert dict(asked.before)["Is it far?"] > dict(asked.before)["Is it cheap?"]
