"""An embedder that remembers: search and escalation look at the same message, and a follow-up at those before it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock

from shared.knowledge.cache import Cache
from shared.knowledge.embedding import Embedder, Vectors

REMEMBERED = 1_000
"""Vectors of queries that are kept: 1.5 MB with 384 dimensions."""


class RememberingEmbedder:
    """An `Embedder` that does not embed a query again which it embedded lately; one that another thread embeds at this
    moment is waited for. Documents it does not remember."""

    def __init__(self, embedder: Embedder, size: int = REMEMBERED) -> None:
        self._embedder = embedder
        self._queries = Cache[Future[Vectors]]("vectors", size)
        self._guard = Lock()
        self.fingerprint = embedder.fingerprint
        self.dimensions = embedder.dimensions
        self.max_tokens = embedder.max_tokens
        self.count_tokens = embedder.count_tokens

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_documents(texts)

    def embed_query(self, text: str) -> Vectors:
        with self._guard:
            known, mine = self._queries.get(text), None
            if known is None or (known.done() and known.exception()):
                known = mine = Future[Vectors]()
                self._queries.put(text, mine)
        if mine:
            try:
                vector = self._embedder.embed_query(text)
                vector.flags.writeable = False
                mine.set_result(vector)
            except BaseException as error:
                mine.set_exception(error)  # for those who wait; whoever comes later tries again
                raise
        return known.result()
