"""The laptop's hub, beyond what the contract of the channel asks: roles, expiry, and clients that do not read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import jwt
import pytest

from emulators.webpubsub.server import EMULATOR_KEY, WebPubSubEmulator
from local.hub import MAX_WAITING, POLICY_VIOLATION, TRY_AGAIN_LATER, Hub, _Client
from shared.push.channel import PROTOCOL, ClientUrl
from tests.contract.push import Listener


@pytest.fixture
async def emulator() -> AsyncIterator[WebPubSubEmulator]:
    with WebPubSubEmulator() as running:
        yield running


def url(
    emulator: WebPubSubEmulator, *roles: str, seconds: float = 60, hub: str = "support", **claims: Any
) -> ClientUrl:
    """Of a client whose token has these roles."""
    audience = f"{emulator.url}/client/hubs/{hub}"
    token = jwt.encode(
        {"aud": audience, "exp": time.time() + seconds, "role": list(roles)} | claims, EMULATOR_KEY, algorithm="HS256"
    )
    address = f"{audience.replace('http', 'ws', 1)}?access_token={token}"
    return ClientUrl(address, PROTOCOL, datetime.now(UTC))


SEND = {"type": "sendToGroup", "group": "g", "dataType": "json", "data": {"n": 1}}


async def test_a_role_allows_what_no_client_of_ours_may(emulator: WebPubSubEmulator) -> None:
    """What the contract's test of isolation sees refused does work, with roles: it is refused for want of them."""
    roles = ("webpubsub.joinLeaveGroup.g", "webpubsub.sendToGroup")
    async with Listener(url(emulator, *roles, sub="ada")) as one, Listener(url(emulator)) as stranger:
        assert (await one.ask(type="joinGroup", group="other", ackId=1))["error"]["name"] == "Forbidden"
        assert (await one.ask(type="joinGroup", group="g", ackId=2))["success"]
        await one.socket.send_json(SEND)
        told = await one.receive()
        assert (told["group"], told["data"], told["fromUserId"]) == ("g", {"n": 1}, "ada")
        assert (await one.ask(**SEND, noEcho=True, ackId=3))["success"]
        assert (await one.ask(type="leaveGroup", group="g", ackId=4))["success"]
        assert (await one.ask(**SEND, ackId=5))["success"]
        assert (await stranger.ask(type="joinGroup", group="g", ackId=1))["success"] is False


async def test_a_request_is_carried_out_once(emulator: WebPubSubEmulator) -> None:
    async with Listener(url(emulator, "webpubsub.joinLeaveGroup")) as client:
        assert (await client.ask(type="joinGroup", group="g", ackId=1))["success"]
        assert (await client.ask(type="joinGroup", group="g", ackId=1))["error"]["name"] == "Duplicate"


async def test_hubs_do_not_share_groups(emulator: WebPubSubEmulator) -> None:
    group = {"webpubsub.group": ["g"]}
    sender = url(emulator, "webpubsub.sendToGroup", hub="other")
    async with Listener(url(emulator, **group)) as here, Listener(sender) as there:
        assert (await there.ask(**SEND, ackId=1))["success"]
        assert (await here.ask(type="event", event="x", ackId=1))["type"] == "ack"  # and nothing came before it


async def test_a_connection_ends_with_its_token(emulator: WebPubSubEmulator) -> None:
    async with Listener(url(emulator, seconds=1)) as client:
        assert await client.closed() == POLICY_VIOLATION
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with Listener(url(emulator, seconds=-1)):
            pass


async def test_a_client_needs_the_subprotocol_and_a_hub(emulator: WebPubSubEmulator) -> None:
    async with aiohttp.ClientSession() as session:
        for address, status in ((url(emulator).url, 400), (f"ws://127.0.0.1:{emulator.port}/elsewhere", 404)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(address)
            assert refused.value.status == status


async def test_a_client_that_does_not_read_is_disconnected_and_takes_no_memory() -> None:
    client = _Client("support", [], None)
    for number in range(MAX_WAITING + 10):
        client.tell(str(number))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await client.write(send)
    assert sent == [{"type": "websocket.close", "code": TRY_AGAIN_LATER}]


async def test_who_leaves_is_forgotten(emulator: WebPubSubEmulator) -> None:
    async with Listener(url(emulator, **{"webpubsub.group": "g"})):
        assert emulator.hub.connections == 1
    async with asyncio.timeout(10):
        while emulator.hub.connections:  # noqa: ASYNC110 - on another thread
            await asyncio.sleep(0.01)
    assert not emulator.hub._groups


async def test_the_services_own_calls_need_a_token_for_that_very_call(emulator: WebPubSubEmulator) -> None:
    path = "/api/hubs/support/groups/g/:send"

    def signed(audience: str, key: str = EMULATOR_KEY) -> dict[str, str]:
        token = jwt.encode({"aud": audience, "exp": time.time() + 60}, key, algorithm="HS256")
        return {"Authorization": f"Bearer {token}"}

    async with aiohttp.ClientSession(emulator.url) as session:
        for headers, status in (
            ({}, 401),
            (signed(emulator.url + path, "another key of thirty-two bytes!"), 401),
            (signed(f"{emulator.url}/client/hubs/support"), 401),
            (signed(f"{emulator.url}/api/hubs/support/groups/other/:send"), 401),
            (signed(emulator.url + path), 202),
        ):
            async with session.post(path, json={}, headers=headers) as answer:
                assert answer.status == status
        async with session.post(path, data=b"{", headers=signed(emulator.url + path)) as answer:
            assert answer.status == 400
        async with session.get(path, headers=signed(emulator.url + path)) as answer:
            assert answer.status == 405
        async with session.head("/api/health") as answer:
            assert answer.status == 200


def test_the_hub_answers_its_own_paths_only() -> None:
    hub = Hub("key")
    assert hub.answers("/client/hubs/support")
    assert hub.answers("/api/hubs/support/:generateToken")
    assert not any(map(hub.answers, ("/", "/chat/sessions", "/client", "/apihubs")))
