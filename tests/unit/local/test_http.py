"""The laptop's front door: what nobody waits for begins when those who do have their answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.http import Front
from local.runtime import Function, HostSettings

AT_ONCE = 1e-6
LONG = 60


class Upstream:
    """The runtime's HTTP app and its one function, which answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.host = HostSettings(route_prefix="")

    def triggered_by(self, _: str) -> list[Function]:
        return [Function("1", "chat", {"type": "httpTrigger", "route": "{*path}", "methods": ["GET"]})]

    async def invoke(self, *_: Any, **__: Any) -> None:
        pass

    async def http_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        await self.may_answer.wait()
        await Response()(scope, receive, send)


@asynccontextmanager
async def one_request(told: list[str]) -> AsyncIterator[tuple[Front, Upstream, asyncio.Task[None]]]:
    """A front door with a request in hand."""
    upstream = Upstream()
    front = Front(upstream)  # pyright: ignore[reportArgumentType]

    async def ask() -> None:
        about = {"method": "GET", "path": "/x", "client": ("127.0.0.1", 1)}
        sent = list[Any]()

        async def send(message: Any) -> None:
            sent.append(message)

        await front({"type": "http", "headers": [], **about}, asyncio.Event().wait, send)  # pyright: ignore[reportArgumentType]
        assert sent[0]["status"] == 200
        told.append("answered")

    asking = asyncio.create_task(ask())
    await upstream.asked.wait()
    try:
        yield front, upstream, asking
    finally:
        upstream.may_answer.set()
        await asking
        await front.close()


async def test_without_requests_the_pause_is_short() -> None:
    front = Front(SimpleNamespace(triggered_by=lambda _: [], host=HostSettings(), http_app=None))  # pyright: ignore[reportArgumentType]
    async with asyncio.timeout(LONG):
        await front.pause(seconds=AT_ONCE, at_most=2 * LONG)
    await front.close()


async def test_who_was_first_has_an_answer_before_the_pause() -> None:
    told = list[str]()

    async def pause(front: Front) -> None:
        await front.pause(seconds=AT_ONCE, at_most=LONG)
        told.append("paused")

    async with one_request(told) as (front, upstream, _):
        pausing = asyncio.create_task(pause(front))
        for _ in range(100):
            await asyncio.sleep(0)
        upstream.may_answer.set()
        await pausing
    assert told == ["answered", "paused"]


async def test_nobody_puts_the_pause_off_for_ever() -> None:
    told = list[str]()
    async with one_request(told) as (front, _, asking):
        await front.pause(seconds=AT_ONCE, at_most=AT_ONCE)
        assert not asking.done()
