"""Nothing waits for the push channel, and nothing depends on it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import telemetry
from shared.errors import NoPushChannel, Unavailable
from shared.push import service
from shared.push.channel import PROTOCOL, Audience, ClientUrl
from shared.push.service import LANE, PushService

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class GivenChannel:
    """Publishes when `gate` is open, unless `broken`."""

    origin = "wss://push.example"

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken: Exception | None = None
        self.published: list[tuple[str, Audience, Any]] = []
        self.minutes: list[int] = []
        self.closed = False

    async def client_url(self, session_id: str, audience: Audience, *, minutes: int) -> ClientUrl:
        self.minutes.append(minutes)
        return ClientUrl(f"wss://push.example/{audience}/{session_id}", PROTOCOL, NOW + timedelta(minutes=minutes))

    async def publish(self, session_id: str, audience: Audience, frame: Mapping[str, Any]) -> None:
        await self.gate.wait()
        if self.broken:
            raise self.broken
        self.published.append((session_id, audience, frame))

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def channel() -> GivenChannel:
    return GivenChannel()


@pytest.fixture
async def push(channel: GivenChannel) -> AsyncIterator[PushService]:
    made = PushService(channel, now=lambda: NOW)
    yield made
    await made.close()


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Mapping[str, int]]:
    counted = Counter[str]()

    class Counting:
        def add(self, number: int, attributes: Mapping[str, str]) -> None:
            counted[attributes["outcome"]] += number

    monkeypatch.setattr(telemetry, "push_events", Counting())
    return lambda: dict(counted)


async def test_frames_of_a_conversation_keep_their_order(push: PushService, channel: GivenChannel) -> None:
    for seq in range(40):
        push.tell("s1", {"seq": seq}, ("customer",))
    await push.drain()
    assert [frame["seq"] for _, _, frame in channel.published] == list(range(40))


async def test_both_sides_are_told_unless_one_is_named(push: PushService, channel: GivenChannel) -> None:
    push.tell("s1", {"seq": 1})
    push.tell("s1", {"seq": 2}, ("operators",))
    await push.drain()
    assert [(side, frame["seq"]) for _, side, frame in channel.published] == [
        ("customer", 1),
        ("operators", 1),
        ("operators", 2),
    ]


async def test_a_channel_that_hangs_holds_nobody_up_and_what_is_too_much_is_counted(
    push: PushService, channel: GivenChannel, outcomes: Callable[[], Mapping[str, int]]
) -> None:
    channel.gate.clear()
    for seq in range(LANE + 30):
        push.tell("s1", {"seq": seq}, ("customer",))  # returns at once, or this test would never end
    assert outcomes() == {"dropped": 30}
    channel.gate.set()
    await push.drain()
    assert outcomes() == {"dropped": 30, "sent": LANE}


@pytest.mark.parametrize("error", [Unavailable("away"), TimeoutError(), RuntimeError("unexpected")])
async def test_what_cannot_be_published_is_counted_and_the_next_goes_on(
    push: PushService, channel: GivenChannel, outcomes: Callable[[], Mapping[str, int]], error: Exception
) -> None:
    channel.broken = error
    push.tell("s1", {"seq": 1})
    await push.drain()
    channel.broken = None
    push.tell("s1", {"seq": 2})
    await push.drain()
    assert outcomes() == {"failed": 2, "sent": 2}
    assert {frame["seq"] for _, _, frame in channel.published} == {2}


async def test_a_failure_is_told_once_and_not_as_the_work_of_the_request_that_came_first(
    push: PushService, channel: GivenChannel
) -> None:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(telemetry.JsonFormatter().format(record))

    service.logger.addHandler(handler := Lines())
    channel.broken = Unavailable("away")
    with telemetry.log_context(session_id="s1", invocation_id="i1"):
        push.tell("s1", {"seq": 1})
        push.tell("s2", {"seq": 1})
    await push.drain()
    service.logger.removeHandler(handler)
    [line] = lines
    assert "push_channel_failing" in line
    assert "s1" not in line
    assert "i1" not in line


async def test_a_publish_that_takes_too_long_is_given_up(
    channel: GivenChannel, monkeypatch: pytest.MonkeyPatch, outcomes: Callable[[], Mapping[str, int]]
) -> None:
    monkeypatch.setattr(service, "PUBLISH_SECONDS", 0.01)
    push = PushService(channel, now=lambda: NOW)
    channel.gate.clear()
    push.tell("s1", {"seq": 1}, ("customer",))
    await push.drain()
    assert outcomes() == {"failed": 1}
    await push.close()


async def test_the_end_does_not_wait_for_a_channel_that_hangs(
    channel: GivenChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CLOSE_SECONDS", 0.01)
    push = PushService(channel, now=lambda: NOW)
    channel.gate.clear()
    push.tell("s1", {"seq": 1})
    await push.close()
    assert channel.closed


@pytest.mark.parametrize(("left", "minutes"), [(24 * 60, 60), (30.5, 30), (0.2, 1), (-5, 1)])
async def test_an_address_holds_an_hour_at_most_and_no_longer_than_the_conversation(
    push: PushService, channel: GivenChannel, left: float, minutes: int
) -> None:
    await push.client_url("s1", "customer", until=NOW + timedelta(minutes=left))
    assert channel.minutes == [minutes]


async def test_without_a_channel_nothing_is_pushed_and_clients_are_told_to_poll() -> None:
    push = PushService(None, now=lambda: NOW)
    push.tell("s1", {"seq": 1})
    assert push.origin is None
    with pytest.raises(NoPushChannel, match="Poll"):
        await push.client_url("s1", "customer", until=NOW)
    await push.close()
