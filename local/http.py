"""The front door: takes each request as the Functions host does and forwards it to the runtime's own HTTP server.

Nothing is held back on the way. A body is passed on as it arrives, an answer chunk by chunk, and when one side hangs
up, so does the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpcore
from starlette.types import Receive, Scope, Send

from local.hub import Hub
from local.routes import Routes
from local.runtime import Function, InvocationFailed, Message, Runtime, binary

logger = logging.getLogger(__name__)

MAX_BODY = 210 * 1024 * 1024
"""Bytes of a request; the default of the Functions host (FUNCTIONS_REQUEST_BODY_SIZE_LIMIT)."""

KEEP_ALIVE = 30
"""Seconds; shorter than the runtime's server waits, so that no request meets a connection that is being closed."""

INVOCATION_ID = b"x-ms-invocation-id"
FORWARDED_FOR = b"x-forwarded-for"

# RFC 9110 §7.6.1: these belong to one connection. `expect` was answered by this server.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

_UNANSWERED = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)


class _ClientGone(Exception):
    """The client hung up while it was sending."""


class _BodyTooLarge(Exception):
    """The body grew over the limit."""


class Front:
    """An ASGI app. Every request becomes an invocation of the function whose route it matches; what is the hub's own is
    answered by it."""

    def __init__(self, runtime: Runtime, hub: Hub | None = None, *, max_body: int = MAX_BODY) -> None:
        self._runtime = runtime
        self._hub = hub
        self._routes = Routes(runtime.triggered_by("httpTrigger"), runtime.host.route_prefix)
        self._upstream = httpcore.URL(runtime.http_url or "")
        self._max_body = max_body
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=None, max_keepalive_connections=50, keepalive_expiry=KEEP_ALIVE
        )
        self._invocations: set[asyncio.Task[None]] = set()
        self._in_hand = 0
        self._last_asked = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hub and (scope["type"] == "websocket" or self._hub.answers(scope["path"])):
            await self._hub(scope, receive, send)
        elif not (found := self._routes.find(scope["method"], scope["path"])):
            await _answer(send, 404)
        elif _content_length(scope) > self._max_body:
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
        await self._pool.aclose()

    async def _serve(
        self, function: Function, parameters: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        invocation_id = str(uuid.uuid4())
        body = _Body(receive, limit=self._max_body, expected=_has_body(scope))
        invocation = self._invoke(function, parameters, scope, invocation_id)
        forwarding = asyncio.create_task(self._forward(self._request(scope, body, invocation_id), send))
        hang_up = asyncio.create_task(body.hang_up())
        try:
            await asyncio.wait({forwarding, hang_up}, return_when=asyncio.FIRST_COMPLETED)
            if forwarding.done():
                forwarding.result()
        except _ClientGone:
            pass
        except (_BodyTooLarge, *_UNANSWERED) as error:
            # The runtime never got this request; its invocation would wait for it.
            invocation.cancel()
            await _answer(send, _refusal(error))
        finally:
            forwarding.cancel()
            hang_up.cancel()
            await asyncio.gather(forwarding, hang_up, return_exceptions=True)

    def _invoke(
        self, function: Function, parameters: Mapping[str, str], scope: Scope, invocation_id: str
    ) -> asyncio.Task[None]:
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
        return task

    def _request(self, scope: Scope, body: _Body, invocation_id: str) -> httpcore.Request:
        headers = [
            (name, value.strip(b" \t"))  # blanks around a value are no part of it (RFC 9110 §5.5), and not sent on
            for name, value in scope["headers"]
            if name not in _HOP_BY_HOP and name not in (INVOCATION_ID, FORWARDED_FOR)
        ]
        # App Service adds the client, with its port, to what the client claims.
        forwarded = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
        forwarded.append(_address(*scope["client"]).encode())
        headers += [(FORWARDED_FOR, b", ".join(forwarded)), (INVOCATION_ID, invocation_id.encode())]
        if body.expected and not _content_length(scope):
            headers.append((b"transfer-encoding", b"chunked"))
        if all(name != b"host" for name, _ in headers):  # HTTP/1.0 needs none
            headers.append((b"host", self._upstream.host))
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        return httpcore.Request(
            scope["method"],
            httpcore.URL(
                scheme=self._upstream.scheme, host=self._upstream.host, port=self._upstream.port, target=target
            ),
            headers=headers,
            content=body if body.expected else b"",
            extensions={"trace": body.note},
        )

    async def _forward(self, request: httpcore.Request, send: Send) -> None:
        """Raises what is `_UNANSWERED` as long as nothing was answered. An answer that breaks off later is left
        unfinished: this server then drops the client's connection, which is how a client can tell."""
        response = await self._pool.handle_async_request(request)
        async with contextlib.aclosing(response):
            headers = [(name.lower(), value) for name, value in response.headers]
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": [(name, value) for name, value in headers if name not in _HOP_BY_HOP],
                }
            )
            try:
                async for chunk in response.aiter_stream():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            except _UNANSWERED as error:
                logger.warning("an answer broke off: %s", type(error).__name__)
                return
            await send({"type": "http.response.body", "body": b""})


class _Body:
    """The request's body, chunk by chunk as the client sends it; then the wait for the client to hang up.

    A request without a body is passed on even if the client has gone by then: its invocation waits for it.
    """

    def __init__(self, receive: Receive, *, limit: int, expected: bool) -> None:
        self.expected = expected
        self._receive = receive
        self._limit = limit
        self._read = asyncio.Event()

    async def note(self, event: str, _: Mapping[str, Any]) -> None:
        """Told by httpcore how far the request is (https://www.encode.io/httpcore/extensions/#trace)."""
        if event == "http11.send_request_headers.complete" and not self.expected:
            self._read.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            size, more = 0, True
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise _ClientGone
                if chunk := message.get("body", b""):
                    size += len(chunk)
                    if size > self._limit:
                        raise _BodyTooLarge
                    yield chunk
                more = message.get("more_body", False)
        finally:
            self._read.set()

    async def hang_up(self) -> None:
        await self._read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _has_body(scope: Scope) -> bool:
    return _content_length(scope) > 0 or any(name == b"transfer-encoding" for name, _ in scope["headers"])


def _content_length(scope: Scope) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refusal(error: Exception) -> int:
    if isinstance(error, _BodyTooLarge):
        return 413
    return 400 if isinstance(error, httpcore.LocalProtocolError) else 502  # it may not be sent as the client sent it


async def _answer(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
