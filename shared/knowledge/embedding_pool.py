"""Several processes that embed, for as long as there is much to embed.

Processes and not threads: docs/decisions/0002-torch-free-embedding.md. Not `multiprocessing.Pool`: it imports the
caller's main module again, which here is the Functions host or `python -m local`, and it waits forever for a task whose
process was killed.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from shared.errors import Unavailable
from shared.knowledge.embedding import Embedder, Vectors

ROOT = Path(__file__).resolve().parents[2]
PART = 8
"""Texts that are handed to a process at once: a quarter of a second of work, so that all end at about the same time."""
PART_SECONDS = 120
"""Longest wait for them, and for a process to start. A machine that is very busy takes a tenth of it."""
LIBRARIES = ("PYTHON", "HOME", "XDG_CACHE_", "HF_", "SENTENCE_TRANSFORMERS_", "TORCH_", "CUDA_", "OMP_")
"""Beginnings of variables that libraries of models read; the only secret among them is that of the model hub."""
START = """
import sys
sys.path[:] = sys.argv[2:]
from shared.knowledge.embedding_pool import Connection, serve
serve(Connection(int(sys.argv[1])))
"""

logger = logging.getLogger(__name__)


class EmbeddingPool:
    """`make` builds the embedder in each process: it must survive pickling, as a `partial` of a class does.

    The processes start when `embed` needs them and end with `close`.
    """

    def __init__(self, make: Callable[[], Embedder], processes: int) -> None:
        self._make = make
        self._processes = processes
        self._threads: ThreadPoolExecutor | None = None
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._started: set[_Worker] = set()
        self._guard = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether processes have been started, and are not ended."""
        return self._threads is not None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As `Embedder.embed_documents`; call it in a thread. Raises `Unavailable` if the processes do not last."""
        with self._guard:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._processes, thread_name_prefix="embedding")
            parts = [self._threads.submit(self._embed, part) for part in batched(texts, PART, strict=False)]
        try:
            return np.concatenate([part.result() for part in parts])
        finally:
            for part in parts:
                part.cancel()

    def close(self) -> None:
        """End the processes; what they still embed is given up."""
        with self._guard:
            threads, self._threads = self._threads, None
            for worker in self._started:
                worker.kill()
        if threads:
            threads.shutdown(cancel_futures=True)
        with self._guard:
            for worker in self._started:
                worker.close()
            self._started.clear()
            self._idle = SimpleQueue()

    # ---- in one of its threads, of which there are as many as processes

    def _embed(self, texts: Sequence[str]) -> Vectors:
        # An idle process may be dying (a lack of memory kills several), which is no fault of these texts; that a new
        # one dies of them is.
        for take in (self._take, self._start):
            worker = take()
            try:
                vectors = worker.embed(texts)
            except (OSError, EOFError, TimeoutError):
                logger.warning("a process that embeds has ended", extra={"exit_code": worker.kill()})
                self._discard(worker)
            else:
                self._idle.put(worker)
                return vectors
        raise Unavailable("The processes that embed do not last; their error output says why.")

    def _take(self) -> _Worker:
        with contextlib.suppress(Empty):
            while not (worker := self._idle.get_nowait()).runs:
                self._discard(worker)
            return worker
        return self._start()

    def _start(self) -> _Worker:
        with self._guard:
            if self._threads is None:
                raise Unavailable("The processes that embed were ended.")
            worker = _Worker(self._make)
            self._started.add(worker)
            return worker

    def _discard(self, worker: _Worker) -> None:
        with self._guard:
            self._started.discard(worker)
        worker.close()


class _Worker:
    """One process and the pipe to it. It ends when the pipe does, so also when this process is killed."""

    def __init__(self, make: Callable[[], Embedder]) -> None:
        from shared.knowledge.parsing import inherited  # here, because the processes import this module to start

        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-P", "-c", START, str(theirs.fileno()), str(ROOT), *filter(None, sys.path)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=inherited(*LIBRARIES),
                start_new_session=True,  # Ctrl-C is for us, and we end it
            )
        with contextlib.suppress(OSError):  # it has ended already: the first answer will not come
            self._pipe.send(make)

    def embed(self, texts: Sequence[str]) -> Vectors:
        self._pipe.send(texts)
        if not self._pipe.poll(PART_SECONDS):
            raise TimeoutError
        vectors: Any = self._pipe.recv()
        return vectors

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> int:
        """Its exit code."""
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        self.kill()
        self._pipe.close()


def serve(pipe: Connection) -> None:
    """Until the other end is closed."""
    with contextlib.suppress(EOFError):
        embedder: Embedder = pipe.recv()()
        while True:
            pipe.send(embedder.embed_documents(pipe.recv()))
