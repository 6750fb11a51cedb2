"""A message as it is on the wire: sections, of which the broker stamps some and never touches the others.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-messaging-v1.0-os.html
https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide#messages
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from emulators.servicebus.amqp import Described, Int, Malformed, Symbol, Timestamp, UInt, decode, encode

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA, _, VALUE = range(
    0x70, 0x78
)
MAX_BYTES = 256 * 1024
"""Of a whole message, on Service Bus Standard."""
BATCH_FORMAT = 0x80013700
"""A message whose data sections are messages."""
_DELIVERY_COUNT = 4
_SCHEDULED = Symbol("x-opt-scheduled-enqueue-time")


@dataclass(frozen=True, slots=True)
class Sections:
    """`kept` are those that are delivered byte for byte as they were sent."""

    properties: list[Any]
    annotations: Mapping[Any, Any]
    application: Mapping[str, Any]
    value: Any
    data: list[bytes]
    kept: bytes

    @property
    def id(self) -> Any:
        return self.properties[0]

    @property
    def reply_to(self) -> str | None:
        return self.properties[4]

    @property
    def scheduled(self) -> float | None:
        """When it is to be enqueued, in seconds since 1970."""
        when = self.annotations.get(_SCHEDULED)
        return None if when is None else when / 1000


def read(raw: bytes) -> Sections:
    """Raises `Malformed`."""
    properties, annotations, application, value = padded([], 13), {}, {}, None
    data, kept = list[bytes](), b""
    for section, part in _split(raw):
        match section.code:
            case 0x70 | 0x71:
                pass
            case 0x72:
                annotations = section.value or {}
            case 0x73:
                properties = padded(section.value, 13)
                kept += part
            case 0x74:
                application = section.value or {}
            case _:
                if section.code == DATA:
                    data.append(section.value)
                value = section.value if section.code == VALUE else value
                kept += part
    return Sections(properties, annotations, application, value, data, kept)


def with_id(raw: bytes) -> bytes:
    """The message, with an id if it has none: the service gives it one."""
    sections = read(raw)
    if sections.id is not None:
        return raw
    sections.properties[0] = uuid4().hex
    others = b"".join(part for section, part in _split(raw) if section.code != PROPERTIES)
    # The order of sections is fixed: properties come after annotations, and before what is left.
    before = b"".join(part for section, part in _split(others) if section.code < PROPERTIES)
    return before + encode(Described(PROPERTIES, sections.properties)) + others[len(before) :]


def render(
    raw: bytes,
    *,
    delivery_count: int,
    annotations: Mapping[str, Any],
    lock_token: UUID | None = None,
    dead_letter: tuple[str, str] | None = None,
) -> bytes:
    """The message as a consumer gets it. `dead_letter` is its reason and description."""
    sections = read(raw)
    header = padded([], 5)
    header[_DELIVERY_COUNT] = UInt(delivery_count)
    stamped = dict(sections.annotations) | {Symbol(name): value for name, value in annotations.items()}
    application = dict(sections.application)
    if dead_letter:
        application |= {"DeadLetterReason": dead_letter[0], "DeadLetterErrorDescription": dead_letter[1]}
    out = encode(Described(HEADER, header))
    if lock_token:
        out += encode(Described(DELIVERY_ANNOTATIONS, {Symbol("x-opt-lock-token"): lock_token}))
    out += encode(Described(MESSAGE_ANNOTATIONS, stamped))
    parts = [(section.code, part) for section, part in _split(sections.kept)]
    out += b"".join(part for code, part in parts if code == PROPERTIES)
    if application:
        out += encode(Described(APPLICATION_PROPERTIES, application))
    return out + b"".join(part for code, part in parts if code != PROPERTIES)


def response(correlation_id: Any, status: Mapping[str, Any], body: Any) -> bytes:
    """The answer to a request over a pair of links."""
    properties = padded([], 13)
    properties[5] = correlation_id
    return (
        encode(Described(PROPERTIES, properties))
        + encode(Described(APPLICATION_PROPERTIES, dict(status)))
        + encode(Described(VALUE, body))
    )


def milliseconds(seconds: float) -> Timestamp:
    return Timestamp(round(seconds * 1000))


def state(scheduled: bool) -> Int:
    """`x-opt-message-state`: active or scheduled."""
    return Int(2 if scheduled else 0)


def padded(fields: list[Any] | None, length: int) -> list[Any]:
    """Fields at the end of a list may be left out."""
    fields = list(fields or [])
    return fields + [None] * (length - len(fields))


def _split(raw: bytes) -> Iterator[tuple[Described, bytes]]:
    start = 0
    while start < len(raw):
        section, end = decode(raw, start)
        if not isinstance(section, Described):
            raise Malformed("no section")
        yield section, raw[start:end]
        start = end
