"""The port to the embedding model. Adapters: `onnx.py` (default), `sentence_transformers.py` (any of its models)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns text into unit vectors, so that a dot product is the cosine.

    Not a coroutine: it occupies a core. Callers run it in a thread. Safe to call from several threads.
    """

    @property
    def fingerprint(self) -> str:
        """Identifies model, revision, precision, prompts and dimensions: equal fingerprints make comparable vectors."""
        ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a text beyond this are not seen by the model, its special tokens included."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of the text without special tokens and without truncation."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Float32, shape (len(texts), dimensions), each row of length 1."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """Float32, shape (dimensions,), of length 1."""
        ...
