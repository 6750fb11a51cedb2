"""Links: one way each, for the messages of a queue or for requests and their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from emulators.servicebus import message
from emulators.servicebus.amqp import Described, Malformed, Symbol, UInt, ULong
from emulators.servicebus.broker import BrokerError, Stored
from emulators.servicebus.frames import ERROR, Frame

if TYPE_CHECKING:
    from emulators.servicebus.connection import Session

CREDIT = 500
"""Messages that a producer may send before it hears of us."""


class Link:
    """`count` and `credit` are those of the link's flow: messages that were transferred, and that still may be."""

    def __init__(self, session: Session, handle: UInt, fields: list[Any], address: str) -> None:
        self.session = session
        self.handle = handle
        self.address = address
        self.count = 0
        self.credit = 0
        self._name = fields[0]
        self._receives = fields[2] is False
        self._modes = fields[3:5]
        self._ends = fields[5:7]

    def answer(self) -> None:
        """Attach our end."""
        self._attach(self._ends)

    def refuse(self, error: BrokerError) -> None:
        """An end without an address, then the reason."""
        self._attach([None, None])
        self.session.send(Frame.DETACH, [self.handle, True, error_of(error)])

    def _attach(self, ends: list[Any]) -> None:
        start = None if self._receives else UInt(0)
        fields = [self._name, self.handle, self._receives, *self._modes, *ends, None, None, start]
        self.session.send(Frame.ATTACH, [*fields, ULong(message.MAX_BYTES)])


class IncomingLink(Link):
    """On which a client sends."""

    def __init__(self, session: Session, handle: UInt, fields: list[Any], address: str) -> None:
        super().__init__(session, handle, fields, address)
        self._parts: list[bytes] = []
        self._first: list[Any] = []

    def answer(self) -> None:
        super().answer()
        self.credit = CREDIT
        self.session.flow(self)

    def collect(self, fields: list[Any], payload: bytes) -> bool:
        """Whether the message is whole. Raises `Malformed` for one that is far too long."""
        self._first = self._first or fields
        self._parts.append(payload)
        if sum(map(len, self._parts)) > 4 * message.MAX_BYTES:
            raise Malformed("an endless message")
        return not fields[5]

    def take(self) -> tuple[int, bool, bytes, bool]:
        """The number of the delivery, whether it needs no answer, its bytes, whether they are a batch."""
        first, raw = self._first, b"".join(self._parts)
        self._first, self._parts = [], []
        self.count += 1
        self.credit -= 1
        return first[1], bool(first[4]), raw, first[3] == message.BATCH_FORMAT


class OutgoingLink(Link):
    """On which a client receives."""

    @property
    def ready(self) -> bool:
        return self.credit > 0 and self.session.window > 0

    def deliver(self, stored: Stored, now: float) -> None:
        token = UUID(stored.token)
        at_once = self._modes[0] == 1
        number = self._transfer(stored.render(now), token.bytes_le, at_once)
        if at_once:  # The consumer asked for messages that are gone once they are sent.
            self.session.server.broker.complete(str(token))
        else:
            self.session.unsettled[number] = (self.address, str(token))

    def respond(self, raw: bytes) -> None:
        self._transfer(raw, uuid4().bytes, settled=True)

    def _transfer(self, raw: bytes, tag: bytes, settled: bool) -> int:
        self.count += 1
        self.credit -= 1
        return self.session.transfer(self, raw, tag, settled)


def error_of(error: BrokerError) -> Described:
    return Described(ERROR, [Symbol(error.condition), str(error), None])
