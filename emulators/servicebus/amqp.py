"""The types of AMQP 1.0 and their bytes.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html

Python has fewer types than the protocol: those of its own kind are subclasses, so that a value that was read is written
as what it was. A plain `int` is a long, a `float` a double.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID


class Symbol(str):
    __slots__ = ()


class UByte(int):
    pass


class UShort(int):
    pass


class UInt(int):
    pass


class ULong(int):
    pass


class Int(int):
    pass


class Timestamp(int):
    """Milliseconds since 1970."""


class Array(list[Any]):
    """Values of one type."""


@dataclass(frozen=True, slots=True)
class Described:
    """A value with the code that says what it stands for."""

    code: int
    value: Any


class Malformed(ValueError):
    """Bytes that are no AMQP."""


_FIXED = (
    (0x50, UByte, "B"),
    (0x60, UShort, "H"),
    (0x70, UInt, "I"),
    (0x80, ULong, "Q"),
    (0x71, Int, "i"),
    (0x83, Timestamp, "q"),
    (0x81, int, "q"),
    (0x82, float, "d"),
)
"""What is written, with its code and layout; subclasses before their base."""
_READ = {code: (kind, struct.Struct(f">{layout}")) for code, kind, layout in _FIXED} | {
    0x51: (Int, struct.Struct(">b")),
    0x52: (UInt, struct.Struct(">B")),
    0x53: (ULong, struct.Struct(">B")),
    0x54: (Int, struct.Struct(">b")),
    0x55: (int, struct.Struct(">b")),
    0x56: (bool, struct.Struct(">B")),
    0x61: (Int, struct.Struct(">h")),
    0x72: (float, struct.Struct(">f")),
}
_CONSTANTS = {0x40: None, 0x41: True, 0x42: False, 0x43: UInt(0), 0x44: ULong(0)}
_TEXTS = {bytes: 0xA0, str: 0xA1, Symbol: 0xA3}
"""Codes of up to 255 bytes; longer ones have 0x10 more."""


def encode(value: Any) -> bytes:
    match value:
        case None:
            return b"\x40"
        case bool():
            return b"\x41" if value else b"\x42"
        case Described():
            return b"\x00\x53" + bytes([value.code]) + encode(value.value)
        case UUID():
            return b"\x98" + value.bytes
        case Symbol() | str() | bytes():
            content = value if isinstance(value, bytes) else value.encode()
            code = _TEXTS[type(value)]
            if len(content) < 0x100:
                return bytes([code, len(content)]) + content
            return struct.pack(">BI", code + 0x10, len(content)) + content
        case int() | float():
            code, _, layout = _number(value)
            return struct.pack(f">B{layout}", code, value)
        case Array():
            return _array(value)
        case list() | tuple():
            return _compound(0xD0, [encode(one) for one in value])
        case dict():
            return _compound(0xD1, [encode(one) for pair in value.items() for one in pair])
    raise TypeError(f"AMQP has no {type(value).__name__}")


def decode(data: bytes, start: int = 0) -> tuple[Any, int]:
    """The value that begins at `start`, and where the next one does. Raises `Malformed`."""
    try:
        code = data[start]
        if code == 0:
            descriptor, start = decode(data, start + 1)
            value, start = decode(data, start)
            return Described(int(descriptor), value), start
        return _decode(code, data, start + 1)
    except (IndexError, struct.error, ValueError, OverflowError, TypeError, RecursionError) as error:
        raise Malformed(str(error)) from error


def _decode(code: int, data: bytes, start: int) -> tuple[Any, int]:
    if code in _CONSTANTS:
        return _CONSTANTS[code], start
    if code in _READ:
        kind, layout = _READ[code]
        return kind(layout.unpack_from(data, start)[0]), start + layout.size
    if code == 0x98:
        return UUID(bytes=bytes(data[start : start + 16])), start + 16
    if code == 0x45:
        return [], start
    wide = code & 0xF0 in (0xB0, 0xD0, 0xF0)
    size = struct.Struct(">I" if wide else ">B")
    (length,) = size.unpack_from(data, start)
    start += size.size
    end = start + length
    if end > len(data):
        raise Malformed("a value longer than its frame")
    family = code - 0x10 if wide else code
    if family in (0xA0, 0xA1, 0xA3):
        content = bytes(data[start:end])
        return (content if family == 0xA0 else content.decode() if family == 0xA1 else Symbol(content.decode())), end
    (count,) = size.unpack_from(data, start)
    start += size.size
    if family == 0xE0:
        return _read_array(data, start, count), end
    if family not in (0xC0, 0xC1):
        raise Malformed(f"type {code:#x}")
    values: list[Any] = []
    for _ in range(count):
        value, start = decode(data, start)
        values.append(value)
    return (values if family == 0xC0 else dict(zip(values[::2], values[1::2], strict=True))), end


def _read_array(data: bytes, start: int, count: int) -> Array:
    code, start = data[start], start + 1
    values = Array()
    for _ in range(count):
        value, start = _decode(code, data, start)
        values.append(value)
    return values


def _number(value: float) -> tuple[int, type, str]:
    return next(one for one in _FIXED if isinstance(value, one[1]))


def _compound(code: int, parts: Sequence[bytes]) -> bytes:
    content = b"".join(parts)
    return struct.pack(">BII", code, len(content) + 4, len(parts)) + content


def _array(values: Iterable[Any]) -> bytes:
    """Symbols, or numbers of one kind. An empty one is of nulls."""
    values = list(values)
    if not values:
        code, content = 0x40, b""
    elif isinstance(values[0], Symbol):
        code = 0xB3
        content = b"".join(struct.pack(">I", len(one.encode())) + one.encode() for one in values)
    else:
        code, _, layout = _number(values[0])
        content = b"".join(struct.pack(f">{layout}", one) for one in values)
    return struct.pack(">BIIB", 0xF0, len(content) + 5, len(values), code) + content
