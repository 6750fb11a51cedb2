"""The line between the browser and the app: a proxy that can be held, cut, or made to answer something else."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

PATIENCE = 30
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


class Cut(Exception):
    """The connection is dropped here."""


class Gate:
    """What the proxy waits at; a test opens it when it has seen what it wanted to see."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def pass_through(self) -> None:
        self._reached.set()
        assert self._open.wait(PATIENCE), "nobody opened the gate"

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, PATIENCE), "nothing came to the gate"


class Line:
    """`requests` are what came through, as (method, path), oldest first."""

    def __init__(self, app_url: str) -> None:
        self.app_url = app_url
        self.reset()
        line = self

        class Handler(_Handler):
            pass

        Handler.line = line
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # Small, so that a held upload is seen by its sender: what fits into the buffers counts as sent.
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self._client = httpx.Client(base_url=app_url, timeout=PATIENCE, trust_env=False)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    # ---- what a test sets

    def reset(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self._at: dict[str, list[Callable[[], None]]] = {}
        self._instead: list[tuple[re.Pattern[str], int, dict[str, str], dict[str, Any]]] = []
        self._cuts: list[re.Pattern[str]] = []
        self._upload: Gate | None = None
        self.rewrite: Callable[[dict[str, Any]], dict[str, Any]] = lambda event: event

    def hold_before(self, event: str, *, after: int = 0) -> Gate:
        """The next stream waits before it tells this event, or the one `after` so many of its kind."""
        gate = Gate()
        self._at.setdefault(event, []).extend([lambda: None] * after)
        self._at[event].append(gate.pass_through)
        return gate

    def hold_upload(self) -> Gate:
        """Of the next large body only the beginning is read until the gate opens."""
        self._upload = Gate()
        return self._upload

    def cut_before(self, event: str) -> None:
        """The next stream breaks off before it tells this event."""

        def cut() -> None:
            raise Cut

        self._at.setdefault(event, []).append(cut)

    def cut(self, call: str) -> None:
        """The next request that matches gets no answer."""
        self._cuts.append(re.compile(call))

    def answer(self, call: str, status: int, problem: dict[str, Any], **headers: str) -> None:
        """The next request that matches does not reach the app, and is answered with this."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._instead.append((re.compile(call), status, named, problem))

    def count(self, call: str) -> int:
        return sum(bool(re.fullmatch(call, f"{method} {path}")) for method, path in self.requests)

    # ---- what the handler asks

    def passing(self, event: dict[str, Any]) -> None:
        if waiting := self._at.get(event["type"]):
            waiting.pop(0)()

    def instead(self, call: str) -> tuple[int, dict[str, str], dict[str, Any]] | None:
        for cut in self._cuts:
            if cut.fullmatch(call):
                self._cuts.remove(cut)
                raise Cut
        for entry in self._instead:
            if entry[0].fullmatch(call):
                self._instead.remove(entry)
                return entry[1:]
        return None

    def upload_gate(self, length: int) -> Gate | None:
        if length < 100_000:
            return None
        gate, self._upload = self._upload, None
        return gate

    def stream(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        return self._client.stream(method, path, headers=headers, content=body)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    line: Line

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def do_DELETE(self) -> None:
        self._forward()

    def do_OPTIONS(self) -> None:
        self._forward()

    def _forward(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = b""
        if gate := self.line.upload_gate(length):
            body = self.rfile.read(50_000)
            gate.pass_through()
        body += self.rfile.read(length - len(body))
        call = f"{self.command} {self.path}"
        if self.command != "OPTIONS":
            self.line.requests.append((self.command, self.path))
            self.line.bodies.append(body)
        try:
            if self.command != "OPTIONS" and (instead := self.line.instead(call)):
                self._answer(*instead)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            headers["Accept-Encoding"] = "identity"
            with self.line.stream(self.command, self.path, headers, body) as response:
                self._relay(response)
        except (Cut, BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            self.connection.close()

    def _answer(self, status: int, headers: dict[str, str], problem: dict[str, Any]) -> None:
        body = json.dumps(problem).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
        self.send_header("Access-Control-Expose-Headers", "Retry-After")
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _relay(self, response: httpx.Response) -> None:
        self.send_response(response.status_code)
        for name, value in response.headers.multi_items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            content = response.read()
            if response.status_code not in (204, 304):
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for text in response.iter_lines():
            if text.startswith("data: "):
                event = self.line.rewrite(json.loads(text.removeprefix("data: ")))
                self.line.passing(event)
                self._chunk(f"data: {json.dumps(event)}\n\n".encode())
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
