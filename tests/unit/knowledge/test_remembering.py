"""An embedder that remembers queries."""

import numpy as np
import pytest

from shared.knowledge.remembering import RememberingEmbedder
from tests.fakes import HashEmbedder


class Counting(HashEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.embedded: list[str] = []

    def embed_query(self, text: str) -> np.ndarray:
        self.embedded.append(text)
        return super().embed_query(text)


def test_a_query_is_embedded_once_and_the_oldest_forgotten() -> None:
    counting = Counting()
    embedder = RememberingEmbedder(counting, size=2)
    for text in ("one", "two", "one", "three", "one", "two"):
        np.testing.assert_array_equal(embedder.embed_query(text), HashEmbedder().embed_query(text))
    assert counting.embedded == ["one", "two", "three", "two"]


def test_what_is_remembered_cannot_be_changed() -> None:
    embedder = RememberingEmbedder(HashEmbedder())
    with pytest.raises(ValueError, match="read-only"):
        embedder.embed_query("one")[0] = 1
