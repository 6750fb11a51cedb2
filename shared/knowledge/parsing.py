"""Any document into Markdown, without letting it harm the process that asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from shared.errors import DocumentRejected, Unavailable
from shared.knowledge.formats import Kind, ParsedDocument, kind_of, read_text
from shared.knowledge.index import DocumentStatus
from shared.knowledge.parser_process import Request, frame, read_frame, write_all

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
"""Longest wait for the child process to have imported its libraries; 3 to 5 s are usual."""
INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
GRACE_SECONDS = 10
"""The child keeps the time limit itself; only if it does not answer this much later is it killed from outside."""


class DocumentParser:
    """Reads one document at a time, each in a process of its own with limits on time and memory (ADR 0006).

    `timeout` is in seconds for one document, `memory_mb` what reading one may take, `max_bytes` its largest size.
    The process that forks them starts with the first document that needs it; plain text and Markdown do not.
    """

    def __init__(self, *, timeout: float, memory_mb: int, max_bytes: int) -> None:
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._max_bytes = max_bytes
        # One thread of its own: documents queue here instead of filling the pool that everything else shares.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="parser")
        self._process: subprocess.Popen[bytes] | None = None
        self.peak_mb = 0.0
        """Most memory held while the latest document was read, libraries included; 0 if it needed no child process."""

    async def parse(self, data: bytes, name: str) -> ParsedDocument:
        """`name` is the document's path or file name.

        Raises `DocumentRejected` with the reason for its editor; `Unavailable` if the child process does not work.
        """
        self.peak_mb = 0.0
        if len(data) > self._max_bytes:
            raise DocumentRejected(
                DocumentStatus.TOO_LARGE, f"The file is larger than {self._max_bytes / 1e6:g} MB. Split it."
            )
        kind = await asyncio.to_thread(kind_of, data, name)
        if kind in (Kind.MARKDOWN, Kind.TEXT):
            return await asyncio.to_thread(read_text, data, name)
        request = Request(kind, name, self._timeout, self._memory_mb)
        answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, request, data)
        if "status" in answer:
            raise DocumentRejected(DocumentStatus(answer["status"]), str(answer["reason"]))
        parsed = ParsedDocument(**answer)
        return replace(parsed, pages=tuple(parsed.pages))

    async def close(self) -> None:
        """End the child process; a document being read is given up."""
        if process := self._process:
            _kill(process)
        await asyncio.to_thread(self._thread.shutdown)
        self._stop()

    # ---- in the parser's thread

    def _ask(self, request: Request, data: bytes) -> dict[str, Any]:
        process = self._running()
        source, sink = _pipes(process)
        try:
            with _killed_after(process, request.timeout + GRACE_SECONDS):
                write_all(sink, frame(json.dumps(asdict(request)).encode()))
                write_all(sink, frame(data))
                usage = read_frame(source)
                answer = read_frame(source)
        except OSError:
            usage = answer = None
        if usage is None or answer is None:
            self._stop()
            raise Unavailable("The process that reads documents has ended. It starts again with the next document.")
        self.peak_mb = float(json.loads(usage)["peak_mb"])
        return json.loads(answer)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "shared.knowledge.parser_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for us, and we end it
        )
        self._process = process
        with _killed_after(process, START_SECONDS):
            ready = read_frame(_pipes(process)[0])
        if ready is None:
            self._stop()
            raise Unavailable("The process that reads documents does not start; its error output says why.")
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process:
            _kill(process)
            with process:
                pass  # closes the pipes and waits


def _pipes(process: subprocess.Popen[bytes]) -> tuple[Callable[[int], bytes], int]:
    """To read from, and to write to."""
    assert process.stdin  # noqa: S101
    assert process.stdout  # noqa: S101
    return process.stdout.read, process.stdin.fileno()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With what it has forked."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _killed_after(process: subprocess.Popen[bytes], seconds: float) -> Generator[None]:
    """A process that hangs is killed, which ends every read from it."""
    watchdog = threading.Timer(seconds, _kill, [process])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def inherited(*beginnings: str) -> dict[str, str]:
    """Variables that a Python needs to start, and those whose names begin so; no setting of the app is among them."""
    return {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(beginnings)}


def _environment() -> dict[str, str]:
    """What a Python needs to start and to find our code. No setting, and above all no secret, reaches a document."""
    path = [str(ROOT), *(entry for entry in sys.path if entry)]
    return inherited() | {
        "PYTHONPATH": os.pathsep.join(path),
        # A process that forks must have one thread only.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
