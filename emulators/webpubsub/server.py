"""The hub on a thread of its own.

with WebPubSubEmulator() as emulator:
    channel = WebPubSubChannel(emulator.connection_string, "support")
    emulator.stop()   # everybody is disconnected, nobody answers
    emulator.start()  # on the same port, with the same key
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Self

import uvicorn
from starlette.types import Receive, Scope, Send

from emulators.processes import free_port
from local.hub import MAX_CLIENT_FRAME, Hub

EMULATOR_KEY = "a key that protects nothing, for emulators alone"


def connection_string(host: str, port: int, key: str = EMULATOR_KEY) -> str:
    return f"Endpoint=http://{host}:{port};AccessKey={key};Version=1.0;"


class _Server(uvicorn.Server):
    """Tells when it listens, and leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config, listening: threading.Event) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)


def configuration(app: Hub | Callable[..., object], **options: object) -> uvicorn.Config:
    """For the hub, alone on a server."""
    settings: dict[str, object] = {
        "interface": "asgi3",
        "lifespan": "off",
        "ws": "websockets-sansio",
        "ws_max_size": MAX_CLIENT_FRAME,
        "ws_per_message_deflate": False,
        "log_config": None,
        "access_log": False,
        "timeout_graceful_shutdown": 1,
    }
    return uvicorn.Config(app, **settings | options)  # pyright: ignore[reportArgumentType]


class WebPubSubEmulator:
    """`requests` is what the app asked for, as METHOD path. With `certificate`, a file of key and certificate, it is
    reached by TLS alone."""

    def __init__(self, *, certificate: str | None = None) -> None:
        self.hub = Hub(EMULATOR_KEY)
        self.requests: list[str] = []
        self.port = free_port()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self.connection_string = f"Endpoint={self.url};AccessKey={EMULATOR_KEY};Version=1.0;"
        self._certificate = certificate
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns when it listens."""
        listening = threading.Event()
        tls: dict[str, object] = {"ssl_certfile": self._certificate} if self._certificate else {}
        config = configuration(self._answer, host="127.0.0.1", port=self.port, **tls)
        self._server = _Server(config, listening)
        self._thread = threading.Thread(target=self._run, args=(self._server,), name="web-pubsub-emulator", daemon=True)
        self._thread.start()
        if not listening.wait(10):
            raise RuntimeError(f"no hub listens on port {self.port}")

    def stop(self) -> None:
        """Everybody is disconnected."""
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @staticmethod
    def _run(server: _Server) -> None:
        asyncio.run(server.serve())

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests.append(f"{scope['method']} {scope['path']}")
        await self.hub(scope, receive, send)
