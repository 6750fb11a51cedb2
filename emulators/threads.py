"""A server on a thread of its own, beside whatever its user's event loop does."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Self


class ThreadedServer(ABC):
    """Listens from the beginning of its block to the end. Once: for another block it is made anew."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    @abstractmethod
    async def _start(self) -> None:
        """Listen."""

    @abstractmethod
    async def _stop(self) -> None:
        """End it, and what it has open."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._there(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._there(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _there[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Do it on the server's thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
