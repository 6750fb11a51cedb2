"""Requests to a queue's `$management` node: what cannot be done with messages on a link.

https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from emulators.servicebus.amqp import Array
from emulators.servicebus.broker import Broker, BrokerError
from emulators.servicebus.faults import Step
from emulators.servicebus.message import milliseconds

STEPS: Mapping[str, Step] = {
    "com.microsoft:peek-message": "peek",
    "com.microsoft:renew-lock": "renew",
    "com.microsoft:update-disposition": "settle",
    "com.microsoft:schedule-message": "schedule",
    "com.microsoft:cancel-scheduled-message": "cancel",
}
"""The requests that are answered, and what they are for a fault."""


def answer(broker: Broker, queue: str, operation: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was asked for; None if there is nothing. Raises `BrokerError`."""
    match operation:
        case "com.microsoft:peek-message":
            found = broker.peek(queue, body["from-sequence-number"], body["message-count"])
            now = broker.clock()
            return {"messages": [{"message": one.render(now)} for one in found]} if found else None
        case "com.microsoft:renew-lock":
            until = [milliseconds(broker.renew(token)) for token in _tokens(body)]
            return {"expirations": Array(until)}
        case "com.microsoft:update-disposition":
            settle = _settlement(broker, body)
            for token in _tokens(body):
                settle(token)
            return {}
        case "com.microsoft:schedule-message":
            numbers = [broker.send(queue, one["message"]) or 0 for one in body["messages"]]
            return {"sequence-numbers": Array(numbers)}
        case "com.microsoft:cancel-scheduled-message":
            for number in body["sequence-numbers"]:
                broker.cancel(queue, number)
            return {}
    raise BrokerError("amqp:not-implemented", f"The emulator has no {operation}.", 501)


def _settlement(broker: Broker, body: Mapping[str, Any]) -> Callable[[str], None]:
    match body["disposition-status"]:
        case "completed":
            return broker.complete
        case "abandoned":
            return broker.abandon
        case "suspended":
            reason, description = body.get("deadletter-reason", ""), body.get("deadletter-description", "")
            return lambda token: broker.dead_letter(token, reason, description)
        case other:
            raise BrokerError("amqp:not-implemented", f"The emulator has no {other}.", 501)


def _tokens(body: Mapping[str, Any]) -> list[str]:
    return [str(token if isinstance(token, UUID) else UUID(str(token))) for token in body["lock-tokens"]]
