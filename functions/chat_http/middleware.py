"""What happens to every request, whatever its route: headers, origins, body size, and the net below all errors.

Plain ASGI, so that nothing here buffers a stream. Settings are read with the first request, not while importing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.chat_http import problems
from shared import telemetry
from shared.conversation import admission
from shared.settings import Settings

logger = logging.getLogger(__name__)

MEGABYTE = 1_000_000
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
"""Others are `_OTHER` in a span: https://opentelemetry.io/docs/specs/semconv/http/http-spans/"""
MESSAGES = re.compile(r"/chat/sessions(/[^/]+/messages)?")
"""Where messages are sent, and conversations opened: who cannot be answered need not open one."""
API_POLICY = "default-src 'none'; frame-ancestors 'none'"

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "Content-Security-Policy": API_POLICY,
    "Cache-Control": "no-store",
}
"""Defaults; a page sets its own policy and caching. Browsers heed Strict-Transport-Security over HTTPS only."""


class Traced:
    """A span for each request, within the trace of whoever called. It tells the route, not the path, which has ids."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # The Functions host has put itself between the caller and us; without it, the caller's own header counts.
        carrier = telemetry.carried() or Headers(scope=scope)
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        with (
            telemetry.continuing(carrier),
            telemetry.span(method, kind=telemetry.SpanKind.SERVER, attributes={"http.request.method": method}) as span,
        ):

            async def note_status(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, note_status)
            if route := getattr(scope.get("route"), "path", None):
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class AllowedOrigins:
    """Lets pages of the listed origins read our answers; of others, only those of our own origin can."""

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        self._app = app
        self._settings = settings
        self._cors: CORSMiddleware | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._cors is None:
            listed = self._settings().allowed_origins.split(",")
            self._cors = _Cors(
                self._app,
                allow_origins=[origin.strip().rstrip("/") for origin in listed if origin.strip()],
                allow_methods=["GET", "POST", "PUT", "DELETE"],
                allow_headers=["Authorization"],
                expose_headers=["Retry-After"],
            )
        await self._cors(scope, receive, send)


class _Cors(CORSMiddleware):
    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        names = ("Vary", "Access-Control-Allow-Origin")
        kept = {name: answer.headers[name] for name in names if name in answer.headers}
        return problems.response(
            problems.PROTOCOL[400][0],
            "This origin, method or header is not allowed. ALLOWED_ORIGINS lists the origins that are.",
            headers=kept,
        )


class LastResort:
    """Turns what nobody expected into a problem that tells nothing, and writes it to the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note_start)
        except ClientDisconnect:
            # Nobody is left to read this, but the server in front of us waits for some answer.
            if not started:
                await problems.response(*problems.PROTOCOL[400])(scope, receive, send)
        except Exception:
            if scope["type"] != "http":
                raise
            logger.exception("unexpected error", extra={"answered": started})
            telemetry.errors.add(1, {"place": "http", "error": "unexpected"})
            if started:
                raise  # the server cuts the line, so that the client sees an incomplete answer
            await problems.internal_error()(scope, receive, send)


class MessageLimit:
    """Refuses messages and new conversations when as many are in hand as are answered at once or may wait for it.

    `shared/conversation/admission.py` decides on the turns themselves; what comes in faster than it gets there would
    pile up before it, in front of the store and the threads that all share.
    """

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        self._app = app
        self._settings = settings
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not MESSAGES.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        if self._in_hand >= 2 * self._settings().turns_at_once:
            await problems.response_to(admission.refusal())(scope, receive, send)
            return
        self._in_hand += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_hand -= 1


class BodyLimit:
    """Stops reading a body that is too large, when it is announced or as soon as it is.

    Only a multipart body can hold files; every other one is small.
    """

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = MEGABYTE
        if headers.get("content-type", "").lower().startswith("multipart/form-data"):
            settings = self._settings()
            limit += settings.max_attachments * settings.max_attachment_bytes
        announced = headers.get("content-length", "0")
        refused = len(announced) > 12 or (announced.isdecimal() and int(announced) > limit)
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = {} if refused else await receive()
            received += len(message.get("body", b""))
            if refused or received > limit:
                raise problems.ProtocolError(413, f"The body is too large. At most {limit:,} bytes are allowed here.")
            return message

        await self._app(scope, receive_within_limit, send)
