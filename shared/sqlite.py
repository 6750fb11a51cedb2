"""One SQLite file, used from asyncio; below the embedded `ConversationStore` and `TicketQueue`.

Every transaction runs on one thread of its own, so the event loop never waits for a disk, and several processes may
open the same file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.errors import ConfigurationError, Unavailable

logger = logging.getLogger(__name__)

BUSY_SECONDS = 5
"""Longest wait for another process's transaction, which takes about a millisecond."""
BUSY_PAUSE = 0.005
"""Seconds between two attempts where SQLite itself does not wait."""


class Database:
    """`schema` creates the tables (`IF NOT EXISTS`) when the file is first used; `version` is that of the tables.
    `upgrades` are scripts in its place, for files of these earlier versions. All in one transaction: a process that is
    killed meanwhile leaves the file as it was. Statements end with a semicolon, which is nowhere else in them.

    Commits are durable (`synchronous=FULL`), except those of `note`. With `NORMAL` a killed process loses nothing
    either, but a power cut may take back what was already acknowledged: a ticket would be marked as sent and be in no
    queue. The difference is one fsync a commit.
    """

    def __init__(self, path: Path, *, schema: str, version: int, upgrades: Mapping[int, str] | None = None) -> None:
        self._path = path
        self._schema = schema
        self._upgrades = upgrades or {}
        self._version = version
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{path.stem}")

    async def read[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one consistent state of the file. Raises `Unavailable`, and what `work` raises."""
        return await self._run(lambda: self._transaction("BEGIN", work))

    async def write[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` as the only writer; what it raises undoes all it wrote. Raises `Unavailable`.

        Once started it runs to its end, even if the caller is cancelled.
        """
        return await self._run(lambda: self._transaction("BEGIN IMMEDIATE", work))

    async def note[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Like `write`, for what a power cut may take back: the disk is not waited for. A killed process loses nothing,
        and the next durable commit makes this one durable, too."""

        def noting() -> T:
            self._connect().execute("PRAGMA synchronous = NORMAL")
            try:
                return self._transaction("BEGIN IMMEDIATE", work)
            finally:
                self._connect().execute("PRAGMA synchronous = FULL")

        return await self._run(noting)

    async def wipe(self) -> None:
        """Empty the write-ahead log, so that what was deleted is in no file any more.

        Another process's reader can hold the log; it is then emptied at a later checkpoint.
        """
        await self._run(lambda: self._connect().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
            self._thread.shutdown(wait=False)

    async def _run[T](self, work: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable(f"{self._path.name} is closed.")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            logger.exception("sqlite_failed", extra={"file": self._path.name})
            raise Unavailable(f"{self._path.name} does not answer. Try again.") from error

    def _transaction[T](self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._connect() as connection:  # commits; rolls back on any exception
            connection.execute(begin)
            return work(connection)

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        _keep_a_log(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        if _version(connection) == self._version:
            return
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            self._make_tables(connection, _version(connection))  # another process may have been here first

    def _make_tables(self, connection: sqlite3.Connection, found: int) -> None:
        if found > self._version:
            raise ConfigurationError(
                f"{self._path.name} was written by a newer version of this app (tables {found}, this one knows"
                f" {self._version}). Start that version, or another DATA_DIR."
            )
        if found < self._version:
            for statement in self._upgrades.get(found, self._schema).split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self._version}")

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Write ahead. SQLite does not wait when two processes set this for a new file at once: one of them is refused."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(BUSY_PAUSE)
        else:
            return
