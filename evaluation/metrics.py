"""Metrics of ranked documents, each 0 … 1. What is relevant is a set: a document is, or is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from statistics import fmean

DEPTH = 10
"""Ranks beyond this count for no metric."""


def ndcg(ranking: Sequence[str], relevant: AbstractSet[str], depth: int = DEPTH) -> float:
    """Discounted cumulative gain over the best possible one (Järvelin & Kekäläinen 2002), with gains of 0 and 1."""
    gain = sum(1 / math.log2(rank + 1) for rank, name in enumerate(ranking[:depth], 1) if name in relevant)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(depth, len(relevant)) + 1))


def recall(ranking: Sequence[str], relevant: AbstractSet[str], depth: int) -> float:
    return len(relevant & set(ranking[:depth])) / len(relevant)


def reciprocal_rank(ranking: Sequence[str], relevant: AbstractSet[str], depth: int = DEPTH) -> float:
    return next((1 / rank for rank, name in enumerate(ranking[:depth], 1) if name in relevant), 0.0)


def averages(rankings: Sequence[Sequence[str]], relevant: Sequence[AbstractSet[str]]) -> dict[str, float]:
    """The mean of each metric over questions. A ranking has no name twice; no question is without relevant names."""
    pairs = list(zip(rankings, relevant, strict=True))
    return {
        "ndcg@10": fmean(ndcg(*pair) for pair in pairs),
        "recall@1": fmean(recall(*pair, 1) for pair in pairs),
        "recall@5": fmean(recall(*pair, 5) for pair in pairs),
        "recall@10": fmean(recall(*pair, 10) for pair in pairs),
        "mrr@10": fmean(reciprocal_rank(*pair) for pair in pairs),
    }
