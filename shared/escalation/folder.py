"""Whole transcripts in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.errors import NotFound, Unavailable
from shared.escalation.transcripts import checked, is_id
from shared.files import write_whole


class FolderTranscriptStore:
    """A `TranscriptStore`: `<session_id>/<ticket_id>.json` below the root, which is made with the first."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, session_id: str, ticket_id: str, document: bytes) -> str:
        path = self._path(session_id, ticket_id)

        def work() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, document)

        await _run(work)
        return path.relative_to(self._root).as_posix()

    async def read(self, session_id: str, ticket_id: str) -> bytes:
        path = self._path(session_id, ticket_id)
        try:
            return await _run(path.read_bytes)
        except FileNotFoundError:
            raise NotFound(f"There is no transcript of ticket {ticket_id}.") from None

    async def sessions(self) -> Sequence[str]:
        def work() -> Sequence[str]:
            entries = self._root.iterdir() if self._root.is_dir() else ()
            return sorted(entry.name for entry in entries if entry.is_dir() and is_id(entry.name))

        return await _run(work)

    async def erase(self, session_id: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            await _run(lambda: shutil.rmtree(self._root / checked(session_id)))

    async def close(self) -> None:
        pass

    def _path(self, session_id: str, ticket_id: str) -> Path:
        return self._root / checked(session_id) / f"{checked(ticket_id)}.json"


async def _run[T](work: Callable[[], T]) -> T:
    """In a thread. What is missing is for the caller to say."""
    try:
        return await asyncio.to_thread(work)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable(f"The folder of transcripts cannot be used: {error.strerror}.") from error
