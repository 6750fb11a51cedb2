"""The whole of it: one app on the runtime, and everything that fires its triggers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Coroutine, Generator, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from local.blobs import BlobWatcher, Listener
from local.http import Front
from local.hub import MAX_CLIENT_FRAME, Hub
from local.queues import QueuePump
from local.runtime import Runtime
from local.timers import Timer
from shared.escalation.queue import TicketQueue
from shared.knowledge.documents import DocumentStore

GRACE = 5
"""Seconds that answers in progress get to finish when the host stops."""
PAUSE = 0.25
"""Seconds without a request after which the other triggers begin."""
LONGEST_WAIT = 5
"""Seconds after which they begin whoever asks."""


class Server(uvicorn.Server):
    """A server that leaves the process's signals alone, and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class Host:
    """What it serves is read from the app's bindings, never from the name of a function. A hub is served beside it."""

    def __init__(self, runtime: Runtime, hub: Hub | None = None) -> None:
        self.runtime = runtime
        self._hub = hub
        self._front = Front(runtime, hub)
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._triggers: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, app_dir: Path, hub: Hub | None = None) -> Host:
        """Index the app. Raises what `Runtime.start` raises."""
        return cls(await Runtime.start(app_dir), hub)

    async def serve(self, listening: socket.socket) -> None:
        """Answer HTTP on a bound socket; returns as soon as a request would be answered."""
        config = uvicorn.Config(
            self._front,
            lifespan="off",
            ws="websockets-sansio" if self._hub else "none",
            ws_max_size=MAX_CLIENT_FRAME,
            ws_per_message_deflate=False,  # 30 KB less for each connection
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = Server(config)
        self._serving = asyncio.create_task(self._server.serve([listening]))
        await self._server.listening.wait()

    async def answered(self) -> None:
        """Returns when whoever waited for the start has an answer: what nobody waits for would take its processor.

        In Azure this shares no instance with HTTP anyway: Flex Consumption gives it others.
        https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan#per-function-scaling
        """
        await self._front.pause(seconds=PAUSE, at_most=LONGEST_WAIT)

    def watch(self, store: DocumentStore, listener: Listener, *, known: Mapping[str, str]) -> None:
        """Fire the document triggers. `known` maps the documents that were dealt with before to their etags."""
        self._run(BlobWatcher(self.runtime, store, listener, known=known).run())

    def pump(self, queue: TicketQueue) -> None:
        """Fire the queue triggers."""
        for function in self.runtime.triggered_by("serviceBusTrigger"):
            self._run(QueuePump(self.runtime, function, queue).run())

    def run_timers(self) -> None:
        for function in self.runtime.triggered_by("timerTrigger"):
            self._run(Timer(self.runtime, function).run())

    async def broken(self) -> None:
        """Raises what ended one of the triggers; while all of them run, it does not return."""
        done, _ = await asyncio.wait(self._triggers, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Take nothing new, let answers finish for `GRACE` seconds, then end the rest.

        What is cut off is done again at the next start: a document by its etag, a message by its lock.
        """
        if self._server and self._serving:
            self._server.should_exit = True
            await self._serving
        for task in self._triggers:
            task.cancel()
        await asyncio.gather(*self._triggers, return_exceptions=True)
        await self._front.close()
        self.runtime.close()

    def _run(self, trigger: Coroutine[Any, Any, None]) -> None:
        self._triggers.append(asyncio.create_task(trigger))
