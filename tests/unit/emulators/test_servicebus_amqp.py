"""AMQP's bytes: what is written is read again as what it was, and what is no AMQP is refused."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.servicebus import message
from emulators.servicebus.amqp import (
    Array,
    Described,
    Int,
    Malformed,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    decode,
    encode,
)

numbers = st.one_of(
    st.integers(0, 2**8 - 1).map(UByte),
    st.integers(0, 2**16 - 1).map(UShort),
    st.integers(0, 2**32 - 1).map(UInt),
    st.integers(0, 2**64 - 1).map(ULong),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(-(2**63), 2**63 - 1).map(Timestamp),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
)
scalars = st.one_of(
    st.none(), st.booleans(), numbers, st.text(max_size=300), st.binary(max_size=300), st.uuids(), st.text().map(Symbol)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
        st.builds(Described, st.integers(0, 255), inner),
        st.lists(st.integers(-5, 5), max_size=4).map(Array),
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_written_is_read_again_as_it_was(value):
    data = encode(value)
    again, end = decode(data + b"more")
    assert (again, end) == (value, len(data))
    assert type(again) is type(value)


@given(st.binary(max_size=60))
def test_any_other_bytes_are_read_or_refused(data):
    try:
        _, end = decode(data)
    except Malformed:
        return
    assert end <= max(len(data), 17)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x98\x00",
        b"\xb0\xff\xff\xff\xff",
        b"\xa1\x02\xff\xff",
        b"\x3f",
        b"\xc1\x02\x01\x40",
        b"\xc0\x01\xff",
        b"\x00" * 5000,
    ],
)
def test_what_is_no_amqp_is_refused(data):
    with pytest.raises(Malformed):
        decode(data)


# ---- messages
def test_the_service_gives_an_id_to_a_message_without_one():
    raw = encode(Described(message.APPLICATION_PROPERTIES, {"a": 1})) + encode(Described(message.DATA, b"x"))
    sections = message.read(message.with_id(raw))
    assert sections.id
    assert (sections.data, sections.application) == ([b"x"], {"a": 1})


def test_what_a_producer_sent_is_delivered_byte_for_byte_beside_what_the_service_adds():
    body = encode(Described(message.PROPERTIES, message.padded(["id"], 13))) + encode(Described(message.DATA, b"x"))
    out = message.render(
        body,
        delivery_count=2,
        annotations={"x-opt-sequence-number": 7},
        lock_token=UUID(int=1),
        dead_letter=("why", "because"),
    )
    sections = message.read(out)
    assert sections.kept == body
    assert sections.annotations == {"x-opt-sequence-number": 7}
    assert sections.application == {"DeadLetterReason": "why", "DeadLetterErrorDescription": "because"}
