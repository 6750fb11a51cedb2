"""What a document may not do while it is read. Each runs in a fork, as in the parser's process."""

from __future__ import annotations

import io
import os
import socket
import subprocess
from collections.abc import Callable

import pytest

from shared.knowledge.parser_process import Request, _set_limits, frame, read_frame


def in_a_limited_fork(work: Callable[[], object]) -> str:
    """The name of the exception that the work raises; empty if none."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _set_limits(Request("pdf", "a.pdf", timeout=5, memory_mb=64))
            work()
        except BaseException as error:  # noqa: BLE001
            os.write(sending, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(sending)
    name = os.read(receiving, 100).decode()
    os.close(receiving)
    os.waitpid(pid, 0)
    return name


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_no_network_no_programs_no_files(tmp_path) -> None:
    assert in_a_limited_fork(lambda: sum(range(1000))) == ""
    assert in_a_limited_fork(lambda: socket.create_connection(("127.0.0.1", 9))) == "PermissionError"
    assert in_a_limited_fork(lambda: subprocess.run(["true"], check=True)) == "PermissionError"
    assert in_a_limited_fork(lambda: os.system("true")) == "PermissionError"
    assert in_a_limited_fork(lambda: (tmp_path / "a").write_bytes(b"x")) == "OSError"
    assert in_a_limited_fork(lambda: bytearray(200 << 20)) == "MemoryError"


def test_frames() -> None:
    stream = io.BytesIO(frame(b"first") + frame(b"") + frame(b"last")[:-1])

    def read(size: int) -> bytes:
        return stream.read(min(size, 3))  # a pipe gives what it has

    assert read_frame(read) == b"first"
    assert read_frame(read) == b""
    assert read_frame(read) is None
    assert read_frame(read) is None
