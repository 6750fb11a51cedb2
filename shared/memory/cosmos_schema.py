"""The containers of the memory: partition keys and what is indexed. See docs/decisions/0009-cosmos-data-model.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.cosmos import PartitionKey

from shared.cosmos import indexing, new_client, translated

CONVERSATIONS = "conversations"
CUSTOMERS = "customers"
OPERATORS = "operators"
LIMITS = "limits"

NEVER = -1
"""As a container's default: items expire if they have a `ttl` of their own."""


CONTAINERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    CONVERSATIONS: (
        "/session_id",
        indexing(
            "/session_id",
            "/type",
            "/seq",
            "/answer_to",
            "/kept_until",
            "/stored_at",
            "/document/created_at",
            "/document/customer_id",
            "/document/user_id",
            "/document/status",
            "/document/team",
            "/document/assignee",
            "/document/touched_at",
            "/document/sent_at",
            together=[["/document/created_at", "/id"], ["/document/created_at", "/session_id"]],
        ),
    ),
    CUSTOMERS: ("/customer_id", indexing("/customer_id")),
    OPERATORS: ("/id", indexing("/id")),
    LIMITS: ("/id", indexing("/id")),
}
"""Container → partition key and indexing policy."""


async def create(
    endpoint: str,
    credential: Any,
    database: str,
    containers: Mapping[str, tuple[str, Mapping[str, Any]]] = CONTAINERS,
    vectors: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Create the database and these containers, and bring those that exist up to date. Raises `Unavailable`.

    `vectors`: container → vector embedding policy, which cannot be changed later.
    Needs the account's key: an identity with a data role may read and write items only.
    """
    client = new_client(endpoint, credential)
    with translated():
        async with client:
            made: Any = await client.create_database_if_not_exists(database)
            for name, (path, index) in containers.items():
                about: dict[str, Any] = {
                    "partition_key": PartitionKey(path),
                    "indexing_policy": dict(index),
                    "default_ttl": NEVER,
                }
                if vectors and name in vectors:
                    about["vector_embedding_policy"] = dict(vectors[name])
                container: Any = await made.create_container_if_not_exists(name, **about)
                found: Mapping[str, Any] = await container.read()
                if found.get("defaultTtl") != NEVER or not _same(found["indexingPolicy"], index):
                    await made.replace_container(container, **about)


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Azure adds paths of its own to what is excluded, and leaves out what is empty."""
    return all((found.get(key) or []) == wanted[key] for key in ("includedPaths", "compositeIndexes"))
