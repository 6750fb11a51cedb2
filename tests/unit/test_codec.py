from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codec import SCHEMA, decode, encode
from shared.errors import ConfigurationError
from shared.escalation.ticket import Ticket
from shared.memory.models import (
    Attachment,
    Conversation,
    CustomerFact,
    Feedback,
    Message,
    Operator,
    Source,
    Usage,
)

MOMENTS = st.integers(0, 7_000_000_000_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
ELSEWHERE = MOMENTS.map(lambda moment: moment.astimezone(timezone(timedelta(hours=-9.5))))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)  # no halves of surrogate pairs
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SOURCES = st.builds(
    Source,
    id=TEXT,
    content=TEXT,
    metadata=st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53) | NUMBERS | st.booleans(), max_size=3),
    distance=NUMBERS,
    quote=TEXT,
)
MESSAGES = st.builds(
    Message,
    id=TEXT,
    session_id=TEXT,
    text=TEXT,
    created_at=MOMENTS | ELSEWHERE,
    author=st.none() | TEXT,
    attachments=st.lists(st.builds(Attachment, id=TEXT, name=TEXT, problem=st.none() | TEXT), max_size=2).map(tuple),
    sources=st.lists(SOURCES, max_size=2).map(tuple),
    grounded=st.booleans(),
    usage=st.builds(Usage),
    feedback=st.none() | st.builds(Feedback, comment=TEXT, at=st.none() | MOMENTS),
)
CONVERSATIONS = st.builds(
    Conversation,
    session_id=TEXT,
    customer_id=TEXT,
    created_at=MOMENTS,
    expires_at=ELSEWHERE,
    lease_until=MOMENTS,
    filters=st.dictionaries(TEXT, TEXT, max_size=2),
)
TICKETS = st.builds(
    Ticket, id=TEXT, session_id=TEXT, message_id=TEXT, summary=TEXT, created_at=MOMENTS, due_at=st.none() | ELSEWHERE
)


@given(MESSAGES | CONVERSATIONS | TICKETS)
def test_what_is_stored_comes_back(value) -> None:
    assert decode(type(value), encode(value)) == value


@given(MOMENTS | ELSEWHERE, MOMENTS | ELSEWHERE)
def test_stored_times_sort_as_text(first, second) -> None:
    def stored(moment: datetime) -> str:
        return json.loads(encode(Operator("a", "A", "", moment)))["created_at"]

    assert (stored(first) < stored(second)) == (first < second)
    assert stored(first).endswith("+00:00")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        encode(Operator("a", "A", "", datetime(2026, 1, 1)))  # noqa: DTZ001


def test_a_document_of_a_newer_version_is_refused() -> None:
    document = json.loads(encode(Operator("a", "A", "", datetime(2026, 1, 1, tzinfo=UTC))))
    assert document["schema"] == SCHEMA
    with pytest.raises(ConfigurationError, match=rf"Operator has shape {SCHEMA + 1}.*newer version"):
        decode(Operator, json.dumps(document | {"schema": SCHEMA + 1}))


def test_fields_this_version_does_not_know_are_left_out() -> None:
    fact = CustomerFact("f", "c", "likes tea", "m", datetime(2026, 1, 1, tzinfo=UTC))
    document = json.loads(encode(fact)) | {"_etag": "x", "ttl": 60}
    assert decode(CustomerFact, json.dumps(document)) == replace(fact)
