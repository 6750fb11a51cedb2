"""Where a Chroma server is, and how to reach it. `chroma.py` does the rest: the same over HTTP as in this process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from shared.errors import Unavailable

TIMEOUT = httpx.Timeout(10, connect=3)
"""Seconds, for each wait. A query takes milliseconds, a write of 200 passages less than one second."""


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """`url` is `http://HOST:PORT`, or with https. Chroma has no accounts: the network has to keep others out."""

    url: str
    tenant: str
    database: str

    def connect(self) -> Any:
        """A `chromadb.ClientAPI`. Raises `Unavailable` if there is no such database, `httpx.HTTPError` without answer.

        Blocks.
        """
        import chromadb
        from chromadb.errors import NotFoundError

        self._check()
        try:
            client = chromadb.HttpClient(**self._where(), tenant=self.tenant, database=self.database)
        except NotFoundError as error:
            missing = f"Chroma has no database {self.tenant}/{self.database}: python -m tools.create_stores makes it."
            raise Unavailable(missing) from error
        except ValueError as error:  # what Chroma makes of a line that is cut here
            raise Unavailable("The search index does not answer.") from error
        # Chroma waits for ever, and has no setting for it. A test has a server that says nothing.
        client._server._session.timeout = TIMEOUT  # type: ignore[attr-defined] # noqa: SLF001
        return client

    async def create(self) -> None:
        """Create the tenant and the database, as far as they are not there. Raises `Unavailable`."""
        await asyncio.to_thread(self._create)

    def _create(self) -> None:
        import chromadb
        from chromadb.errors import ChromaError, NotFoundError

        try:
            self._check()
            admin = chromadb.AdminClient(chromadb.HttpClient(**self._where()).get_settings())
            try:
                admin.get_tenant(self.tenant)
            except NotFoundError:
                admin.create_tenant(self.tenant)
            try:
                admin.get_database(self.database, self.tenant)
            except NotFoundError:
                admin.create_database(self.database, self.tenant)
        except (ChromaError, httpx.HTTPError) as error:
            raise Unavailable("The search index does not answer.") from error

    def _check(self) -> None:
        """Whether it answers at all: before its client is made, which would wait for it without end."""
        httpx.get(f"{self.url.rstrip('/')}/api/v2/heartbeat", timeout=TIMEOUT, trust_env=False).raise_for_status()

    def _where(self) -> dict[str, Any]:
        from chromadb.config import Settings

        parts = urlsplit(self.url)
        encrypted = parts.scheme == "https"
        port = parts.port or (443 if encrypted else 80)
        return {
            "host": parts.hostname,
            "port": port,
            "ssl": encrypted,
            "settings": Settings(anonymized_telemetry=False),
        }
