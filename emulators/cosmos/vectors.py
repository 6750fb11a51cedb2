"""Vectors: what a container may say about them, and exact distances between them.

https://learn.microsoft.com/azure/cosmos-db/nosql/vector-search
https://learn.microsoft.com/azure/cosmos-db/nosql/query/vectordistance
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulators.cosmos.errors import bad_request

MOST_DIMENSIONS: Mapping[str, int] = {"flat": 505, "quantizedFlat": 4096, "diskANN": 4096}
"""By the type of index."""
DATA_TYPES = ("float32", "float16", "int8", "uint8")
NEAREST_FIRST: Mapping[str, bool] = {"cosine": True, "dotproduct": True, "euclidean": False}
"""By distance function: whether the nearest has the highest number."""


@dataclass(frozen=True, slots=True)
class VectorPolicy:
    """By path, the number of dimensions and the distance function."""

    embeddings: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])

    @classmethod
    def of(cls, container: Mapping[str, Any]) -> VectorPolicy:
        given = (container.get("vectorEmbeddingPolicy") or {}).get("vectorEmbeddings") or []
        return cls({one["path"]: (one["dimensions"], one["distanceFunction"]) for one in given})

    def function(self, path: str, wanted: Any) -> str:
        """The distance function of a path. Raises `CosmosError` 400 if none is named, or `wanted` does not fit it."""
        if path not in self.embeddings:
            raise bad_request(f"VectorDistance: the container has no vector policy for {path}.")
        dimensions, name = self.embeddings[path]
        if not _is_vector(wanted, dimensions):
            raise bad_request(f"VectorDistance: a vector of {dimensions} dimensions is needed.")
        return name

    @staticmethod
    def similarity(name: str, vector: Any, wanted: Sequence[float], otherwise: Any) -> Any:
        """`otherwise` for an item whose vector is missing or of another length."""
        if not _is_vector(vector, len(wanted)):
            return otherwise
        if name == "euclidean":
            return math.dist(vector, wanted)
        product = math.sumprod(vector, wanted)
        lengths = math.hypot(*vector) * math.hypot(*wanted)
        return product if name == "dotproduct" else product / lengths if lengths else 0.0


def _is_vector(value: Any, dimensions: int) -> bool:
    return isinstance(value, list) and len(value) == dimensions and all(type(one) in (int, float) for one in value)


def check_vectors(container: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> None:
    """Raises `CosmosError` 400 for a container that Azure would not make, or not make of `old`."""
    policy, before = container.get("vectorEmbeddingPolicy"), (old or {}).get("vectorEmbeddingPolicy")
    if old is not None and policy != before:
        raise bad_request("The vector embedding policy of a container cannot be changed.")
    embeddings = {one["path"]: one for one in (policy or {}).get("vectorEmbeddings") or []}
    for path, one in embeddings.items():
        if "*" in path or "[" in path:
            raise bad_request(f"{path}: a vector's path has no wildcard and no array.")
        if one["dataType"] not in DATA_TYPES or one["distanceFunction"] not in NEAREST_FIRST:
            raise bad_request(f"{path}: the data type or the distance function is not supported.")
        if not 1 <= one["dimensions"] <= max(MOST_DIMENSIONS.values()):
            raise bad_request(f"{path}: the number of dimensions must be from 1 to {max(MOST_DIMENSIONS.values())}.")
    for index in container.get("indexingPolicy", {}).get("vectorIndexes") or []:
        path, kind = index["path"], index["type"]
        if path not in embeddings:
            raise bad_request(f"{path}: a vector index needs a vector embedding of the same path.")
        if kind not in MOST_DIMENSIONS:
            raise bad_request(f"{path}: there is no vector index of type {kind}.")
        if embeddings[path]["dimensions"] > MOST_DIMENSIONS[kind]:
            raise bad_request(f"{path}: an index of type {kind} takes at most {MOST_DIMENSIONS[kind]} dimensions.")
        if kind == "flat" and "vectorIndexShardKey" in index:
            raise bad_request(f"{path}: an index of type flat has no shard key.")
