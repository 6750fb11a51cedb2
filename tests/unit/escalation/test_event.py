from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.escalation.event import TicketRequest, hand_off_schema, parse_request
from shared.settings import ROOT

REQUEST = {"version": 1, "ticket_id": "tkt-1", "session_id": "s1", "reason": "unanswered", "summary": "Secret words"}


def test_a_request_comes_back() -> None:
    request = TicketRequest(ticket_id="tkt-1", session_id="s1", reason="unanswered", summary="Where is it?")
    assert parse_request(request.model_dump_json().encode()) == request


def test_fields_that_were_added_later_do_no_harm() -> None:
    assert parse_request(json.dumps(REQUEST | {"language": "en"}).encode()).ticket_id == "tkt-1"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "body: json_invalid"),
        (b"Secret words", "body: json_invalid"),
        (b"\xff\xfe", "body: json_invalid"),
        (b"[]", "body: model_type"),
        (json.dumps({**REQUEST, "version": 2}).encode(), "version: literal_error"),
        (json.dumps({**REQUEST, "ticket_id": ""}).encode(), "ticket_id: string_too_short"),
        (json.dumps({**REQUEST, "reason": "Secret words"}).encode(), "reason: literal_error"),
        (json.dumps({**REQUEST, "summary": None}).encode(), "summary: string_type"),
        (b'{"version": 1}', "ticket_id: missing; session_id: missing; reason: missing; summary: missing"),
    ],
)
def test_what_is_no_request_is_refused_by_field_and_without_its_content(body: bytes, complaint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_request(body)
    assert complaint in str(refused.value)
    assert "Secret" not in str(refused.value)
    assert refused.value.__suppress_context__


@given(st.binary(max_size=100))
def test_any_other_body_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_request(body)


def test_the_published_schema_is_the_present_one() -> None:
    published = json.loads((ROOT / "docs" / "ticket.schema.json").read_text("utf-8"))
    assert published == hand_off_schema(), "run: python -m shared.escalation.event > docs/ticket.schema.json"
