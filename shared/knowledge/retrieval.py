"""From a question to the passages that may answer it.

1. The nearest chunks by embedding (dense candidates) to what the message asks (`question.py`), less what all passages
   have in common (`centre.py`) …
2. … and for the code-like words of the question (`ERR-1042`, `KX-4410-B`, `2.3.1`), which embeddings hardly tell
   apart, the chunks that hold them literally.
3. Both put in order together (`ranking.py`).
4. If none of them has a word of the question because it is misspelt (`spelling.py`), all of it again without.
5. Copies left out, neighbours made one (`selection.py`).

The constants are of docs/decisions/0005-candidate-rescoring.md, measured by `python -m evaluation.retrieval`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import astuple, replace

from shared import telemetry
from shared.errors import Unavailable
from shared.knowledge.cache import Cache
from shared.knowledge.centre import Aim, Centre, aim
from shared.knowledge.embedding import Embedder, Vectors
from shared.knowledge.filters import Filters, admits
from shared.knowledge.index import Match, VectorIndex
from shared.knowledge.question import EARLIER, Parts, Question, parts, query_vector
from shared.knowledge.ranking import Passage, rank
from shared.knowledge.selection import select
from shared.knowledge.spelling import Spelling
from shared.knowledge.terms import codes, spellings, terms

logger = logging.getLogger(__name__)

CANDIDATES = 200
"""Dense candidates that are rescored. 100 lost up to .02 nDCG@10; 300 and 400 won nothing more."""
FILTERED_CANDIDATES = 400
"""Dense candidates to which a filter is applied here, which is far cheaper than a search with a filter …"""
ENOUGH = 50
"""… unless fewer than this remain."""
CODES = 4
"""Codes that are looked up; a pasted log has dozens, and each costs a search."""
CODE_CANDIDATES = 20
"""Chunks taken for a code: more than are asked for, because `2.3` is also found in `12.3` and `2.31`."""
CACHED_RESULTS = 250
"""Results that are kept: some 3 MB with six passages each."""


class Retriever:
    """Keeps what was found as long as the index stays as it is."""

    def __init__(self, embedder: Embedder, index: VectorIndex) -> None:
        self._embedder = embedder
        self._index = index
        self._centre = Centre(index)
        self._spelling = Spelling(embedder)
        self._results = Cache[Sequence[Passage]]("passages", CACHED_RESULTS)

    async def retrieve(
        self, question: Question | str, *, limit: int = 6, filters: Filters | None = None
    ) -> Sequence[Passage]:
        """At most `limit` passages, best first; empty if nothing is indexed.

        With `filters`, only documents that are meant for these values, or for everyone. Raises `Unavailable` if the
        index does not answer.
        """
        question = Question(question) if isinstance(question, str) else question
        try:
            with telemetry.span("retrieve") as span:
                found = await self._retrieve(question, limit, filters)
                span.set_attribute("support.passages", len(found))
        except Unavailable:
            telemetry.rag_queries.add(1, {"outcome": "failed"})
            raise
        telemetry.rag_queries.add(1, {"outcome": "found" if found else "empty"})
        return found

    async def _retrieve(self, question: Question, limit: int, filters: Filters | None) -> Sequence[Passage]:
        asked = parts(question)
        # The version is read before the search, so that nothing is kept under a newer version than it was found in.
        (version, common), vector = await asyncio.gather(self._centre.now(), self._vector(asked))
        key = json.dumps([astuple(question), limit, sorted((filters or {}).items())])
        found = self._results.get(key, version=version)
        if found is None:
            found, read = await self._search(question, asked, aim(vector, common), limit, filters or {})
            if read != question:
                asked = parts(read)
                vector = await self._vector(asked)
                found, _ = await self._search(read, asked, aim(vector, common), limit, filters or {})
            self._results.put(key, found, version=version)
        if logger.isEnabledFor(logging.DEBUG):
            passages = [(passage.chunk.document, round(passage.score, 3)) for passage in found]
            logger.debug("passages found", extra={"passages": passages})
        return found

    async def _vector(self, asked: Parts) -> Vectors:
        def work() -> Vectors:
            return query_vector([(self._embedder.embed_query(text), weight) for text, weight in asked.weighted])

        return await asyncio.to_thread(work)

    async def _search(
        self, question: Question, asked: Parts, aimed: Aim, limit: int, filters: Filters
    ) -> tuple[Sequence[Passage], Question]:
        """What is found, and the question as it should have been written."""
        wanted = codes(question.text)[:CODES]
        nearest, *literal = await asyncio.gather(
            self._nearest(aimed.vector, filters), *(self._containing(code, aimed.vector, filters) for code in wanted)
        )
        matches = {match.chunk.id: match for match in nearest}
        for found in literal:
            for match in found:
                matches.setdefault(match.chunk.id, match)

        def chosen() -> tuple[Sequence[Passage], Question]:
            candidates = [Match(match.chunk, aimed.distance(match.distance)) for match in matches.values()]
            ranked = rank(asked, _one_version(candidates), wanted)
            return select(ranked, limit), self._read(question, ranked)

        return await asyncio.to_thread(chosen)

    def _read(self, question: Question, found: Sequence[Passage]) -> Question:
        """The question with its misspelt words, and those of the messages it may lean on, as the passages have them."""
        texts = [question.text, *question.asked[:EARLIER]]
        said = set(terms(" ".join({word for passage in found for word in passage.why.words})))
        if all(said.issuperset(terms(word)) for word in self._spelling.doubts("\n".join(texts))):
            return question
        text, *asked = self._spelling.corrected(texts, (passage.chunk.embedded_text for passage in found))
        return replace(question, text=text, asked=(*asked, *question.asked[EARLIER:]))

    async def _nearest(self, vector: Vectors, filters: Filters) -> Sequence[Match]:
        if not filters:
            return await self._index.query(vector, limit=CANDIDATES)
        found = await self._index.query(vector, limit=FILTERED_CANDIDATES)
        admitted = [match for match in found if admits(filters, match.chunk.metadata)]
        if len(admitted) < ENOUGH and len(found) == FILTERED_CANDIDATES:
            return await self._index.query(vector, limit=CANDIDATES, filters=filters)
        return admitted[:CANDIDATES]

    async def _containing(self, code: str, vector: Vectors, filters: Filters) -> Sequence[Match]:
        limit = CANDIDATES if filters else CODE_CANDIDATES
        for spelling in spellings(code):
            found = await self._index.containing(spelling, vector, limit=limit)
            if admitted := [match for match in found if admits(filters, match.chunk.metadata)]:
                return admitted[:CODE_CANDIDATES]
        return []


def _one_version(matches: Sequence[Match]) -> list[Match]:
    """While a changed document is being indexed, chunks of its old and new version can both be found: keep one.

    The version of the nearest chunk wins, so an answer is never put together from two.
    """
    version: dict[str, str] = {}
    for match in sorted(matches, key=lambda m: m.distance):
        version.setdefault(match.chunk.document, match.chunk.version)
    return [m for m in matches if version[m.chunk.document] == m.chunk.version]
