from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Never

import numpy as np
import pytest

from shared.errors import Unavailable
from shared.knowledge import embedding_pool
from shared.knowledge.embedding import Vectors
from shared.knowledge.embedding_pool import EmbeddingPool
from shared.knowledge.onnx import OnnxEmbedder
from tests.fakes import HashEmbedder

MODEL = Path(__file__).parents[3] / "models" / "all-MiniLM-L6-v2"
TEXTS = [f"word{n} other{n % 7}" for n in range(100)]


class Mortal(HashEmbedder):
    """Ends its process at a text that says so: always, or once for each file that is there. Hangs at another, which may
    name a file that it makes first."""

    def embed_documents(self, texts):
        for text in texts:
            if text == "end":
                os._exit(9)
            if text.startswith("/") and Path(text).exists():
                Path(text).unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            if text.startswith("hang"):
                if begun := text.removeprefix("hang"):
                    Path(begun).touch()
                time.sleep(600)
        return super().embed_documents(texts)


class Curious(HashEmbedder):
    """The vector of a variable's name says whether its process has that variable."""

    def embed_documents(self, texts):
        return np.array([[name in os.environ] for name in texts], np.float32)


def broken() -> Never:
    raise ZeroDivisionError


@pytest.fixture
def pool() -> Iterator[EmbeddingPool]:
    pool = EmbeddingPool(Mortal, 2)
    yield pool
    pool.close()


def processes(pool: EmbeddingPool) -> list[int]:
    return [worker._process.pid for worker in pool._started]


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def same(vectors: Vectors) -> bool:
    return np.array_equal(vectors, HashEmbedder().embed_documents(TEXTS))


def test_the_vectors_are_in_the_order_of_the_texts(pool: EmbeddingPool) -> None:
    assert (processes(pool), pool.running) == ([], False)
    assert same(pool.embed(TEXTS))
    assert 1 <= len(processes(pool)) <= 2
    assert pool.running
    assert same(pool.embed(TEXTS))


def test_a_vector_does_not_depend_on_the_process_that_made_it() -> None:
    pool = EmbeddingPool(partial(OnnxEmbedder, MODEL, dimensions=None), 2)
    texts = TEXTS[:20]
    try:
        assert np.array_equal(pool.embed(texts), OnnxEmbedder(MODEL).embed_documents(texts))
    finally:
        pool.close()


def test_its_processes_get_no_setting_of_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SECRET", "not for them")
    monkeypatch.setenv("HF_HOME", "where models are")
    pool = EmbeddingPool(Curious, 1)
    try:
        assert pool.embed(["TOKEN_SECRET", "HF_HOME", "PATH"]).ravel().tolist() == [0, 1, 1]
    finally:
        pool.close()


def test_a_process_that_is_killed_is_replaced(pool: EmbeddingPool, tmp_path: Path) -> None:
    (tmp_path / "kill").touch()
    assert len(pool.embed([*TEXTS, str(tmp_path / "kill")])) == 101
    for pid in processes(pool):
        os.kill(pid, signal.SIGKILL)
    assert same(pool.embed(TEXTS))


def test_processes_that_die_together_are_replaced_also_when_they_still_seem_to_run(
    pool: EmbeddingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    while len(processes(pool)) < 2:
        pool.embed(TEXTS)
    monkeypatch.setattr(embedding_pool._Worker, "runs", True)
    for pid in processes(pool):
        os.kill(pid, signal.SIGKILL)
    assert len(pool.embed(TEXTS[:1])) == 1


def test_processes_that_never_last_are_an_error_and_not_a_wait(pool: EmbeddingPool) -> None:
    with pytest.raises(Unavailable):
        pool.embed([*TEXTS, "end"])
    assert same(pool.embed(TEXTS))


def test_a_process_that_hangs_is_ended(pool: EmbeddingPool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool.embed(TEXTS)
    monkeypatch.setattr(embedding_pool, "PART_SECONDS", 1)
    with pytest.raises(Unavailable):
        pool.embed(["hang"])


def test_a_process_that_cannot_start_is_an_error() -> None:
    pool = EmbeddingPool(broken, 1)
    with pytest.raises(Unavailable):
        pool.embed(TEXTS)
    pool.close()


def test_closing_ends_the_processes_and_what_waits_for_them(pool: EmbeddingPool, tmp_path: Path) -> None:
    pool.embed(TEXTS)
    begun = tmp_path / "begun"
    pids = processes(pool)
    failed: list[Exception] = []

    def wait() -> None:
        try:
            pool.embed([f"hang{begun}"])
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not begun.exists() and waiting.is_alive():
        time.sleep(0.01)
    pool.close()
    waiting.join(20)
    assert len(failed) == 1
    assert not any(map(running, pids))
    assert not pool.running
    pool.close()
