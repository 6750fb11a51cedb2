"""Servers in processes of their own: to be killed and started again, on the same port and with the same data.

with tempfile.TemporaryDirectory() as folder, chroma(Path(folder)) as server:
    ...  # http://127.0.0.1:{server.port}
    server.kill()
    server.start()
"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
AZURITE = ROOT / "emulators" / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published by Microsoft for Azurite; it protects nothing."""
AZURITE_SAVES = 6.0
"""Seconds after which Azurite has written down what was done: it saves every five, and a kill takes the rest back."""
PORTS = (15_000, 32_000)
"""Below those that systems give to outgoing connections: one of these could take a port while its server is down."""
PATIENCE = 60
"""Seconds to wait for a server that takes one or two to start."""


class ServerProcess:
    """`command` makes the command line for a port; what the server says goes to `log`."""

    def __init__(
        self, command: Callable[[int], Sequence[str]], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._log = log
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def start(self) -> None:
        """Returns when it accepts connections. Raises `RuntimeError` with its last words."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command lines
                self._command(self.port),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + PATIENCE
        while not _accepts(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"no server on port {self.port}:\n{self._log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Raises `RuntimeError` if it was not started, or was killed."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """At once, as by a power cut (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def cosmos(folder: Path) -> ServerProcess:
    data = str(folder / "cosmos.db")
    return ServerProcess(lambda port: _python("emulators.cosmos", port, data), folder / "cosmos.log")


def service_bus(folder: Path) -> ServerProcess:
    data = str(folder / "servicebus.db")
    return ServerProcess(lambda port: _python("emulators.servicebus", port, data), folder / "servicebus.log")


def azurite(folder: Path) -> ServerProcess:
    """Blob Storage. Raises `FileNotFoundError` where Node.js is missing, or Azurite was not installed."""
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("Node.js is not installed, and Azurite needs it.")
    if not AZURITE.exists():
        raise FileNotFoundError("Azurite is not installed: tools/setup.sh test does it.")
    where = folder / "azurite"
    # Azurite knows the API versions up to its own release; the SDK may be newer.
    options = ["--location", str(where), "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    return ServerProcess(lambda port: [node, str(AZURITE), "--blobPort", str(port), *options], folder / "azurite.log")


def azurite_connection(port: int) -> str:
    """The connection string of Azurite on that port."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{AZURITE_ACCOUNT};"
    )


def chroma(folder: Path) -> ServerProcess:
    program, data = str(Path(sys.executable).with_name("chroma")), str(folder / "chroma")
    return ServerProcess(
        lambda port: [program, "run", "--host", "127.0.0.1", "--port", str(port), "--path", data], folder / "chroma.log"
    )


def free_port() -> int:
    """One that nobody listens on now. It stays the server's own over its restarts."""
    while True:
        port = random.randrange(*PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _python(module: str, port: int, data: str) -> list[str]:
    return [sys.executable, "-m", module, "--port", str(port), "--data", data]


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
