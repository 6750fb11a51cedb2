"""Cosmos DB, Service Bus, Blob Storage, a Chroma server and the app, to be killed one by one."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from emulators import processes
from emulators.cosmos.auth import EMULATOR_KEY
from emulators.processes import ServerProcess, azurite_connection
from emulators.servicebus.auth import connection_string
from local.demo import expect
from local.setup import ROOT

READY_SECONDS = 120
TOOL_SECONDS = 120


class Azure:
    """`with Azure(folder) as azure`: all servers run, with empty stores; the app does not yet."""

    def __init__(self, folder: Path) -> None:
        self.cosmos = processes.cosmos(folder)
        self.service_bus = processes.service_bus(folder)
        self.blobs = processes.azurite(folder)
        self.chroma = processes.chroma(folder)
        self.data_dir = folder / "app"
        self._settings = {
            "COSMOS_CONNECTION_STRING": f"AccountEndpoint=http://127.0.0.1:{self.cosmos.port}/;AccountKey={EMULATOR_KEY};",
            "SERVICE_BUS": connection_string("127.0.0.1", self.service_bus.port),
            "DOCUMENTS_STORAGE": azurite_connection(self.blobs.port),
            "CHROMA_URL": f"http://127.0.0.1:{self.chroma.port}",
            "CHROMA_TENANT": "kavendry",
            "CHROMA_DATABASE": "support",
            "DATA_DIR": str(self.data_dir),
            "AUTH_MODE": "token",
            "TOKEN_SECRET": secrets.token_urlsafe(48),
            "COMPANY_NAME": "Kavendry",
            # A killed app leaves the leases of its turns behind, for this long and ten seconds more.
            "TURN_TIMEOUT_SECONDS": "15",
            **dict.fromkeys(
                ("SESSIONS_PER_MINUTE", "MESSAGES_PER_MINUTE", "HEALTH_PER_MINUTE", "OPERATOR_CALLS_PER_MINUTE"),
                "1000000",
            ),
        }
        self.app = ServerProcess(
            lambda port: ["/usr/bin/env", f"PORT={port}", sys.executable, "-m", "local"],
            folder / "app.log",
            self.environment,
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """That of the app and of its tools; whatever else this shell has set for the product is left out."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return inherited | self._settings

    @property
    def servers(self) -> dict[str, ServerProcess]:
        return {
            "Cosmos DB": self.cosmos,
            "Service Bus": self.service_bus,
            "Blob Storage": self.blobs,
            "Chroma": self.chroma,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app.port}"

    @property
    def service_bus_connection(self) -> str:
        return self._settings["SERVICE_BUS"]

    @property
    def blob_connection(self) -> str:
        return self._settings["DOCUMENTS_STORAGE"]

    def __enter__(self) -> Self:
        try:
            for server in self.servers.values():
                server.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Everything, at once."""
        for server in (self.app, *self.servers.values()):
            server.kill()

    def restart(self) -> None:
        for server in self.servers.values():
            server.start()
        self.start_app()

    def tool(self, module: str, *arguments: str, typed: str | None = None) -> str:
        """Run one of the operator's commands; returns what it prints."""
        done = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, "-m", f"tools.{module}", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=typed,
            text=True,
            capture_output=True,
            timeout=TOOL_SECONDS,
            check=False,
        )
        expect(done.returncode == 0, f"tools.{module} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def start_app(self) -> None:
        """Returns when it says that it is ready."""
        self.app.start()
        end = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            expect(self.app.running, "the app ended by itself")
            expect(time.monotonic() < end, "the app does not get ready")
            time.sleep(0.2)

    async def start(self, server: ServerProcess) -> None:
        """While others run; the app may not be ready yet."""
        await asyncio.to_thread(server.start)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/readiness", timeout=10, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False
