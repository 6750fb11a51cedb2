"""A proxy that fails on request, before a server that does not: Azurite and Chroma have no faults of their own.

with FaultyProxy("http://127.0.0.1:10000") as proxy:
    proxy.faults.add(Fault(method="PUT", applied=True, cut=True))
    ...  # the next PUT to proxy.url happens, and its sender never hears of it
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

from emulators.faults import Faults
from emulators.threads import ThreadedServer

_OWN = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
"""Headers about the connection itself, of which there are two."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Befalls the next `times` requests of `method` (empty: any) whose path holds `path`, after `skip` that pass.

    `status`: answer with it, in the words of no server in particular. `cut`: close the connection without an answer.
    `delay`: seconds until the request goes on, if its sender still waits. `applied`: it reaches the server although its
    sender is told otherwise.
    """

    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    status: int | None = None
    cut: bool = False
    delay: float = 0
    applied: bool = False

    def befalls(self, request: web.Request) -> bool:
        return self.method in ("", request.method) and self.path in request.path


class FaultyProxy(ThreadedServer):
    """On a thread of its own. `faults` are those that wait to happen; `requests` is what came, as METHOD path."""

    def __init__(self, target: str) -> None:
        super().__init__("faulty-proxy")
        self._target = target.rstrip("/")
        self.url = ""
        self.faults = Faults[Fault]()
        self.requests: list[str] = []
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
        self._session: aiohttp.ClientSession | None = None

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, shutdown_timeout=0.1)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append(f"{request.method} {request.path}")
        fault = self.faults.take(lambda fault: fault.befalls(request))
        if fault is None:
            return await self._forward(request, body)
        await asyncio.sleep(fault.delay)
        answer = await self._forward(request, body) if fault.applied or not (fault.cut or fault.status) else None
        if fault.cut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if fault.status is not None:
            return web.Response(status=fault.status, text="upstream connect error")
        return answer or web.Response(status=502)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        if self._session is None:
            raise RuntimeError("the proxy has not been started")
        url = URL(self._target + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        async with self._session.request(request.method, url, headers=headers, data=body or None) as answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OWN]
            content = await answer.read()
            made = web.Response(status=answer.status, body=content)
            for name, value in kept:
                made.headers[name] = value
            if request.method == "HEAD" and (length := answer.headers.get("Content-Length")):
                made.headers["Content-Length"] = length
            return made
