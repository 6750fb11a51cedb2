"""From a question to the passages that may answer it.

1. The nearest chunks by embedding (dense candidates); in a short message its question counts more than the rest …
2. … and for the code-like words of the question (`ERR-1042`, `KX-4410-B`, `2.3.1`), which embeddings hardly tell
   apart, the chunks that hold them literally.
3. Both put in order together (`ranking.py`).

The constants are of docs/decisions/0005-candidate-rescoring.md, measured by `python -m evaluation.retrieval`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

import numpy as np

from shared.knowledge.embedding import Embedder, Vectors
from shared.knowledge.index import Match, Scalar, VectorIndex
from shared.knowledge.ranking import Passage, rank
from shared.knowledge.terms import codes, terms

CANDIDATES = 100
"""Dense candidates that are rescored. 50 lost up to .009 nDCG@10, 200 won at most .005 more and cost twice the time."""
ASKED_WEIGHT = 0.5
"""Weight of the question in a short message, beside the whole message: .3 and .5 differ by less than .01 nDCG@10."""
SHORT_MESSAGE = 4
"""Sentences of a message in which a question mark says what is asked. In longer ones it is often "Any ideas?"."""
CODES = 4
"""Codes that are looked up; a pasted log has dozens, and each costs a search."""
CODE_CANDIDATES = 20
"""Chunks taken for a code: more than are asked for, because `2.3` is also found in `12.3` and `2.31`."""

_HEX = re.compile("0x", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


class Retriever:
    def __init__(self, embedder: Embedder, index: VectorIndex) -> None:
        self._embedder = embedder
        self._index = index

    async def retrieve(
        self, question: str, *, limit: int = 6, where: Mapping[str, Scalar] | None = None
    ) -> Sequence[Passage]:
        """At most `limit` passages, best first; empty if nothing is indexed.

        `where` keeps to chunks whose metadata has these values. Raises `Unavailable` if the index does not answer.
        """
        vector = await asyncio.to_thread(self._embed, question)
        matches = {m.chunk.id: m for m in await self._index.query(vector, limit=CANDIDATES, where=where)}
        wanted = codes(question)[:CODES]
        for code in wanted:
            for match in await self._containing(code, vector):
                if not where or all(match.chunk.metadata.get(key) == value for key, value in where.items()):
                    matches.setdefault(match.chunk.id, match)
        ranked = await asyncio.to_thread(rank, question, _one_version(list(matches.values())), wanted)
        return ranked[:limit]

    def _embed(self, question: str) -> Vectors:
        whole = self._embedder.embed_query(question)
        asked = _asked(question)
        if not asked:
            return whole
        vector = whole + ASKED_WEIGHT * self._embedder.embed_query(asked)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    async def _containing(self, code: str, vector: Vectors) -> Sequence[Match]:
        """A document may print `ERR-1042` or `0x1F`, and the customer type `err-1042` or `0X1f`."""
        capitals = code.upper().replace("0X", "0x", 1) if _HEX.match(code) else code.upper()
        for spelling in dict.fromkeys((code, capitals, code.lower())):
            if found := await self._index.containing(spelling, vector, limit=CODE_CANDIDATES):
                return found
        return []


def _asked(message: str) -> str:
    """The last question of a short message that says more than it; empty if there is none."""
    sentences = [sentence for part in _SENTENCE_END.split(message) if terms(sentence := part.strip())]
    if not 1 < len(sentences) <= SHORT_MESSAGE:
        return ""
    return next((sentence for sentence in reversed(sentences) if sentence.endswith("?")), "")


def _one_version(matches: Sequence[Match]) -> list[Match]:
    """While a changed document is being indexed, chunks of its old and new version can both be found: keep one.

    The version of the nearest chunk wins, so an answer is never put together from two.
    """
    version: dict[str, str] = {}
    for match in sorted(matches, key=lambda m: m.distance):
        version.setdefault(match.chunk.document, match.chunk.version)
    return [m for m in matches if version[m.chunk.document] == m.chunk.version]
