"""The containers of the search index in Cosmos DB. See docs/decisions/0013-cosmos-vector-search.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.cosmos import indexing
from shared.knowledge.filters import FILTERS

RECORDS = "records"


def chunks(dimensions: int) -> str:
    """The container of chunks whose vectors have this many dimensions: what a container says of them is for good."""
    return f"chunks-{dimensions}"


def containers(dimensions: int) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
    """Container → partition key and indexing policy, as in `memory/cosmos_schema.py`.

    Each generation of the index has a DiskANN graph of its own (the shard key), so that a search does not read the
    others.
    """
    paths = ("/generation", "/source", "/digest", "/codes/[]", *(f"/meant_for/{key}/[]" for key in FILTERS))
    graph = {"path": "/vector", "type": "diskANN", "vectorIndexShardKey": ["/generation"]}
    return {
        RECORDS: ("/partition", indexing("/generation")),
        chunks(dimensions): ("/partition", {**indexing(*paths), "vectorIndexes": [graph]}),
    }


def vectors(dimensions: int) -> Mapping[str, Mapping[str, Any]]:
    """Container → vector embedding policy."""
    embedding = {"path": "/vector", "dataType": "float32", "dimensions": dimensions, "distanceFunction": "cosine"}
    return {chunks(dimensions): {"vectorEmbeddings": [embedding]}}
