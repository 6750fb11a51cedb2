"""What every `PushChannel` promises, over real WebSocket connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.push.channel import PROTOCOL, Audience, PushChannel
from shared.push.webpubsub import WebPubSubChannel, group
from tests.contract.push import Listener

FRAME = {"seq": 3, "events": [{"type": "CUSTOM", "name": "owner", "value": {"owner": "human"}}]}


def new_session() -> str:
    return str(uuid4())


async def listener(channel: PushChannel, session_id: str, audience: Audience = "customer") -> Listener:
    return Listener(await channel.client_url(session_id, audience, minutes=5))


async def test_everybody_of_an_audience_hears_what_is_published(channel: PushChannel) -> None:
    session_id = new_session()
    async with await listener(channel, session_id) as one, await listener(channel, session_id) as another:
        await channel.publish(session_id, "customer", FRAME)
        assert await one.frame() == await another.frame() == FRAME


async def test_frames_come_in_the_order_in_which_they_were_published(channel: PushChannel) -> None:
    session_id = new_session()
    async with await listener(channel, session_id) as client:
        for seq in range(50):
            await channel.publish(session_id, "customer", FRAME | {"seq": seq})
        assert [(await client.frame())["seq"] for _ in range(50)] == list(range(50))


async def test_a_frame_may_hold_any_text(channel: PushChannel) -> None:
    session_id = new_session()
    text = 'Grüße, 你好 👋\n"quoted" \u2028 </script> ' + "x" * 100_000
    async with await listener(channel, session_id) as client:
        await channel.publish(session_id, "customer", {"seq": 1, "events": [{"delta": text}]})
        assert (await client.frame())["events"] == [{"delta": text}]


async def test_to_publish_where_nobody_listens_is_no_error(channel: PushChannel) -> None:
    await channel.publish(new_session(), "customer", FRAME)


async def test_neither_side_hears_what_is_meant_for_the_other(channel: PushChannel) -> None:
    session_id = new_session()
    customer = await listener(channel, session_id, "customer")
    desk = await listener(channel, session_id, "operators")
    async with customer, desk:
        await channel.publish(session_id, "operators", FRAME | {"seq": 1})
        await channel.publish(session_id, "customer", FRAME | {"seq": 2})
        assert (await customer.frame())["seq"] == 2
        assert (await desk.frame())["seq"] == 1


async def test_a_url_says_until_when_it_holds_and_where_it_leads(channel: PushChannel) -> None:
    where = await channel.client_url(new_session(), "customer", minutes=7)
    assert where.protocol == PROTOCOL
    assert abs(where.expires_at - datetime.now(UTC) - timedelta(minutes=7)) < timedelta(minutes=1)
    parts = urlsplit(where.url)
    assert f"{parts.scheme}://{parts.netloc}" == channel.origin


async def test_a_url_that_was_changed_connects_nobody(channel: PushChannel) -> None:
    where = await channel.client_url(new_session(), "customer", minutes=5)
    address, _, token = where.url.partition("?access_token=")
    head, claims, signature = token.split(".")
    forged = jwt.encode(
        jwt.decode(token, options={"verify_signature": False}) | {"webpubsub.group": ["customer.other"]}, "x" * 32
    )
    wrong = (
        address,
        f"{address}?access_token=",
        f"{address}?access_token={forged}",
        f"{address}?access_token={head}.{claims}.{signature[::-1]}",
        f"{address}?access_token={jwt.encode({}, None, algorithm='none')}",
    )
    for url in wrong:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with Listener(replace(where, url=url)):
                pass
        assert refused.value.status == 401


async def test_a_client_that_was_cut_off_connects_with_a_new_url(channel: PushChannel) -> None:
    session_id = new_session()
    async with await listener(channel, session_id) as client:
        await client.socket.close()
    async with await listener(channel, session_id) as client:
        await channel.publish(session_id, "customer", FRAME)
        assert await client.frame() == FRAME


async def test_the_same_client_may_ask_for_a_pong(channel: PushChannel) -> None:
    async with await listener(channel, new_session()) as client:
        await client.socket.send_json({"type": "ping"})
        assert await client.receive() == {"type": "pong"}


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"type": "invent"}', '{"type": "sendToGroup"}'])
async def test_a_client_that_speaks_another_language_is_disconnected(channel: PushChannel, text: str) -> None:
    async with await listener(channel, new_session()) as client:
        await client.socket.send_str(text)
        await client.closed()


# ---- isolation

Step = tuple[str, int]
steps = st.lists(
    st.tuples(st.sampled_from(["joinGroup", "leaveGroup", "sendToGroup", "event"]), st.integers(0, 5)), max_size=12
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(attempts=steps, audience=st.sampled_from(["customer", "operators"]))
async def test_a_token_opens_one_side_of_one_conversation_and_nothing_else(
    channel: PushChannel, attempts: Sequence[Step], audience: Audience
) -> None:
    """Whatever its holder asks for: they can neither join, nor publish to, nor hear of another group, nor leave."""
    own, other = new_session(), new_session()
    mine = group(own, audience)
    groups = (
        group(other, "customer"),
        group(other, "operators"),
        group(own, "operators" if audience == "customer" else "customer"),
        "*",
        f"{mine}*",
        mine,  # not even one's own
    )
    intruder = await listener(channel, own, audience)
    victims = [await listener(channel, other, "customer"), await listener(channel, other, "operators")]
    async with intruder, victims[0], victims[1]:
        for number, (kind, target) in enumerate(attempts):
            request: Mapping[str, Any] = {
                "joinGroup": {"group": groups[target]},
                "leaveGroup": {"group": groups[target]},
                "sendToGroup": {"group": groups[target], "dataType": "json", "data": {"seq": 666, "events": []}},
                "event": {"event": "message", "dataType": "json", "data": {"seq": 666}},
            }[kind]
            told = await intruder.ask(type=kind, ackId=number, **request)
            assert told["success"] is False
            if kind != "event":
                assert told["error"]["name"] == "Forbidden"
        for seq, (session_id, side) in enumerate([(other, "customer"), (other, "operators"), (own, audience)], start=1):
            await channel.publish(session_id, side, FRAME | {"seq": seq})  # pyright: ignore[reportArgumentType]
        # Frames that somebody should not have had would have come before these.
        assert (await intruder.frame())["seq"] == 3
        assert [(await victim.frame())["seq"] for victim in victims] == [1, 2]


async def test_a_clients_token_opens_nothing_of_the_service_itself(channel: PushChannel) -> None:
    session_id = new_session()
    where = await channel.client_url(session_id, "customer", minutes=5)
    address, _, token = where.url.partition("?access_token=")
    service = "http" + address.removeprefix("ws").partition("/client/")[0]
    async with await listener(channel, session_id) as client:
        for path in (f"groups/{group(session_id, 'customer')}/:send", ":generateToken", ":send"):
            url = f"{service}/api/hubs/support/{path}?api-version=2024-01-01"
            headers = {"Authorization": f"Bearer {token}"}
            async with client.session.post(url, json=FRAME, headers=headers) as answer:
                assert answer.status in (401, 403, 404)
        await channel.publish(session_id, "customer", FRAME | {"seq": 9})
        assert (await client.frame())["seq"] == 9


# ---- the adapter itself


@pytest.mark.parametrize("text", ["", "nothing", "Endpoint=http://x", "AccessKey=k", "Endpoint=ftp://x;AccessKey=k"])
def test_what_is_no_connection_string_is_told_without_quoting_it(text: str) -> None:
    with pytest.raises(ConfigurationError, match="WEB_PUBSUB_CONNECTION_STRING") as error:
        WebPubSubChannel(text, "support")
    assert not text or text not in str(error.value)


async def test_many_may_publish_at_the_same_time(channel: PushChannel) -> None:
    sessions = [new_session() for _ in range(20)]
    clients = [await (await listener(channel, session_id)).__aenter__() for session_id in sessions]
    await asyncio.gather(
        *(channel.publish(session_id, "customer", FRAME | {"seq": n}) for n, session_id in enumerate(sessions))
    )
    assert [(await client.frame())["seq"] for client in clients] == list(range(20))
    for client in clients:
        await client.__aexit__()
