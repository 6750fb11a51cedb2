"""Puts an ASGI app behind a streaming HTTP function.

The runtime receives a request on a FastAPI app of its own and calls, as ASGI, whatever `Response` the function returns.
`PassThrough` is such a response: it lets our app answer instead, on the same connection. So request bodies, response
chunks, back-pressure and a client's disconnect pass through with nothing in between that could buffer or lose them.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from azurefunctions.extensions.http.fastapi import web
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from shared.telemetry import continuing, log_context

logger = logging.getLogger(__name__)

# The keys that the server sets (ASGI HTTP specification 2.5). The others were added by the runtime's FastAPI app and
# would make ours believe that it is mounted inside it.
_SERVER_KEYS = frozenset(
    {
        "type",
        "asgi",
        "http_version",
        "method",
        "scheme",
        "path",
        "raw_path",
        "query_string",
        "headers",
        "client",
        "server",
        "extensions",
    }
)

_FAILED = json.dumps(
    {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The request could not be answered. Please try again.",
    }
).encode()


def leave_all_paths_to_us() -> None:
    """Make the FastAPI app that the runtime puts in front of ours without paths of its own.

    By default it would answer /docs, /redoc and /openapi.json itself, with a document of its catch-all route, and our
    function would wait for a request that never comes. To be called before the runtime starts its server, which is
    after it has imported the app.
    """
    web.FastAPI = partial(FastAPI, docs_url=None, redoc_url=None, openapi_url=None)  # pyright: ignore[reportAttributeAccessIssue]


def forget_answered_requests() -> None:
    """Make the runtime let go of a request when its response has been taken.

    azure-functions-runtime 1.3.0 keeps a record of every request for the life of the process, 2 KB each; once the
    response has been passed from the invocation to the server, nothing looks for it again. Another version may have
    neither the record nor the place: then memory is the runtime's own affair, and the app starts all the same.
    """
    try:
        from azure_functions_runtime.http_v2 import http_coordinator

        take_response = http_coordinator.await_http_response_async
        kept = http_coordinator._context_references  # noqa: SLF001 - it has no other way
    except (ImportError, AttributeError):
        logger.warning("another runtime than the one whose requests would have to be forgotten")
        return

    async def take_and_forget(invoc_id: str) -> Any:
        response = await take_response(invoc_id)
        kept.pop(invoc_id, None)
        return response

    http_coordinator.await_http_response_async = take_and_forget


class Bridge:
    """Starts the app's lifespan with the first request, and once: nothing else in a Functions worker would."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._lifespan: asyncio.Task[None] | None = None
        self._started: asyncio.Future[Mapping[str, Any]] | None = None

    async def response(self, invocation_id: str, traceparent: str = "") -> Response:
        """The response for the function to return. Raises what the app's lifespan raises, until it starts."""
        return PassThrough(self._app, state=await self._start(), invocation_id=invocation_id, traceparent=traceparent)

    async def _start(self) -> Mapping[str, Any]:
        if self._started is None or (self._started.done() and self._started.exception()):
            started = self._started = asyncio.get_running_loop().create_future()
            self._lifespan = asyncio.create_task(self._hold_open(started))
            self._lifespan.add_done_callback(lambda task: _pass_on_failure(task, started))
        # Shielded: a request that is cancelled must not cancel the start for those that wait with it.
        return await asyncio.shield(self._started)

    async def _hold_open(self, started: asyncio.Future[Mapping[str, Any]]) -> None:
        # A task of its own, because a context that was entered has to be left by the same task. It is left when the
        # event loop cancels its tasks at the end; a worker that Azure kills never gets there.
        async with self._app.router.lifespan_context(self._app) as state:
            # What is here by now stays. Looking through it takes a tenth of a second, so that Python waits with full
            # collections until a quarter of all objects is new; without it they come soon and take no time.
            gc.freeze()
            started.set_result(state or {})
            await asyncio.Event().wait()


def _pass_on_failure(lifespan: asyncio.Task[None], started: asyncio.Future[Mapping[str, Any]]) -> None:
    if started.done():
        return
    if not lifespan.cancelled() and (error := lifespan.exception()):
        started.set_exception(error)
    else:
        started.cancel()


class PassThrough(Response):
    """A response whose status, headers and body the app sends by itself."""

    def __init__(self, app: FastAPI, *, state: Mapping[str, Any], invocation_id: str, traceparent: str = "") -> None:
        super().__init__()
        self._app = app
        self._state = state
        self._invocation_id = invocation_id
        self._traceparent = traceparent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = {key: value for key, value in scope.items() if key in _SERVER_KEYS}
        inner |= {"root_path": "", "state": dict(self._state)}
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        with log_context(invocation_id=self._invocation_id), continuing({"traceparent": self._traceparent}):
            try:
                await self._app(inner, receive, note_start)
            except Exception:
                # FastAPI raises again what its own handler has already answered. Passed on, the runtime would print
                # it with its text. An answer cut in the middle is cut for the client too: the server drops the line.
                logger.exception("request failed", extra={"answered": started})
                if not started:
                    await _send_failure(send)


async def _send_failure(send: Send) -> None:
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(_FAILED)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": _FAILED})
