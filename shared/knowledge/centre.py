"""What all passages have in common, half of which is left out of what is searched for.

In a knowledge base about one product, a few general passages are near to every question. They are those nearest to the
mean of all (Radovanović, Nanopoulos & Ivanović 2010, Hubs in Space; Suzuki and others 2013, Centering Similarity
Measures to Reduce Hubs). A question that is moved away from that mean is compared by what sets a passage apart, and the
index need not know: its vectors stay as they are.

The constants are of docs/decisions/0005-candidate-rescoring.md, measured by `python -m evaluation.retrieval`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from shared.knowledge.embedding import Vectors
from shared.knowledge.index import VectorIndex

SHARE = 0.5
"""How much of the mean is taken off the question's unit vector; .3 to .7 differ by less than .003 nDCG@10."""
SPREAD = 0.04
"""Greatest standard deviation, over the passages, of what that takes off their cosines. In the sets it was chosen on,
half of the mean makes .02 to .041; where most passages are nearly the same, it would make them lose to any other."""


class Aim(NamedTuple):
    """What is searched for. `vector` is of length 1; the other two make a distance comparable with that of a question
    from which nothing was taken."""

    vector: Vectors
    scale: float
    offset: float

    def distance(self, found: float) -> float:
        """The distance to the question (0 … 2) of a chunk at this cosine distance to `vector`.

        For question q, chunk d and what is common, c: 1 - (q·d - (c·d - c·q)). A chunk that is as near to the mean as
        the question keeps its distance, so that a question about something else stays far from everything.
        """
        return min(max(1 - self.scale * (1 - found) - self.offset, 0.0), 2.0)


def common(sample: Vectors) -> Vectors | None:
    """What is taken off a question, by some of the passages; None if there are none.

    Shapes: (passages, dimensions) and (dimensions,).
    """
    if not len(sample):
        return None
    mean = sample.mean(axis=0)
    spread = float((sample @ mean).std())
    return (min(SHARE, SPREAD / (spread or SPREAD)) * mean).astype(np.float32)


def aim(question: Vectors, shared: Vectors | None) -> Aim:
    """`question` has length 1, what is `shared` by all passages is shorter."""
    if shared is None:
        return Aim(question, 1.0, 0.0)
    moved = question - shared
    length = float(np.linalg.norm(moved))
    return Aim((moved / length).astype(np.float32), length, float(shared @ question))


class Centre:
    """What the passages of an index have in common, read once for each of its versions."""

    def __init__(self, index: VectorIndex) -> None:
        self._index = index
        self._known: tuple[str | None, Vectors | None] = (None, None)

    async def now(self) -> tuple[str, Vectors | None]:
        """The version of the index, and what is `common` to what it, or a later one, holds. Raises `Unavailable`."""
        version = await self._index.version()
        if version != self._known[0]:
            self._known = version, common(await self._index.sample())
        return version, self._known[1]
