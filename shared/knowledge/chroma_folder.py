"""Chroma in this process, on a folder: its own bindings, without the package around them.

Methods and answers are those of `chroma_server.Client`. The bindings are the whole database, in Rust; `chromadb`, in
whose wheel they come, takes half a second of processor time and 30 MB to import.
docs/decisions/0015-protocols-without-their-packages.md says what holds this together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import chromadb_rust_bindings  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from shared.errors import Unavailable
from shared.knowledge.chroma_server import ERRORS, ChromaError

PLACE = {"tenant": "default_tenant", "database": "default_database"}
"""The names that Chroma gives what it makes by itself."""
FILE = "chroma.sqlite3"
"""In which every write of any process ends up."""
OPEN_COLLECTIONS = 10_000
"""Whose vectors stay in memory. An index has two, and two more while it is being rebuilt; but with room for a hundred
Chroma already drops some that are in use, and what is not on disk yet is then not found."""

_bindings: Any = chromadb_rust_bindings


class _Database:
    """All clients of one folder share one: it would not hear of what another in the same process writes."""

    _opening = Lock()
    _open: ClassVar[WeakValueDictionary[Path, _Database]] = WeakValueDictionary()

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # As Chroma's own client sets it, so that each can open what the other made.
        sqlite = _bindings.SqliteDBConfig(
            url=str(folder / FILE),
            hash_type=_bindings.MigrationHash.MD5,
            migration_mode=_bindings.MigrationMode.Apply,
        )
        try:
            self._chroma = _bindings.Bindings(
                allow_reset=False,
                sqlite_db_config=sqlite,
                persist_path=str(folder),
                hnsw_cache_size=OPEN_COLLECTIONS,
            )
        except Exception as error:
            if not _is_chromas(error):
                raise
            raise Unavailable(
                f"The search index in {folder} cannot be opened: {error}."
                " If it is damaged, delete this folder: the index is made anew from the documents."
            ) from error

    @classmethod
    def on(cls, folder: Path) -> _Database:
        with cls._opening:
            database = cls._open.get(folder)
            if database is None:
                database = cls._open[folder] = cls(folder)
            return database

    def call(self, method: str, **fields: Any) -> Any:
        """What Chroma answers. Raises `ChromaError`."""
        try:
            return getattr(self._chroma, method)(**fields)
        except Exception as error:
            if not _is_chromas(error):
                raise
            raise ERRORS.get(type(error).__name__, ChromaError)(str(error)) from error


def _is_chromas(error: Exception) -> bool:
    """Only with an error do the bindings import the package: for its class, which is told by its name here."""
    return type(error).__module__ == "chromadb.errors"


class Client:
    """One folder, made if it is not there; `Unavailable` is raised if it cannot be opened. For any thread. All methods
    here and of `Collection` block, and raise `ChromaError`."""

    def __init__(self, folder: Path) -> None:
        self._database: _Database | None = _Database.on(folder.resolve())

    def get_or_create_collection(
        self, name: str, *, metadata: Mapping[str, Any], configuration: Mapping[str, Any]
    ) -> Collection:
        found = self._call(
            "create_collection",
            name=name,
            configuration_json_str=json.dumps(configuration),
            metadata=dict(metadata),
            get_or_create=True,
        )
        return self._collection(found)

    def list_collections(self) -> list[Collection]:
        return [self._collection(found) for found in self._call("list_collections")]

    def delete_collection(self, name: str) -> None:
        self._call("delete_collection", name=name)

    def close(self) -> None:
        """The folder is closed with the last client of it, and the last of their collections."""
        self._database = None

    def _call(self, method: str, **fields: Any) -> Any:
        return self._open.call(method, **fields, **PLACE)

    def _collection(self, found: Any) -> Collection:
        return Collection(self._open, str(found.id), found.name, found.metadata)

    @property
    def _open(self) -> _Database:
        if self._database is None:
            raise ChromaError("The client is closed.")
        return self._database


@dataclass(frozen=True, slots=True)
class Collection:
    """Entries by their ids: vectors, texts, metadata. Keyword arguments are the fields of Chroma's requests."""

    _database: _Database
    id: str
    name: str
    metadata: Mapping[str, Any] | None

    def count(self) -> int:
        return self._call("count")

    def get(self, *, include: Sequence[str], **fields: Any) -> dict[str, Any]:
        return self._found("get", include, **fields)

    def query(self, *, include: Sequence[str], ids: Sequence[str] | None = None, **fields: Any) -> dict[str, Any]:
        return self._found("query", include, ids=ids, **fields)

    def upsert(self, *, ids: Sequence[str], embeddings: Sequence[Any], **fields: Any) -> None:
        vectors = [np.asarray(vector, dtype=np.float32) for vector in embeddings]
        self._call("upsert", ids=ids, embeddings=vectors, **fields)

    def update(self, *, ids: Sequence[str], **fields: Any) -> None:
        self._call("update", ids=ids, **fields)

    def delete(self, *, ids: Sequence[str]) -> None:
        self._call("delete", ids=ids)

    def modify(self, *, metadata: Mapping[str, Any]) -> None:
        self._database.call("update_collection", collection_id=self.id, new_metadata=dict(metadata))

    def _found(self, method: str, include: Sequence[str], **fields: Any) -> dict[str, Any]:
        conditions = {
            name: json.dumps(condition)
            for name in ("where", "where_document")
            if (condition := fields.pop(name, None)) is not None
        }
        found = self._call(method, include=list(include), **fields, **conditions)
        return {name: getattr(found, name) for name in ("ids", *include)}

    def _call(self, method: str, **fields: Any) -> Any:
        return self._database.call(method, collection_id=self.id, **fields, **PLACE)
