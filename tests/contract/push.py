"""Fixtures of the push channel: the laptop's hub as `make run` serves it, and the emulator in a server of its own.

WEB_PUBSUB_TEST_CONNECTION names a Web PubSub resource to run the tests on instead of the emulator.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import aiohttp
import pytest

from emulators.webpubsub.server import WebPubSubEmulator
from local.host import Host
from local.http import Front
from local.hub import Hub
from local.setup import listen, offer_hub
from shared.push.channel import ClientUrl, PushChannel
from shared.push.webpubsub import WebPubSubChannel

PATIENCE = 10
"""Seconds until a test fails that waits for a frame."""


class Listener:
    """A client, connected. `async with Listener(url) as client: await client.frame()`."""

    def __init__(self, where: ClientUrl, *, verify: bool = True) -> None:
        self._where = where
        self._verify = verify
        self.session = aiohttp.ClientSession()
        self.connection_id = ""

    async def __aenter__(self) -> Self:
        try:
            self.socket = await self.session.ws_connect(
                self._where.url, protocols=[self._where.protocol], ssl=self._verify
            )
        except aiohttp.ClientError:
            await self.session.close()
            raise
        connected = await self.receive()
        assert (connected["type"], connected["event"]) == ("system", "connected")
        self.connection_id = connected["connectionId"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        await self.session.close()

    async def receive(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await self.socket.receive_json()

    async def frame(self) -> Any:
        """What is pushed next."""
        while (told := await self.receive())["type"] != "message":
            pass
        return told["data"]

    async def ask(self, **request: Any) -> Any:
        """A request of the subprotocol, and its acknowledgement."""
        await self.socket.send_json(request)
        while (told := await self.receive()).get("ackId") != request["ackId"]:
            pass
        return told

    async def closed(self) -> int | None:
        """Its close code, once it is disconnected."""
        async with asyncio.timeout(PATIENCE):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code


class _NoFunctions:
    """A runtime without an app: only the hub is asked here."""

    http_app = None

    class host:  # noqa: N801 - as the attribute of `Runtime`
        route_prefix = ""

    def triggered_by(self, _: str) -> list[Any]:
        return []

    def close(self) -> None:
        pass


@pytest.fixture
async def laptop_hub() -> AsyncIterator[str]:
    """The connection string of the hub that `python -m local` serves beside the app, on the same port."""
    environment: dict[str, str] = {}
    with listen("127.0.0.1", "0") as listening:
        key = offer_hub(environment, f"http://127.0.0.1:{listening.getsockname()[1]}")
        runtime: Any = _NoFunctions()
        host = Host(runtime, Hub(key or ""))
        assert isinstance(host._front, Front)
        await host.serve(listening)
        yield environment["WEB_PUBSUB_CONNECTION_STRING"]
        await host.stop()


@pytest.fixture(scope="session")
def running_webpubsub() -> Iterator[WebPubSubEmulator]:
    with WebPubSubEmulator() as emulator:
        yield emulator


@pytest.fixture
def webpubsub(running_webpubsub: WebPubSubEmulator) -> str:
    return os.environ.get("WEB_PUBSUB_TEST_CONNECTION", running_webpubsub.connection_string)


@pytest.fixture(params=["laptop_hub", "webpubsub"])
def hub_connection(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def channel(hub_connection: str) -> AsyncIterator[PushChannel]:
    opened = WebPubSubChannel(hub_connection, "support")
    yield opened
    await opened.close()
