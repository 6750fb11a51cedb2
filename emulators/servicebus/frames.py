"""What frames, and the outcomes of deliveries, are called in numbers."""

from __future__ import annotations

from enum import IntEnum


class Frame(IntEnum):
    OPEN = 0x10
    BEGIN = 0x11
    ATTACH = 0x12
    FLOW = 0x13
    TRANSFER = 0x14
    DISPOSITION = 0x15
    DETACH = 0x16
    END = 0x17
    CLOSE = 0x18
    SASL_MECHANISMS = 0x40
    SASL_OUTCOME = 0x44


class Outcome(IntEnum):
    """Of a delivery, in the words of Service Bus: completed, dead-lettered, abandoned."""

    ACCEPTED = 0x24
    REJECTED = 0x25
    MODIFIED = 0x27


ERROR = 0x1D
