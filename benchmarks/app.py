"""The app exactly as `make run` starts it, in a process of its own, and a client that talks to it over HTTP.

python -m benchmarks.app: `python -m local`, and one more thread that waits for lines on standard input. For each, an
object with `question` and `session_id`, it measures the irreducible parts of a turn in this process, through the app's
own adapters, and prints their seconds. While nobody writes a line it only sleeps.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from emulators.processes import free_port

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("query embedding", "vector query", "conversation read", "batch write")
ANSWERED = "PARTS "
NO_LIMITS = {"SESSIONS_PER_MINUTE": "1000000", "MESSAGES_PER_MINUTE": "1000000"}
IDLE = 2
"""Seconds after which a connection is not used again: uvicorn closes it after five."""
PATIENCE = 300
"""Seconds at most for a start or an answer."""


class Client:
    """One connection, kept open, and hardly more than its socket: it shares the machine with the server."""

    def __init__(self, port: int) -> None:
        self.token = ""
        self._used = time.monotonic()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def post(self, path: str, body: Mapping[str, Any], accept: str = "application/json") -> bytes:
        """The whole answer. Raises `RuntimeError` with it unless it succeeded."""
        headers = {"Content-Type": "application/json", "Accept": accept}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if time.monotonic() - self._used > IDLE:
            self._connection.close()  # the next request opens it again
        self._connection.request("POST", path, json.dumps(body), headers)
        response = self._connection.getresponse()
        answer = response.read()
        self._used = time.monotonic()
        if response.status not in (200, 201):
            raise RuntimeError(f"{path}: {response.status} {answer[:500]!r}")
        return answer

    def close(self) -> None:
        self._connection.close()


class ServerOnPort:
    """A process that serves HTTP on `port`, once it has printed `ready`."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], ready: str) -> None:
        self.port = free_port()
        self._command = command
        # Compiled modules are kept, as an installed app has them.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._environ = kept | dict(environ) | {"PORT": str(self.port), "PYTHONUNBUFFERED": "1"}
        self._ready = ready
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        return self._running.pid

    def start(self) -> None:
        """Without waiting."""
        self._process = subprocess.Popen(  # noqa: S603 - our own command lines
            self._command, cwd=ROOT, env=self._environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait(self) -> None:
        self.line_with(self._ready)

    def line_with(self, text: str) -> str:
        """The next line on its standard output that has this text. Raises `RuntimeError` if it ends before."""
        for line in self._running.stdout or ():
            if text in line:
                return line
        raise RuntimeError(f"{self._command} ended with {self._running.wait()}")

    def tell(self, line: str) -> None:
        if self._running.stdin:
            self._running.stdin.write(line + "\n")
            self._running.stdin.flush()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()
            self._process = None

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    def __enter__(self) -> Self:
        self.start()
        self.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class App(ServerOnPort):
    """Ours. `environ` are settings of docs/settings.md."""

    def __init__(self, data_dir: Path, documents: Path, environ: Mapping[str, str] | None = None) -> None:
        settings = {"DATA_DIR": str(data_dir), "DOCUMENTS_DIR": str(documents), **NO_LIMITS, **(environ or {})}
        super().__init__([sys.executable, "-m", "benchmarks.app"], settings, ready="  stop ")

    def new_session(self, client: Client) -> str:
        return json.loads(client.post("/chat/sessions", {}))["session_id"]

    def parts(self, question: str, session_id: str) -> list[float]:
        """Seconds of each of `PARTS`."""
        self.tell(json.dumps({"question": question, "session_id": session_id}))
        return json.loads(self.line_with(ANSWERED).removeprefix(ANSWERED))


def measure_parts() -> None:
    """Until standard input ends."""

    async def measure(question: str, session_id: str) -> list[float]:
        from shared.knowledge.retrieval import CANDIDATES
        from shared.memory.models import Message
        from shared.services import get_services

        services = get_services()
        message = Message(
            id=f"b-{uuid.uuid4().hex}",
            session_id=session_id,
            role="assistant",
            text=question * 5,  # about as long as an answer
            created_at=datetime.now(UTC),
        )
        clock = [time.perf_counter()]
        vector = await asyncio.to_thread(services.embedder.embed_query, question)
        clock.append(time.perf_counter())
        await services.index.query(vector, limit=CANDIDATES)
        clock.append(time.perf_counter())
        await services.store.get(session_id)
        clock.append(time.perf_counter())
        await services.store.append(message)
        clock.append(time.perf_counter())
        return [after - before for before, after in itertools.pairwise(clock)]

    with asyncio.Runner() as runner:
        for line in sys.stdin:
            print(ANSWERED + json.dumps(runner.run(measure(**json.loads(line)))), flush=True)


def main() -> int:
    threading.Thread(target=measure_parts, daemon=True).start()
    from local.__main__ import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
