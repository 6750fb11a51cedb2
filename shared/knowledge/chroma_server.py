"""A Chroma server: where it is, and the part of its HTTP interface (version 2) that `chroma.py` uses.

Methods and answers are those of `chromadb`'s own client, which takes half a second of processor time to import. What
is spoken is httpx's own lower half: of the rest nothing is needed, and it brings a program for the terminal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpcore
import orjson

from shared.errors import Unavailable

TIMEOUT: Mapping[str, float] = {"connect": 3, "read": 10, "write": 10, "pool": 10}
"""Seconds, for each wait. A query takes milliseconds, a write of 200 passages less than one second."""
KEEP_ALIVE = 40
"""Seconds for which a connection without requests is kept."""
FIRST_REFUSAL = 300
"""Status; Chroma does not redirect."""


class ChromaError(Exception):
    """What Chroma itself refused; the message is Chroma's."""


class NotFoundError(ChromaError):
    """There is no such tenant, database or collection."""


class InternalError(ChromaError):
    """Chroma could not do it. It may be able to later."""


BROKEN = (httpcore.NetworkError, httpcore.RemoteProtocolError)
"""There was no connection, or it broke off."""
UNANSWERED = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)

ERRORS = {error.__name__: error for error in (NotFoundError, InternalError)}
"""By the names that Chroma gives them, here and in the process."""


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """`url` is `http://HOST:PORT`, or with https. Chroma has no accounts: the network has to keep others out."""

    url: str
    tenant: str
    database: str

    def connect(self) -> Client:
        """Raises `Unavailable` if there is no such database, what is `UNANSWERED` without answer. Blocks."""
        client = Client(self)
        try:
            client.call("GET", self.path)
        except NotFoundError as error:
            client.close()
            missing = f"Chroma has no database {self.tenant}/{self.database}: python -m tools.create_stores makes it."
            raise Unavailable(missing) from error
        except BaseException:
            client.close()
            raise
        return client

    async def create(self) -> None:
        """Create the tenant and the database, as far as they are not there. Raises `Unavailable`."""
        await asyncio.to_thread(self._create)

    def _create(self) -> None:
        client = Client(self)
        try:
            for name, collection in ((self.tenant, "/tenants"), (self.database, self.path.rpartition("/")[0])):
                try:
                    client.call("GET", f"{collection}/{quote(name, safe='')}")
                except NotFoundError:
                    client.call("POST", collection, {"name": name})
        except (ChromaError, *UNANSWERED) as error:
            raise Unavailable("The search index does not answer.") from error
        finally:
            client.close()

    @property
    def path(self) -> str:
        return f"/tenants/{quote(self.tenant, safe='')}/databases/{quote(self.database, safe='')}"


class Client:
    """One database on a server. For any thread.

    All methods here and of `Collection` block, and raise `ChromaError`, `Unavailable` for an answer that is not
    Chroma's (a gateway's), and what is `UNANSWERED`.
    """

    def __init__(self, server: ChromaServer) -> None:
        self._collections = f"{server.path}/collections"
        self._api = f"{server.url.rstrip('/')}/api/v2"
        self._http = httpcore.ConnectionPool(max_connections=None, keepalive_expiry=KEEP_ALIVE)

    def get_or_create_collection(
        self, name: str, *, metadata: Mapping[str, Any], configuration: Mapping[str, Any]
    ) -> Collection:
        body = {"name": name, "metadata": metadata, "configuration": configuration, "get_or_create": True}
        return self._collection(self.call("POST", self._collections, body))

    def list_collections(self) -> list[Collection]:
        return [self._collection(found) for found in self.call("GET", self._collections)]

    def delete_collection(self, name: str) -> None:
        self.call("DELETE", f"{self._collections}/{name}")

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What the server answers."""
        content = None if body is None else orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
        response = self._http.request(
            method,
            self._api + path,
            headers={"Content-Type": "application/json"},
            content=content,
            extensions={"timeout": TIMEOUT},
        )
        try:
            answer = orjson.loads(response.content)
            if response.status < FIRST_REFUSAL:
                return answer
            error, message = answer["error"], answer["message"]
        except (ValueError, TypeError, KeyError) as error:
            raise Unavailable("The search index does not answer.") from error
        raise ERRORS.get(error, ChromaError)(message)

    def _collection(self, found: Mapping[str, Any]) -> Collection:
        return Collection(self, f"{self._collections}/{found['id']}", found["id"], found["name"], found["metadata"])


@dataclass(frozen=True, slots=True)
class Collection:
    """Entries by their ids: vectors, texts, metadata. Keyword arguments are the fields of Chroma's requests."""

    _client: Client
    _path: str
    id: str
    name: str
    metadata: Mapping[str, Any] | None

    def count(self) -> int:
        return self._client.call("GET", f"{self._path}/count")

    def get(self, *, include: Sequence[str], **fields: Any) -> dict[str, Any]:
        return self._client.call("POST", f"{self._path}/get", {"include": include, **fields})

    def query(self, *, include: Sequence[str], **fields: Any) -> dict[str, Any]:
        return self._client.call("POST", f"{self._path}/query", {"include": include, **fields})

    def upsert(self, *, ids: Sequence[str], **fields: Any) -> None:
        self._client.call("POST", f"{self._path}/upsert", {"ids": ids, **fields})

    def update(self, *, ids: Sequence[str], **fields: Any) -> None:
        self._client.call("POST", f"{self._path}/update", {"ids": ids, **fields})

    def delete(self, *, ids: Sequence[str]) -> None:
        self._client.call("POST", f"{self._path}/delete", {"ids": ids})

    def modify(self, *, metadata: Mapping[str, Any]) -> None:
        self._client.call("PUT", self._path, {"new_metadata": metadata})
