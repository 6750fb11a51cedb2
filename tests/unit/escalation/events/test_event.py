from __future__ import annotations

import json
from datetime import UTC, datetime

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.escalation.events.event import (
    TicketRequest,
    TicketReturned,
    TicketReturnedEvent,
    event_schemas,
    parse_event,
    parse_request,
)
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


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RETURNED = TicketReturnedEvent(
    id="evt-1", subject="s1", time=NOON, data=TicketReturned(ticket_id="tkt-1", session_id="s1", returned_at=NOON)
)


def test_an_event_comes_back() -> None:
    assert parse_event(RETURNED.model_dump_json().encode()) == RETURNED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"Secret words",
        json.dumps({"type": "Secret words"}).encode(),
        RETURNED.model_dump_json().replace("returned.v1", "requested.v1").encode(),
        RETURNED.model_dump_json().replace("tkt-1", "Secret words").replace('"time"', '"when"').encode(),
    ],
)
def test_what_is_no_event_is_refused_without_its_content(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_event(body)
    assert "Secret" not in str(refused.value)


def test_the_published_schemas_are_the_present_ones() -> None:
    published = {file.stem: json.loads(file.read_text("utf-8")) for file in (ROOT / "docs/events").iterdir()}
    assert published == event_schemas(), "run: python -m shared.escalation.events.event docs/events"


@pytest.mark.parametrize("kind", event_schemas())
def test_a_schema_is_for_its_type_alone(kind: str) -> None:
    schema = event_schemas()[kind]
    jsonschema.Draft202012Validator.check_schema(schema)
    fits = jsonschema.Draft202012Validator(schema).is_valid(json.loads(RETURNED.model_dump_json()))
    assert fits == (kind == "support.ticket.returned.v1")
