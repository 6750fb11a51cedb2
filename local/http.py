"""The front door: takes each request as the Functions host does and hands it to the runtime's own HTTP app.

In Azure the host forwards it to a server of the runtime's, over HTTP. Here both are in one process, and the app is
called in its place: nothing lies between that could hold back a chunk, or a client's leaving.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from local.hub import Hub
from local.routes import Routes
from local.runtime import Function, InvocationFailed, Message, Runtime, binary

MAX_BODY = 210 * 1024 * 1024
"""Bytes that a request may announce; the default of the Functions host (FUNCTIONS_REQUEST_BODY_SIZE_LIMIT)."""

INVOCATION_ID = b"x-ms-invocation-id"
FORWARDED_FOR = b"x-forwarded-for"


class Front:
    """An ASGI app. Every request becomes an invocation of the function whose route it matches; what is the hub's own is
    answered by it."""

    def __init__(self, runtime: Runtime, hub: Hub | None = None) -> None:
        self._runtime = runtime
        self._hub = hub
        self._routes = Routes(runtime.triggered_by("httpTrigger"), runtime.host.route_prefix)
        self._invocations: set[asyncio.Task[None]] = set()
        self._in_hand = 0
        self._last_asked = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hub and (scope["type"] == "websocket" or self._hub.answers(scope["path"])):
            await self._hub(scope, receive, send)
        elif not (found := self._routes.find(scope["method"], scope["path"])):
            await _answer(send, 404)
        elif _content_length(scope) > MAX_BODY:
            await _answer(send, 413)
        else:
            function, parameters = found
            self._in_hand += 1
            try:
                await self._serve(function, parameters, scope, receive, send)
            finally:
                self._in_hand -= 1
                self._last_asked = time.monotonic()

    async def pause(self, *, seconds: float, at_most: float) -> None:
        """Returns once no request has been in hand for `seconds`, and after `at_most` seconds in any case."""
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + at_most:
            left = seconds if self._in_hand else self._last_asked + seconds - now
            if left <= 0:
                return
            await asyncio.sleep(left)

    async def close(self) -> None:
        """Give up the invocations that still run."""
        for task in self._invocations:
            task.cancel()
        await asyncio.gather(*self._invocations, return_exceptions=True)

    async def _serve(
        self, function: Function, parameters: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        if self._runtime.http_app is None:
            raise RuntimeError(f"{function.name} is an HTTP function, and the runtime has no app to receive requests")
        invocation_id = str(uuid.uuid4())
        self._invoke(function, parameters, scope, invocation_id)
        await self._runtime.http_app(_forwarded(scope, invocation_id), receive, send)

    def _invoke(self, function: Function, parameters: Mapping[str, str], scope: Scope, invocation_id: str) -> None:
        """Start the invocation. It is no part of the connection: a client that leaves does not end it."""
        request = Message(
            http=Message(
                method=scope["method"],
                url=scope["path"],
                headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
                params=parameters,
                query={},
                body=binary(b""),
            )
        )

        async def invoke() -> None:
            with contextlib.suppress(InvocationFailed):  # told in the log; the client gets the runtime's 500
                await self._runtime.invoke(function, request, invocation_id=invocation_id)

        task = asyncio.create_task(invoke())
        self._invocations.add(task)
        task.add_done_callback(self._invocations.discard)


def _forwarded(scope: Scope, invocation_id: str) -> Scope:
    """The request as the runtime gets it: with the id of its invocation, and with the client, and its port, after what
    the client claims, as App Service adds it."""
    headers = [
        (name, value.strip(b" \t"))  # blanks around a value are no part of it (RFC 9110 §5.5)
        for name, value in scope["headers"]
        if name not in (INVOCATION_ID, FORWARDED_FOR)
    ]
    forwarded = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
    forwarded.append(_address(*scope["client"]).encode())
    headers += [(FORWARDED_FOR, b", ".join(forwarded)), (INVOCATION_ID, invocation_id.encode())]
    return {**scope, "headers": headers}


def _content_length(scope: Scope) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
