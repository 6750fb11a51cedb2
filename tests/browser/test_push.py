"""What people write is there at once over WebSocket; and also without one, by asking."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import WebSocket, WebSocketRoute, expect

from tests.browser.conftest import Desk, Visitor
from tests.browser.test_people import HUMAN, READ, ticket_of

SECOND = 1_000
"""Milliseconds."""


async def test_a_reply_is_there_within_a_second(visitor: Visitor, desk: Desk) -> None:
    connected = asyncio.Event()

    def joined(socket: WebSocket) -> None:
        if "/client/hubs/" in socket.url:
            socket.on("framereceived", lambda _: connected.set())

    visitor.page.on("websocket", joined)
    window = await visitor.opened()
    await visitor.answer(HUMAN)
    ticket = await ticket_of(visitor)
    async with asyncio.timeout(30):
        await connected.wait()
    await visitor.page.clock.install()  # from now on no time passes: nothing is asked by the clock
    desk.claim(ticket)
    await expect(window.locator(".remark")).to_contain_text("Ada Lindqvist has joined", timeout=SECOND)
    desk.type(ticket)
    await expect(window.locator(".typing")).to_contain_text("Ada Lindqvist", timeout=SECOND)
    desk.reply(ticket, "Hello, this is Ada.")
    await expect(window.locator(".message.human")).to_contain_text("Hello, this is Ada.", timeout=SECOND)
    await expect(window.locator(".typing")).to_have_count(0)
    desk.reply(ticket, "I have asked the courier.")
    await expect(window.locator(".message.human")).to_have_count(2, timeout=SECOND)


@pytest.mark.parametrize("blocked", ["socket", "negotiation"])
async def test_with_the_channel_blocked_it_comes_by_asking(visitor: Visitor, desk: Desk, blocked: str) -> None:
    visitor.expect_errors = True
    if blocked == "socket":
        await visitor.page.route_web_socket(re.compile("/client/hubs/"), _refuse)
    else:
        await visitor.page.route("**/negotiate", lambda route: route.abort())
    window = await visitor.opened()
    await visitor.answer(HUMAN)
    ticket = await ticket_of(visitor)
    desk.claim(ticket)
    desk.reply(ticket, "Hello, this is Ada.")
    await expect(window.locator(".message.human")).to_contain_text("Hello, this is Ada.", timeout=20 * SECOND)
    await expect(window.locator(".message.human")).to_have_count(1)


async def _refuse(route: WebSocketRoute) -> None:
    await route.close(code=1013)


async def test_a_connection_that_is_lost_mid_hand_off_loses_and_doubles_nothing(visitor: Visitor, desk: Desk) -> None:
    sockets: list[WebSocketRoute] = []
    silent = False

    async def between(route: WebSocketRoute) -> None:
        sockets.append(route)
        server = route.connect_to_server()
        server.on_message(lambda message: None if silent else route.send(message))

    await visitor.page.route_web_socket(re.compile("/client/hubs/"), between)
    window = await visitor.opened()
    await visitor.answer(HUMAN)
    ticket = await ticket_of(visitor)
    desk.claim(ticket)
    await expect(window.locator(".remark")).to_contain_text("Ada Lindqvist has joined")
    replies = window.locator(".message.human")
    for number in range(3):
        desk.reply(ticket, f"told {number}")
        await expect(replies).to_have_count(3 * number + 1)
        silent = True  # what is pushed now is lost
        desk.reply(ticket, f"lost {number}")
        await sockets[-1].close(code=1012)
        desk.reply(ticket, f"meanwhile {number}")
        silent = False
        await expect(replies).to_have_count(3 * number + 3, timeout=20 * SECOND)
    said = re.findall(r"(?:told|lost|meanwhile) \d", "\n".join(await replies.all_inner_texts()))
    assert said == [f"{what} {n}" for n in range(3) for what in ("told", "lost", "meanwhile")]
    assert visitor.line.count(READ) > 0


async def test_people_see_that_the_customer_types(visitor: Visitor, desk: Desk) -> None:
    window = await visitor.opened()
    await visitor.answer(HUMAN)
    ticket = await ticket_of(visitor)
    await window.get_by_label("Your message").press_sequentially("No")
    assert visitor.line.count(r"POST /chat/sessions/[\w-]+/typing") == 0  # nobody is there yet
    desk.claim(ticket)
    await expect(window.locator(".remark")).to_contain_text("Ada Lindqvist has joined")
    # A look that was under way during the claim can find the notice and the owner of before; the next one follows.
    await expect(window.locator(".heading p")).not_to_have_text("Waiting for a colleague")
    async with visitor.page.expect_response(re.compile("/typing$")) as told:
        await window.get_by_label("Your message").press_sequentially("body?")
    assert (await told.value).status == 204
    assert visitor.line.count(r"POST /chat/sessions/[\w-]+/typing") == 1
