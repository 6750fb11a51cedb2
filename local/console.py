"""What the person who started the app sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from shared.errors import Unavailable
from shared.knowledge.documents import CONTAINER
from shared.knowledge.index import DocumentRecord, DocumentStatus
from shared.settings import Settings


class Console:
    """Hears of documents (`local.blobs.Listener`) and tells of them on standard output; `record` looks one up."""

    def __init__(self, record: Callable[[str], Awaitable[DocumentRecord | None]]) -> None:
        self._record = record
        self._started = time.monotonic()
        self._read = 0
        # On a terminal, one line that changes; in a file, one line each.
        self._start, self._end = ("\r\033[K", "") if sys.stdout.isatty() else ("", "\n")

    def progress(self, number: int, total: int, name: str) -> None:
        """At the start, the `number`-th of `total` documents is being read."""
        self._read = number
        print(f"{self._start}reading {number} of {total}: {name}", end=self._end, flush=True)

    def reading(self, name: str) -> None:
        print(f"reading {name}", flush=True)

    async def dealt_with(self, name: str) -> None:
        try:
            record = await self._record(name)
        except Unavailable:
            return  # nothing is known of it just now; `reading` was told
        if record and record.status is not DocumentStatus.INDEXED:
            print(f"{name} could not be read: {record.reason}", flush=True)

    def forgetting(self, name: str) -> None:
        print(f"forgetting {name}", flush=True)

    def gave_up(self, name: str) -> None:
        print(f"{name} could not be read; change it to try again", flush=True)

    def waiting(self, error: Exception) -> None:
        """The documents cannot be read yet."""
        print(f"waiting for the documents: {error}", flush=True)

    def ready(self, url: str, settings: Settings, *, unreadable: int) -> None:
        """The documents are read, all but the `unreadable`: say what is where."""
        documents = "1 document" if self._read == 1 else f"{self._read} documents"
        where = f"container `{CONTAINER}`" if settings.documents_in_blobs else _short(settings.documents)
        why = f"              ({unreadable} could not be read: python -m tools.list_documents says why)\n"
        took = f"{documents} read in {time.monotonic() - self._started:.0f} s. " if self._read else ""
        print(
            f"{self._start}{took}The support agent of {settings.company_name} is ready.\n\n"
            f"  demo page   {url}/\n"
            f"  API         {url}/docs\n"
            f"  documents   {where}\n"
            "              (add, change or delete a file: the agent knows it within seconds)\n"
            f"{why if unreadable else ''}"
            f"  data, logs  {_short(settings.data_dir)}\n"
            "  stop        Ctrl-C\n",
            flush=True,
        )

    def stopping(self) -> None:
        print(f"{self._start}Stopping …", flush=True)


def _short(path: Path) -> str:
    """Relative to the current directory where it lies below it."""
    path, here = path.resolve(), Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}"
