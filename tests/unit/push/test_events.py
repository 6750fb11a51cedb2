"""The frames: AG-UI's events, with the number by which a client finds what it missed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ag_ui.core import Event
from pydantic import TypeAdapter

from shared.escalation.ticket import Ticket
from shared.memory.models import Feedback, Message, Source
from shared.push.events import MAX_FRAME, change_frame, feedback_frame, message_frame, typing_frame

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SOURCE = Source("c1", "Choose Forgot password.", {"source": "account.md"}, 0.2, "Choose Forgot password.", 0, 23)
TICKET = Ticket("tkt-1", "s1", "m-1", "customer_request", "Wants a person", AT, status="claimed")
REPLY = Message("r-1", "s1", "human_agent", "I am Grace.", AT, seq=7, author="Grace H.", ticket_id="tkt-1")


def names(frame: Any) -> list[str]:
    """Every event is one that AG-UI knows."""
    for event in frame["events"]:
        TypeAdapter[Any](Event).validate_python(event)
    return [
        event.get("name", event["type"]) if event["type"] == "CUSTOM" else event["type"] for event in frame["events"]
    ]


def value(frame: Any, name: str) -> Any:
    return next(event["value"] for event in frame["events"] if event.get("name") == name and event["type"] == "CUSTOM")


def test_a_persons_reply_says_who_wrote_what_and_its_number() -> None:
    frame = message_frame(REPLY)
    assert names(frame) == ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "message"]
    start, content = frame["events"][:2]
    assert (start["messageId"], start["role"], start["name"]) == ("r-1", "assistant", "Grace H.")
    assert content["delta"] == "I am Grace."
    assert frame["seq"] == value(frame, "message")["seq"] == 7
    assert value(frame, "message")["role"] == "human_agent"


def test_an_answer_brings_its_sources_and_its_ticket() -> None:
    answer = Message("a-1", "s1", "assistant", "Choose it. [1]", AT, seq=3, sources=(SOURCE,), ticket_id="tkt-1")
    frame = message_frame(answer, ticket=TICKET)
    assert names(frame)[3:] == ["message", "sources", "escalation", "ticket"]
    assert value(frame, "sources")[0]["quote"] == "Choose Forgot password."
    assert value(frame, "ticket") == {"ticket_id": "tkt-1", "status": "claimed"}


def test_the_end_of_a_ticket_asks_how_it_went() -> None:
    frame = message_frame(REPLY, owner="bot", ticket=TICKET, asks_feedback=True)
    assert value(frame, "owner") == {"owner": "bot"}
    assert value(frame, "feedback_request") == {"message_id": "r-1"}


def test_what_is_too_long_for_the_channel_is_only_announced() -> None:
    answer = Message("a-1", "s1", "assistant", "é" * MAX_FRAME, AT, seq=3)
    frame = message_frame(answer, owner="human")
    assert names(frame) == ["message", "owner"]
    assert frame["seq"] == 3
    assert len(json.dumps(frame)) < MAX_FRAME


def test_what_is_no_message_has_no_number() -> None:
    rated = Message("a-1", "s1", "assistant", "It is.", AT, seq=3, feedback=Feedback("down", "wrong"))
    for frame, kinds in (
        (change_frame(owner="human", ticket=TICKET), ["owner", "ticket"]),
        (feedback_frame(rated), ["feedback"]),
        (typing_frame("Grace H."), ["typing"]),
    ):
        assert (frame["seq"], names(frame)) == (None, kinds)
    assert value(typing_frame(None), "typing") == {"role": "user", "author": None}
