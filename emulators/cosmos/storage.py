"""Databases, containers and items in one SQLite database: in memory, or a file that outlives the process.

Every write is one transaction that is committed before it is answered. Expired items are gone for whoever asks, and
are cleared away when their place is needed.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulators.cosmos.errors import CosmosError, bad_request, conflict, not_found, precondition_failed, too_large
from emulators.cosmos.indexing import DEFAULT_POLICY
from emulators.cosmos.query import UNDEFINED, value_at
from emulators.cosmos.vectors import check_vectors

type Document = dict[str, Any]

MAX_ITEM_BYTES = 2 * 1024 * 1024
MAX_BATCH_OPERATIONS = 100
MAX_PATCH_OPERATIONS = 10
MAX_ID_BYTES = 1023
SYSTEM = ("_rid", "_self", "_etag", "_attachments", "_ts")

_TABLES = """
CREATE TABLE IF NOT EXISTS databases (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS containers (
    database TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (database, id));
CREATE TABLE IF NOT EXISTS items (
    lsn INTEGER PRIMARY KEY AUTOINCREMENT, container TEXT NOT NULL, partition TEXT NOT NULL, id TEXT NOT NULL,
    expires REAL, body TEXT NOT NULL, UNIQUE (container, partition, id));
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a batch, or a request of its own: `kind` is create, upsert, replace, patch, delete or read."""

    kind: str
    id: str | None = None
    body: Document | None = None
    if_match: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    status: int
    document: Document | None = None


class Storage:
    """`clock` returns seconds since 1970; it may be exchanged while running. `path` is a file, or None: in memory."""

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.executescript(f"PRAGMA journal_mode = WAL; {_TABLES}")

    def close(self) -> None:
        self._db.close()

    @property
    def lsn(self) -> int:
        """The number of the newest write."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'items'").fetchone()
        return row[0] if row else 0

    # ---- databases and containers
    def databases(self) -> list[Document]:
        return [json.loads(row[0]) for row in self._db.execute("SELECT body FROM databases ORDER BY id")]

    def database(self, name: str) -> Document:
        row = self._db.execute("SELECT body FROM databases WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise not_found()
        return json.loads(row[0])

    def create_database(self, body: Document) -> Document:
        made = self._stamp({"id": body["id"]})
        if not self._db.execute(
            "INSERT OR IGNORE INTO databases VALUES (?, ?)", (body["id"], json.dumps(made))
        ).rowcount:
            raise conflict()
        return made

    def delete_database(self, name: str) -> None:
        for container in self.containers(name):
            self.delete_container(name, container["id"])
        self._db.execute("DELETE FROM databases WHERE id = ?", (name,))

    def containers(self, database: str) -> list[Document]:
        self.database(database)
        rows = self._db.execute("SELECT body FROM containers WHERE database = ? ORDER BY id", (database,))
        return [json.loads(row[0]) for row in rows]

    def container(self, database: str, name: str) -> Document:
        row = self._db.execute("SELECT body FROM containers WHERE database = ? AND id = ?", (database, name)).fetchone()
        if row is None:
            raise CosmosError(404, "NotFound", "Owner resource does not exist.", 1003)
        return json.loads(row[0])

    def create_container(self, database: str, body: Document) -> Document:
        self.database(database)
        if len(body["partitionKey"]["paths"]) != 1:
            raise bad_request("Hierarchical partition keys are not emulated.")
        check_vectors(body)
        made = self._stamp({"indexingPolicy": DEFAULT_POLICY, **body})
        row = (database, body["id"], json.dumps(made))
        if not self._db.execute("INSERT OR IGNORE INTO containers VALUES (?, ?, ?)", row).rowcount:
            raise conflict()
        return made

    def replace_container(self, database: str, name: str, body: Document) -> Document:
        old = self.container(database, name)
        if body["partitionKey"]["paths"] != old["partitionKey"]["paths"]:
            raise bad_request("The partition key of a container cannot be changed.")
        check_vectors(body, old)
        made = self._stamp(body) | {"_rid": old["_rid"]}
        self._db.execute(
            "UPDATE containers SET body = ? WHERE database = ? AND id = ?", (json.dumps(made), database, name)
        )
        return made

    def delete_container(self, database: str, name: str) -> None:
        container = self.container(database, name)
        self._db.execute("DELETE FROM items WHERE container = ?", (container["_rid"],))
        self._db.execute("DELETE FROM containers WHERE database = ? AND id = ?", (database, name))

    # ---- items
    def items(self, container: Document, partition: str | None = None) -> Iterator[Document]:
        """Those that have not expired; of one partition (its key as JSON), or of all."""
        rows = self._db.execute(
            "SELECT body FROM items WHERE container = ? AND partition = coalesce(?, partition)"
            " AND (expires IS NULL OR expires > ?) ORDER BY lsn",
            (container["_rid"], partition, self.clock()),
        )
        return (json.loads(row[0]) for row in rows)

    def execute(self, container: Document, partition: str | None, operations: Sequence[Operation]) -> list[Result]:
        """All of them or none. Raises `BatchError` for the first that fails."""
        results: list[Result] = []
        with self._transaction():
            for operation in operations:
                try:
                    results.append(self._execute(container, partition, operation))
                except CosmosError as error:
                    raise BatchError(error, len(results)) from error
        return results

    def _execute(self, container: Document, partition: str | None, operation: Operation) -> Result:
        body = operation.body
        if operation.kind in ("create", "upsert", "replace"):
            own = partition_of(container, body or {})
            if partition not in (None, own):
                message = "PartitionKey extracted from document doesn't match the one specified in the header."
                raise bad_request(message, 1001)
            partition = own
        if partition is None:
            raise bad_request("A partition key is needed.")
        identifier = operation.id or (body or {}).get("id")
        old = self._find(container, partition, identifier)
        if operation.kind == "create" and old:
            raise conflict()
        if old is None and operation.kind not in ("create", "upsert"):
            raise not_found()
        if operation.if_match and (old is None or operation.if_match not in ("*", old["_etag"])):
            raise precondition_failed()
        if operation.kind == "read":
            return Result(200, old)
        if operation.kind == "delete":
            self._delete(container, partition, str(identifier))
            return Result(204)
        if operation.kind == "patch":
            body = _patched(old or {}, body or {})
        return Result(200 if old else 201, self._put(container, partition, body or {}, old))

    def _find(self, container: Document, partition: str, identifier: Any) -> Document | None:
        row = self._db.execute(
            "SELECT body FROM items WHERE container = ? AND partition = ? AND id = ?"
            " AND (expires IS NULL OR expires > ?)",
            (container["_rid"], partition, identifier, self.clock()),
        ).fetchone()
        return json.loads(row[0]) if row else None

    def _put(self, container: Document, partition: str, body: Document, old: Document | None) -> Document:
        document = {key: _number(value) for key, value in body.items() if key not in SYSTEM}
        identifier = document.get("id")
        _check_id(identifier)
        if old and identifier != old["id"]:
            raise bad_request("The id of an item cannot be changed.")
        text = json.dumps(document, ensure_ascii=False)
        if len(text.encode()) > MAX_ITEM_BYTES:
            raise too_large()
        document = self._stamp(document) | ({"_rid": old["_rid"]} if old else {})
        self._delete(container, partition, str(identifier))
        self._db.execute(
            "INSERT INTO items (container, partition, id, expires, body) VALUES (?, ?, ?, ?, ?)",
            (container["_rid"], partition, identifier, self._expiry(container, document), json.dumps(document)),
        )
        return document

    def _expiry(self, container: Document, document: Document) -> float | None:
        """An item's `ttl` counts only if its container has a default; -1 is never. Seconds from the last write."""
        default = container.get("defaultTtl")
        if default is None:
            return None
        ttl = document.get("ttl", default)
        if not isinstance(ttl, int) or ttl == 0 or ttl < -1:
            raise bad_request("The input ttl is invalid. Ttl must be an integer: -1 or more than 0.")
        return None if ttl == -1 else document["_ts"] + ttl

    def _delete(self, container: Document, partition: str, identifier: str) -> None:
        self._db.execute(
            "DELETE FROM items WHERE container = ? AND partition = ? AND id = ?",
            (container["_rid"], partition, identifier),
        )

    def _stamp(self, body: Mapping[str, Any]) -> Document:
        name = uuid4()
        return {**body, "_rid": name.hex[:16], "_self": "", "_etag": f'"{name}"', "_ts": int(self.clock())}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


class BatchError(Exception):
    """The operation at `index` failed with `error`, and none was carried out."""

    def __init__(self, error: CosmosError, index: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.index = index


def partition_of(container: Document, body: Mapping[str, Any]) -> str:
    """The partition key's value in a document, as JSON; `{}` stands for one that is absent."""
    (path,) = container["partitionKey"]["paths"]
    value = value_at(body, path.strip("/").split("/"))
    return json.dumps({} if value is UNDEFINED else value)


def _check_id(identifier: Any) -> None:
    if not isinstance(identifier, str) or not 0 < len(identifier.encode()) <= MAX_ID_BYTES:
        raise bad_request(f"The required property id is missing, or longer than {MAX_ID_BYTES} bytes.")
    if any(sign in identifier for sign in "/\\?#") or identifier.endswith(" "):
        raise bad_request("The id holds one of the characters / \\ ? #, or ends with a space.")


def _number(value: Any) -> Any:
    """Numbers are doubles: 1.0 comes back as 1, and an integer above 2⁵³ loses its last digits."""
    if isinstance(value, dict):
        return {key: _number(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_number(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return int(float(value))
    return value


def _patched(old: Document, request: Mapping[str, Any]) -> Document:
    """https://learn.microsoft.com/azure/cosmos-db/partial-document-update, for paths through objects."""
    if request.get("condition"):
        raise bad_request("Conditional patches are not emulated.")
    if not 0 < len(request["operations"]) <= MAX_PATCH_OPERATIONS:
        raise bad_request(f"A patch has 1 to {MAX_PATCH_OPERATIONS} operations.")
    document = json.loads(json.dumps(old))
    for operation in request["operations"]:
        kind, (*parents, name) = operation["op"].lower(), operation["path"].strip("/").split("/")
        target = document
        for parent in parents:
            target = target.get(parent) if isinstance(target, dict) else None
        if not isinstance(target, dict) or (kind in ("replace", "remove") and name not in target):
            raise bad_request(f"The path {operation['path']} does not exist.")
        if kind in ("set", "add", "replace"):
            target[name] = operation["value"]
        elif kind == "incr":
            target[name] = target.get(name, 0) + operation["value"]
        elif kind == "remove":
            del target[name]
        else:
            raise bad_request(f"The patch operation {kind} is not emulated.")
    return document
