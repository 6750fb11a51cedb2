"""An embedder that remembers queries."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import numpy as np
import pytest

from shared.knowledge.cache import Cache
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


class Waiting(Counting):
    """Embeds once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = Event()

    def embed_query(self, text: str) -> np.ndarray:
        assert self.may.wait(10)
        return super().embed_query(text)


def test_what_another_thread_embeds_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, get = Semaphore(0), Cache.get

    def look(cache: Cache, key: str) -> object:
        found = get(cache, key)
        looked.release()
        return found

    monkeypatch.setattr(Cache, "get", look)
    waiting = Waiting()
    embedder = RememberingEmbedder(waiting)
    with ThreadPoolExecutor() as threads:
        asked = [threads.submit(embedder.embed_query, "one") for _ in range(2)]
        assert all(looked.acquire(timeout=10) for _ in asked)
        waiting.may.set()
        first, second = (vector.result(10) for vector in asked)
        np.testing.assert_array_equal(first, second)
    assert waiting.embedded == ["one"]


class Failing(Counting):
    failure: Exception | None = RuntimeError("out of memory")

    def embed_query(self, text: str) -> np.ndarray:
        vector = super().embed_query(text)
        if self.failure:
            raise self.failure
        return vector


def test_what_could_not_be_embedded_is_tried_again() -> None:
    failing = Failing()
    embedder = RememberingEmbedder(failing)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            embedder.embed_query("one")
    failing.failure = None
    np.testing.assert_array_equal(embedder.embed_query("one"), HashEmbedder().embed_query("one"))
    assert failing.embedded == ["one", "one", "one"]
