"""The laptop's front door: what nobody waits for begins when those who do have their answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from local.http import Front
from local.runtime import Function, HostSettings

AT_ONCE = 1e-6
LONG = 60


class Upstream:
    """The runtime's server and its one function, which answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.host = HostSettings(route_prefix="")
        self.http_url = ""

    def triggered_by(self, _: str) -> list[Function]:
        return [Function("1", "chat", {"type": "httpTrigger", "route": "{*path}", "methods": ["GET"]})]

    async def invoke(self, *_: Any, **__: Any) -> None:
        pass

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await self.may_answer.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def one_request(told: list[str]) -> AsyncIterator[tuple[Front, Upstream, asyncio.Task[None]]]:
    """A front door with a request in hand."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.answer, "127.0.0.1", 0)
    upstream.http_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    front = Front(upstream)  # pyright: ignore[reportArgumentType]

    async def ask() -> None:
        about = {"method": "GET", "path": "/x", "raw_path": b"/x", "query_string": b"", "client": ("127.0.0.1", 1)}
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
        server.close()
        await server.wait_closed()


async def test_without_requests_the_pause_is_short() -> None:
    front = Front(SimpleNamespace(triggered_by=lambda _: [], host=HostSettings(), http_url=None))  # pyright: ignore[reportArgumentType]
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
