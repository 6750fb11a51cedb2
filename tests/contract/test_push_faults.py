"""Web PubSub that refuses, hangs or is away: every failure is `Unavailable`, and soon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from emulators.http_proxy import Fault, FaultyProxy
from emulators.webpubsub.server import EMULATOR_KEY, WebPubSubEmulator
from shared.errors import Unavailable
from shared.push import webpubsub
from shared.push.webpubsub import WebPubSubChannel
from tests.contract.push import Listener

FRAME = {"seq": 1, "events": []}


@pytest.fixture(scope="module")
def emulator() -> Iterator[WebPubSubEmulator]:
    with WebPubSubEmulator() as running:
        yield running


@pytest.fixture
def proxy(emulator: WebPubSubEmulator) -> Iterator[FaultyProxy]:
    with FaultyProxy(emulator.url) as running:
        yield running


@pytest.fixture
async def channel(proxy: FaultyProxy) -> AsyncIterator[WebPubSubChannel]:
    """The app's calls go through the proxy."""
    opened = WebPubSubChannel(f"Endpoint={proxy.url};AccessKey={EMULATOR_KEY};Version=1.0;", "support")
    yield opened
    await opened.close()


@pytest.fixture
async def direct(emulator: WebPubSubEmulator) -> AsyncIterator[WebPubSubChannel]:
    """Clients connect without it: it knows no WebSocket."""
    opened = WebPubSubChannel(emulator.connection_string, "support")
    yield opened
    await opened.close()


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"cut": True}, {"cut": True, "applied": True}])
async def test_one_failure_is_overcome(
    channel: WebPubSubChannel, direct: WebPubSubChannel, proxy: FaultyProxy, fault: Any
) -> None:
    session_id = str(uuid4())
    async with Listener(await direct.client_url(session_id, "customer", minutes=5)) as client:
        proxy.faults.add(Fault(path=":send", **fault))
        await channel.publish(session_id, "customer", FRAME)
        assert await client.frame() == FRAME  # once more where it was applied: clients go by its number


@pytest.mark.parametrize(
    "fault", [{"status": 401}, {"status": 403}, {"status": 404}, {"status": 429}, {"status": 503}, {"cut": True}]
)
async def test_what_does_not_pass_is_unavailable(channel: WebPubSubChannel, proxy: FaultyProxy, fault: Any) -> None:
    proxy.faults.add(Fault(path=":send", times=10, **fault))
    with pytest.raises(Unavailable):
        await channel.publish("s1", "customer", FRAME)
    proxy.faults.clear()
    await channel.publish("s1", "customer", FRAME)


async def test_a_service_that_hangs_is_given_up(proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webpubsub, "READ_SECONDS", 0.05)
    impatient = WebPubSubChannel(f"Endpoint={proxy.url};AccessKey={EMULATOR_KEY};", "support")
    proxy.faults.add(Fault(path=":send", times=10, delay=30, cut=True))
    with pytest.raises(Unavailable):
        await impatient.publish("s1", "customer", FRAME)
    await impatient.close()


async def test_after_a_restart_the_same_channel_goes_on() -> None:
    with WebPubSubEmulator() as emulator:
        channel = WebPubSubChannel(emulator.connection_string, "support")
        before = await channel.client_url("s1", "customer", minutes=5)
        async with Listener(before) as client:
            emulator.stop()
            await client.closed()
        with pytest.raises(Unavailable):
            await channel.publish("s1", "customer", FRAME)
        emulator.start()
        async with Listener(before) as client:
            await channel.publish("s1", "customer", FRAME)
            assert await client.frame() == FRAME
        await channel.close()
