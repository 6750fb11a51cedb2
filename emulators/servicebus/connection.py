"""Connections and their sessions: frames to what they ask for, and back.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from emulators.servicebus import management, message
from emulators.servicebus.amqp import Array, Described, Int, Malformed, Symbol, UByte, UInt, UShort, decode, encode
from emulators.servicebus.auth import is_signed
from emulators.servicebus.broker import Broker, BrokerError
from emulators.servicebus.faults import Step
from emulators.servicebus.frames import Frame, Outcome
from emulators.servicebus.links import CREDIT, IncomingLink, Link, OutgoingLink, error_of

if TYPE_CHECKING:
    from emulators.servicebus.server import Server

HEADER, SASL_HEADER = b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00"
MAX_FRAME = 64 * 1024
ROOM = MAX_FRAME - 512
"""Of a frame, for a message's bytes."""
WINDOW = 65_536
"""Transfers that a peer may send before it hears of us."""

logger = logging.getLogger(__name__)


class Cut(Exception):
    """The connection breaks here."""


class Connection:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.authorized = False
        self._reader = reader
        self._writer = writer
        self._sessions: dict[int, Session] = {}
        self._beating: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            await self._shake_hands()
            while await self._next():
                self.server.deliver()
                await self._writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, Cut):
            pass
        except (Malformed, BrokerError, struct.error, KeyError, IndexError, TypeError):
            logger.exception("a client speaks another language")
        finally:
            if self._beating:
                self._beating.cancel()
            for session in self._sessions.values():
                session.end()
            self.abort()

    @property
    def is_closed(self) -> bool:
        return self._writer.transport.is_closing()

    def abort(self) -> None:
        """What is locked stays locked, as nobody can know what became of it."""
        self._writer.transport.abort()

    def send(self, channel: int, performative: int, fields: list[Any], payload: bytes = b"", kind: int = 0) -> None:
        self._write(channel, encode(Described(performative, fields)) + payload, kind)

    def _write(self, channel: int, body: bytes, kind: int = 0) -> None:
        self._writer.write(struct.pack(">IBBH", len(body) + 8, 2, kind, channel) + body)

    async def _shake_hands(self) -> None:
        """Whoever comes is let in; a token over `$cbs` then says what they may do."""
        if await self._reader.readexactly(8) == SASL_HEADER:
            mechanisms = Array([Symbol("MSSBCBS"), Symbol("ANONYMOUS"), Symbol("PLAIN"), Symbol("EXTERNAL")])
            self._writer.write(SASL_HEADER)
            self.send(0, Frame.SASL_MECHANISMS, [mechanisms], kind=1)
            await self._read()
            self.send(0, Frame.SASL_OUTCOME, [UByte(0)], kind=1)
            await self._reader.readexactly(8)
        self._writer.write(HEADER)

    async def _read(self) -> tuple[int, Described | None, bytes]:
        size, offset, _, channel = struct.unpack(">IBBH", await self._reader.readexactly(8))
        if not 8 <= size <= MAX_FRAME:
            raise Malformed(f"a frame of {size} bytes")
        body = (await self._reader.readexactly(size - 8))[offset * 4 - 8 :]
        if not body:
            return channel, None, b""
        performative, end = decode(body)
        return channel, performative, body[end:]

    async def _next(self) -> bool:
        """Do what one frame asks for. False if that was good-bye."""
        channel, frame, payload = await self._read()
        if frame is None:
            return True
        match frame.code:
            case Frame.OPEN:
                self._open(message.padded(frame.value, 10))
            case Frame.BEGIN:
                self._sessions[channel] = Session(self, channel, message.padded(frame.value, 8))
            case Frame.END:
                if session := self._sessions.pop(channel, None):
                    session.end()
                self.send(channel, Frame.END, [])
            case Frame.CLOSE:
                self.send(0, Frame.CLOSE, [])
                await self._writer.drain()
                return False
            case code:
                if session := self._sessions.get(channel):
                    await session.handle(code, frame.value, payload)
        return True

    def _open(self, fields: list[Any]) -> None:
        idle = fields[4]
        self.send(0, Frame.OPEN, ["emulator", fields[1], UInt(MAX_FRAME), UShort(255), UInt(120_000)])
        if idle:
            self._beating = asyncio.create_task(self._beat(idle / 2000))

    async def _beat(self, seconds: float) -> None:
        """Empty frames, so that a client does not take silence for an end."""
        while True:
            await asyncio.sleep(seconds)
            self._write(0, b"")


