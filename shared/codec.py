"""How values look at rest: JSON documents, the same in every store.

A document is the value's fields, times in UTC as ISO 8601, plus `schema`: the version of its shape. One of an earlier
version is upgraded when it is read, one version after the other, and written back as the present one with its next
change. Fields that only were added need no upgrade: they have defaults.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from shared.clock import iso
from shared.errors import ConfigurationError
from shared.escalation.ticket import Ticket

type Document = dict[str, Any]

SCHEMA = 2


def _routed_is_open(ticket: Document) -> Document:
    return ticket | {"status": "open"} if ticket["status"] == "routed" else ticket


UPGRADES: Mapping[tuple[type, int], Callable[[Document], Document]] = {(Ticket, 1): _routed_is_open}
"""By kind and version: what makes of a document one of the next version."""


def encode(value: object) -> str:
    """The document of a dataclass, as JSON."""
    document = _adapter(type(value)).dump_python(value) | {"schema": SCHEMA}
    return json.dumps(document, default=_json, ensure_ascii=False, separators=(",", ":"))


def decode[T](kind: type[T], text: str) -> T:
    """Raises `ConfigurationError` for a document that a newer version of this app wrote."""
    return from_document(kind, json.loads(text))


def as_document(value: object) -> Document:
    """For a store, or a file, that has JSON around it."""
    return json.loads(encode(value))


def from_document[T](kind: type[T], document: Document) -> T:
    """Raises what `decode` raises."""
    if document["schema"] > SCHEMA:
        raise ConfigurationError(
            f"A stored {kind.__name__} has shape {document['schema']}, this app reads up to {SCHEMA}:"
            " a newer version of the app wrote it. Start that version."
        )
    for version in range(document["schema"], SCHEMA):
        if upgrade := UPGRADES.get((kind, version)):
            document = upgrade(document)
    return _adapter(kind).validate_python(document)


@cache
def _adapter[T](kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(f"{type(value).__name__} cannot be stored")
