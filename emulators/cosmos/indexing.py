"""Which queries a container's indexing policy can serve: what Azure refuses, a test should see refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emulators.cosmos.errors import bad_request
from emulators.cosmos.query import Order

DEFAULT_POLICY: Mapping[str, Any] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}


def check_order(order: Sequence[Order], policy: Mapping[str, Any]) -> None:
    """Raises `CosmosError` 400: ordering needs an index of its path, several paths a composite index of all.

    A vector search without an index reads all vectors, and is served.
    """
    if any(one.by_distance for one in order):
        return
    if len(order) > 1:
        wanted = [(one.path, one.descending) for one in order]
        reverse = [(path, not descending) for path, descending in wanted]
        composites = [
            [(one["path"], one.get("order", "ascending") == "descending") for one in composite]
            for composite in policy.get("compositeIndexes", [])
        ]
        if wanted not in composites and reverse not in composites:
            raise bad_request(
                "The order by query does not have a corresponding composite index that it can be served from."
            )
    elif order and not is_indexed(order[0].path, policy):
        raise bad_request("The order-by item is excluded from the index.")


def is_indexed(path: str, policy: Mapping[str, Any]) -> bool:
    """The longest path of the policy that covers this one decides."""
    included = max((_covers(one["path"], path) for one in policy.get("includedPaths", [])), default=0)
    excluded = max((_covers(one["path"], path) for one in policy.get("excludedPaths", [])), default=0)
    return included > excluded


def _covers(pattern: str, path: str) -> int:
    """How much of the path a pattern (`/a/b/?`, `/a/*`) names, plus 1; 0 if it does not cover it."""
    names, ending = pattern.replace('"', "").rsplit("/", 1)
    exact = ending == "?" and path == names
    below = ending == "*" and (path + "/").startswith(names + "/")
    return len(names) + 1 + exact if exact or below else 0
