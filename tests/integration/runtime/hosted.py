"""An app of `apps/` in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from shared.settings import ROOT

HERE = Path(__file__).parent
PATIENCE = 20
"""Seconds to wait for what takes well under one."""


class Hosted:
    """An app that is being served. `record()` is what its functions wrote down."""

    def __init__(self, process: subprocess.Popen[str], hello: dict[str, Any], notes: Path) -> None:
        self._process = process
        self._notes = notes
        self.hello = hello
        self.port = hello.get("port")

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE, trust_env=False)

    def record(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._notes.read_text().splitlines()] if self._notes.exists() else []

    def stop(self) -> str:
        """End the process in order; returns what it wrote to standard error."""
        _, errors = self._process.communicate(timeout=PATIENCE)
        assert self._process.returncode == 0, errors
        return errors


def eventually[T](look: Callable[[], T]) -> T:
    """The first truthy thing that `look` returns; the last thing it returned if there is none in time."""
    end = time.monotonic() + PATIENCE
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


@contextmanager
def serving(notes: Path, app: str, *arguments: Path | str) -> Iterator[Hosted]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "serve.py"), str(HERE / "apps" / app), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "RECORD": str(notes)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=PATIENCE)[1]
        yield Hosted(process, json.loads(line), notes)
    finally:
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        process.wait()
