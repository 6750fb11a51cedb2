from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.conversation import service
from shared.escalation.promises import CANNOT_DO, LEFT_TO_COLLEAGUE, find_promise, keep_promises
from shared.settings import ROOT

SENTENCES = [
    json.loads(line)["text"]
    for name in ("tuned", "held_out")
    for line in (ROOT / "evaluation" / "data" / "promises" / f"{name}.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("We'll email you tomorrow.", "contact"),
        ("Someone will call you.", "contact"),
        ("You’ll hear from us.", "contact"),
        ("I have forwarded this to billing.", "forwarded"),
        ("A ticket has been created for you.", "forwarded"),
        ("Your refund has been issued.", "done"),
        ("I've gone ahead and cancelled your order [2].", "done"),
        ("I was able to reset it, anything else?", "done"),
        ("**I will refund you** the full amount [1].", "action"),
        ("You will have your refund by Monday.", "action"),
        ("Ich habe Ihre Anfrage an die Buchhaltung weitergeleitet.", "forwarded"),
        ("Nous vous rappellerons demain.", "contact"),
        ("He cancelado su pedido.", "done"),
    ],
)
def test_a_promise_without_a_ticket_is_not_told(sentence: str, kind: str) -> None:
    promise = find_promise(sentence)
    assert promise
    assert promise.kind == kind
    assert keep_promises(sentence + "\n\n", ticket_open=False) == CANNOT_DO + "\n\n"


@pytest.mark.parametrize(
    "sentence",
    [
        "Refunds are issued within 5 days [1].",
        "We will send you a confirmation when you order.",
        "If the repair costs more than €80, we will call you first.",
        "Send us your number and we will call you back.",
        "The status “Your refund has been issued” means that the bank has the money.",
        "You can cancel the order yourself.",
        "Would you like me to forward this to billing?",
        "I cannot refund you.",
        "Nobody will call you on Sunday.",
        "I have found two articles.",
        "I'll explain how it works.",
        "Sie können die Bestellung selbst stornieren.",
        "",
        " \n",
    ],
)
@pytest.mark.parametrize("ticket_open", [True, False])
def test_what_is_no_promise_is_told(sentence: str, ticket_open: bool) -> None:
    assert keep_promises(sentence, ticket_open=ticket_open) == sentence


@pytest.mark.parametrize(
    "sentence", ["A colleague will contact you.", "I have forwarded this to billing.", "Your case was escalated."]
)
def test_a_ticket_keeps_the_promise_of_a_person(sentence: str) -> None:
    assert keep_promises(sentence, ticket_open=True) == sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "Your refund has been issued.",
        "I'll cancel it for you.",
        "I will call you back.",  # it is the colleague who will
        "A colleague will contact you within the hour.",  # when, is for the ticket to say
        "Someone will call you tomorrow.",
    ],
)
def test_a_ticket_keeps_no_more_than_that(sentence: str) -> None:
    assert keep_promises(sentence, ticket_open=True) == LEFT_TO_COLLEAGUE


def test_the_product_s_own_words_are_kept() -> None:
    fixed = (service.GREETING, service.NOT_FOUND, service.NOT_SEARCHED, service.OFFERED, service.REMEMBERED)
    for notice in (*fixed, service.UNREADABLE, CANNOT_DO, LEFT_TO_COLLEAGUE):
        assert keep_promises(notice, ticket_open=False) == notice
    assert find_promise(service.HANDED_OVER.partition(".")[0])
    for sentence in service.HANDED_OVER.split(". "):
        assert keep_promises(sentence, ticket_open=True) == sentence


@settings(deadline=None)
@given(st.sampled_from(SENTENCES), st.booleans(), st.sampled_from(["", " ", "\n", "\n\n"]))
def test_what_is_told_holds_no_promise_any_more(sentence: str, ticket_open: bool, space: str) -> None:
    told = keep_promises(sentence + space, ticket_open=ticket_open)
    assert told.endswith(space)
    assert keep_promises(told, ticket_open=ticket_open) == told


@settings(deadline=None)
@given(st.sampled_from(SENTENCES))
def test_how_it_is_written_does_not_matter(sentence: str) -> None:
    found = find_promise(sentence)
    assert find_promise(sentence.upper()) == found
    assert find_promise(sentence.replace("'", "’")) == found
    assert find_promise(f"*{sentence}* [1][23]") == found
    assert find_promise(sentence.replace(" ", "\u00a0 ")) == found


@settings(deadline=None)
@given(st.text(max_size=300), st.booleans())
def test_any_text_is_kept_or_replaced(text: str, ticket_open: bool) -> None:
    told = keep_promises(text, ticket_open=ticket_open)
    assert told == text or told.strip() in (CANNOT_DO, LEFT_TO_COLLEAGUE)
