"""Stand-ins for parts that are slow or far away; they keep the contracts of the real ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from shared.knowledge.embedding import Vectors

_TOKEN = re.compile(r"\w+|[^\w\s]")


class HashEmbedder:
    """An `Embedder` without a model: texts are near each other if they share words. `embedded` is what it was given."""

    def __init__(self, fingerprint: str = "hash", *, dimensions: int = 64, max_tokens: int = 256) -> None:
        self.fingerprint = fingerprint
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        self.embedded: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return np.array([self._vector(text) for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)

    def embed_query(self, text: str) -> Vectors:
        return self._vector(text)

    def _vector(self, text: str) -> Vectors:
        vector = np.full(self.dimensions, 1e-3, dtype=np.float32)
        for token in _TOKEN.findall(text.lower()):
            digest = hashlib.sha256(token.encode()).digest()
            vector[int.from_bytes(digest[:4]) % self.dimensions] += 1 if digest[4] % 2 else -1
        return vector / np.linalg.norm(vector)