class Session:
    """Numbers transfers both ways, and knows which deliveries are not settled yet."""

    def __init__(self, connection: Connection, channel: int, begin: list[Any]) -> None:
        self.connection = connection
        self.window: int = begin[2]
        """Transfers that the peer takes now."""
        self.unsettled: dict[int, tuple[str, str]] = {}
        """Where each delivery came from, and the token of its lock."""
        self._channel = channel
        self._links: dict[int, Link] = {}
        self._handles = itertools.count()
        self._received: int = begin[1]
        self._sent = 0
        self._deliveries = 0
        self.send(Frame.BEGIN, [UShort(channel), UInt(0), UInt(WINDOW), UInt(WINDOW), UInt(255)])

    @property
    def server(self) -> Server:
        return self.connection.server

    def send(self, performative: int, fields: list[Any], payload: bytes = b"") -> None:
        self.connection.send(self._channel, performative, fields, payload)

    def end(self) -> None:
        for handle in list(self._links):
            self._forget(handle)

    async def handle(self, code: int, fields: list[Any], payload: bytes) -> None:
        match code:
            case Frame.ATTACH:
                await self._attach(message.padded(fields, 14))
            case Frame.FLOW:
                self._flow(message.padded(fields, 11))
            case Frame.TRANSFER:
                await self._transfer(message.padded(fields, 11), payload)
            case Frame.DISPOSITION:
                await self._disposition(message.padded(fields, 6))
            case Frame.DETACH:
                if link := self._forget(fields[0]):
                    self.send(Frame.DETACH, [link.handle, True])
            case other:
                raise Malformed(f"frame {other:#x}")

    def transfer(self, link: OutgoingLink, raw: bytes, tag: bytes, settled: bool) -> int:
        """Send a message, in as many frames as it needs. Returns the delivery's number."""
        number, self._deliveries = self._deliveries, self._deliveries + 1
        for start in range(0, len(raw), ROOM):
            first = [UInt(number), tag, UInt(0)] if start == 0 else [None, None, None]
            more = start + ROOM < len(raw)
            self.send(Frame.TRANSFER, [link.handle, *first, settled, more], raw[start : start + ROOM])
            self._sent += 1
            self.window -= 1
        return number

    def flow(self, link: Link, *, drain: bool = False) -> None:
        """Tell the peer where we are, and how many messages may come or have gone."""
        here = [UInt(self._received), UInt(WINDOW), UInt(self._sent), UInt(WINDOW)]
        self.send(Frame.FLOW, [*here, link.handle, UInt(link.count), UInt(link.credit), UInt(0), drain, False])

    async def carry_out[T](self, step: Step, queue: str, work: Callable[[], T]) -> T:
        """`work`, unless a fault befalls it. Raises `BrokerError`, `Cut`."""
        fault = self.server.faults.take(lambda fault: fault.befalls(step, queue))
        if fault is None:
            return work()
        early = [work()] if fault.applied else []
        await asyncio.sleep(fault.delay)
        if fault.cut or self.connection.is_closed:
            raise Cut
        if fault.error:
            raise BrokerError(fault.error, "A fault.", 500)
        return early[0] if early else work()

    # ---- links
    async def _attach(self, fields: list[Any]) -> None:
        sends = fields[2] is False
        kind = IncomingLink if sends else OutgoingLink
        link = kind(self, UInt(next(self._handles)), fields, _address(fields[6] if sends else fields[5]))
        self._links[fields[1]] = link
        try:
            await self.carry_out("attach", link.address, lambda: self._check(link.address))
        except BrokerError as error:
            link.refuse(error)
            self._forget(fields[1])
            return
        self.server.opened[link.address] += 1
        link.answer()
        if isinstance(link, OutgoingLink) and not _is_node(link.address):
            self.server.consumers.append(link)

    def _check(self, address: str) -> None:
        if address == "$cbs":
            return
        self.server.broker.options(address.removesuffix("/$management"))
        if not self.connection.authorized:
            raise BrokerError("amqp:unauthorized-access", f"Unauthorized access to '{address}'.", 401)

    def _forget(self, handle: int) -> Link | None:
        link = self._links.pop(handle, None)
        if isinstance(link, OutgoingLink) and link in self.server.consumers:
            self.server.consumers.remove(link)
        return link

    def _flow(self, fields: list[Any]) -> None:
        next_incoming, window, handle = fields[0], fields[1], fields[4]
        self.window = (next_incoming or 0) + window - self._sent
        link = self._links.get(handle) if handle is not None else None
        if isinstance(link, OutgoingLink):
            link.credit = max(0, (fields[5] or 0) + (fields[6] or 0) - link.count)
            if fields[8]:
                self.server.deliver()
                link.count, link.credit = link.count + link.credit, 0
                self.flow(link, drain=True)

    # ---- what producers send
    async def _transfer(self, fields: list[Any], payload: bytes) -> None:
        self._received += 1
        link = self._links.get(fields[0])
        if not isinstance(link, IncomingLink) or not link.collect(fields, payload):
            return
        number, settled, raw, is_batch = link.take()
        outcome = Described(Outcome.ACCEPTED, [])
        try:
            await self._receive(link, raw, is_batch=is_batch)
        except BrokerError as error:
            outcome = Described(Outcome.REJECTED, [error_of(error)])
        if not settled:
            self.send(Frame.DISPOSITION, [True, UInt(number), UInt(number), True, outcome])
        if link.credit < CREDIT // 2:
            link.credit = CREDIT
            self.flow(link)

    async def _receive(self, link: IncomingLink, raw: bytes, *, is_batch: bool) -> None:
        if link.address == "$cbs":
            self._authorize(message.read(raw))
        elif link.address.endswith("/$management"):
            await self._answer(link.address, message.read(raw))
        else:
            parts = message.read(raw).data if is_batch else [raw]
            broker = self.server.broker
            await self.carry_out(
                "send", link.address, lambda: [broker.send(link.address, bytes(part)) for part in parts]
            )

    def _authorize(self, request: message.Sections) -> None:
        token = str(request.value)
        self.connection.authorized = token == self.server.token or is_signed(self.server.key, token)
        code, text = (202, "Accepted") if self.connection.authorized else (401, "InvalidSignature")
        status = {"status-code": Int(code), "status-description": text}
        self._respond("$cbs", message.response(request.id, status, None))

    async def _answer(self, address: str, request: message.Sections) -> None:
        operation = str(request.application.get("operation"))
        queue = address.removesuffix("/$management")
        status: dict[str, Any] = {"statusCode": Int(200), "statusDescription": "OK"}
        body: dict[str, Any] | None = None
        try:
            step = management.STEPS.get(operation)
            broker, asked = self.server.broker, request.value or {}

            def work() -> dict[str, Any] | None:
                return management.answer(broker, queue, operation, asked)

            body = await self.carry_out(step, queue, work) if step else work()
            if body is None:
                status = {"statusCode": Int(204), "statusDescription": "No content"}
        except BrokerError as error:
            status = {"statusCode": Int(error.status), "statusDescription": str(error)}
            status["errorCondition"] = Symbol(error.condition)
        self._respond(address, message.response(request.id, status, body or {}))

    def _respond(self, address: str, raw: bytes) -> None:
        """To the link of this session on which answers of this node are awaited."""
        for link in self._links.values():
            if isinstance(link, OutgoingLink) and link.address == address:
                link.respond(raw)
                return

    # ---- what consumers say to deliveries
    async def _disposition(self, fields: list[Any]) -> None:
        of_receiver, first, last, settled, outcome = fields[:5]
        if not of_receiver or outcome is None:
            return
        for number in range(first, (first if last is None else last) + 1):
            if delivery := self.unsettled.pop(number, None):
                result = await self._settle(*delivery, outcome)
                if not settled:
                    self.send(Frame.DISPOSITION, [False, UInt(number), UInt(number), True, result])

    async def _settle(self, queue: str, token: str, outcome: Described) -> Described:
        """What is answered: the same outcome, or the error."""
        try:
            await self.carry_out("settle", queue, _settlement(self.server.broker, token, outcome))
        except BrokerError as error:
            return Described(Outcome.REJECTED, [error_of(error)])
        return Described(outcome.code, [])


def _settlement(broker: Broker, token: str, outcome: Described) -> Callable[[], None]:
    match outcome.code:
        case Outcome.ACCEPTED:
            return partial(broker.complete, token)
        case Outcome.REJECTED:
            (error,) = message.padded(outcome.value, 1)
            told = message.padded(error.value, 3)[2] if error else None
            about = {str(name): text or "" for name, text in (told or {}).items()}
            reason, description = about.get("DeadLetterReason", ""), about.get("DeadLetterErrorDescription", "")
            return partial(broker.dead_letter, token, reason, description)
        case Outcome.MODIFIED:
            return partial(broker.abandon, token)
        case _:  # released: given back as if nothing was
            return partial(broker.release, token)


def _is_node(address: str) -> bool:
    """Whether requests are sent there, and no messages."""
    return address == "$cbs" or address.endswith("/$management")


def _address(end: Described | None) -> str:
    """`queue`, `queue/$deadletterqueue`, `queue/$management` or `$cbs`, of a link's source or target."""
    text = str((end.value or [None])[0]) if end else ""
    return urlsplit(text).path.strip("/").lower() if "://" in text else text.strip("/").lower()
