"""The process in which documents of strangers are read: `python -m shared.knowledge.parser_process`.

It imports the libraries once, then forks for every document, so that each is read in a fresh process with limits of
its own and nothing but its own content; a document that kills its process costs no second import.

It speaks frames over its standard input and output: 8 bytes of length (big-endian), then that many bytes. It says
`{"ready": true}`; then each request is two frames, a `Request` as JSON and the document's bytes, and each answer two:
`{"peak_mb": …}`, the most memory that was held, and a JSON object with either `markdown`, `title` and `metadata`, or
`status` and `reason`.
"""

from __future__ import annotations

import gc
import json
import math
import os
import resource
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Never

from shared.errors import DocumentRejected
from shared.knowledge import formats
from shared.knowledge.index import DocumentStatus

HEADER = struct.Struct(">Q")
OUT_OF_MEMORY = 3
"""Exit code of a child: making an answer would take memory, too."""
MAX_ANSWER = 64 << 20
"""Bytes; the longest text allowed, in the longest encoding, is a third of it."""
_MAXRSS_PER_MB = 1 << 20 if sys.platform == "darwin" else 1 << 10  # getrusage(2): bytes there, KB elsewhere
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.", "ctypes.dlopen")
"""Audit events (the Python library reference, "Audit events table") that reading a document never needs."""


@dataclass(frozen=True, slots=True)
class Request:
    """`timeout` is in seconds of wall clock; `memory_mb` what reading may take beyond the libraries themselves."""

    kind: str
    name: str
    timeout: float
    memory_mb: int


def read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """None at the end of the stream."""
    header = _read_exactly(read, HEADER.size)
    return None if header is None else _read_exactly(read, HEADER.unpack(header)[0])


def _read_exactly(read: Callable[[int], bytes], size: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < size:
        piece = read(min(size - len(pieces), 1 << 20))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)


def frame(content: bytes) -> bytes:
    return HEADER.pack(len(content)) + content


def serve() -> None:
    """Until standard input ends. Standard output is kept from the libraries, which may print."""
    source, sink = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    _import_libraries()
    gc.collect()
    gc.freeze()  # the forks then share these objects' memory
    write_all(sink, frame(json.dumps({"ready": True}).encode()))

    def read(size: int) -> bytes:
        return os.read(source, size)

    while (head := read_frame(read)) is not None and (data := read_frame(read)) is not None:
        answer, peak_mb = _read_apart(Request(**json.loads(head)), data, (source, sink))
        write_all(sink, frame(json.dumps({"peak_mb": peak_mb}).encode()) + frame(answer))


def _import_libraries() -> None:
    """Without one that markitdown asks for and we never use.

    `magika` guesses what a file is, which is known here; it also brings ONNX Runtime, which starts a thread, and only
    a process with a single thread can fork safely.
    """
    sys.modules["magika"] = ModuleType("magika")
    formats.load_libraries()
    formats.convert(formats.Kind.HTML, b"<p>Compiles the patterns that every page needs.</p>", "")


def _read_apart(request: Request, data: bytes, foreign: tuple[int, ...]) -> tuple[bytes, float]:
    """The answer of a child process, or one that says why there is none; and the most memory it held, in MB."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        for descriptor in (receiving, *foreign):
            os.close(descriptor)
        _be_the_child(request, data, sending)
    os.close(sending)
    answer, problem = _collect(receiving, time.monotonic() + request.timeout)
    os.close(receiving)
    if problem:
        os.kill(pid, signal.SIGKILL)
    _, state, usage = os.wait4(pid, 0)
    peak_mb = round(usage.ru_maxrss / _MAXRSS_PER_MB, 1)
    return answer if state == 0 and answer and not problem else _rejection(problem or _cause(state, request)), peak_mb


def _collect(receiving: int, deadline: float) -> tuple[bytes, DocumentRejected | None]:
    pieces = bytearray()
    poll = select.poll()
    poll.register(receiving, select.POLLIN | select.POLLHUP)
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not poll.poll(remaining * 1000):
            return b"", _too_slow()
        piece = os.read(receiving, 1 << 20)
        if not piece:
            return bytes(pieces), None
        pieces += piece
        if len(pieces) > MAX_ANSWER:
            return b"", DocumentRejected(DocumentStatus.TOO_LARGE, "The document holds too much text. Split it.")


def _be_the_child(request: Request, data: bytes, sending: int) -> Never:
    try:
        _set_limits(request)
        write_all(sending, _answer(request, data))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    finally:
        os._exit(0)  # not a normal exit: what the parent has set up to run at its end is not ours


def _answer(request: Request, data: bytes) -> bytes:
    try:
        parsed = formats.convert(formats.Kind(request.kind), data, request.name)
    except DocumentRejected as rejected:
        return _rejection(rejected)
    except MemoryError:
        raise
    except Exception as error:  # libraries raise anything on a broken file
        if isinstance(error.__context__, MemoryError):  # and some try again another way
            raise MemoryError from error
        return _rejection(_broken())
    return json.dumps(asdict(parsed)).encode()


def _set_limits(request: Request) -> None:
    """Of this process: memory, processor time, no writing of files, no network, no other program, no output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    seconds = math.ceil(request.timeout) + 1  # ends it even if its parent is gone
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statistics = Path("/proc/self/statm")
    if statistics.exists():  # Linux; other systems do not enforce the limit
        used = int(statistics.read_text().split()[0]) * resource.getpagesize()
        most = used + (request.memory_mb << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    sys.addaudithook(_forbid)


def _forbid(event: str, _: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(f"{event} while reading a document")


def _cause(state: int, request: Request) -> DocumentRejected:
    code = os.waitstatus_to_exitcode(state)
    if code == -signal.SIGXCPU:
        return _too_slow()
    # The system kills when memory runs out, and PDFium aborts.
    if code in (OUT_OF_MEMORY, -signal.SIGKILL, -signal.SIGABRT):
        return _too_much_memory(request)
    return _broken()


def _too_slow() -> DocumentRejected:
    return DocumentRejected(
        DocumentStatus.TOO_SLOW, "Reading the document took too long. Split it, or save it in a simpler format."
    )


def _too_much_memory(request: Request) -> DocumentRejected:
    return DocumentRejected(
        DocumentStatus.TOO_LARGE, f"Reading the document takes more than {request.memory_mb} MB of memory. Split it."
    )


def _broken() -> DocumentRejected:
    return DocumentRejected(
        DocumentStatus.BROKEN, "The file is damaged, or not what its format demands. Open it and save it again."
    )


def _rejection(rejected: DocumentRejected) -> bytes:
    return json.dumps({"status": rejected.status, "reason": str(rejected)}).encode()


def write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    serve()
