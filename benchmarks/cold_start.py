"""From the start of a process to the first answered question, beside what cannot be left out and beside a peer.

python -m benchmarks.cold_start [--runs N] [--json FILE] [--check]

Each run is a fresh process on stores that are filled: the app as `make run` starts it, on the laptop's stores and on
the adapters for Azure's services (emulators, keyless answers); a process that imports the Azure SDKs and ends; and the
chat app of `benchmarks/turn_peer.py`. They take turns. Memory is the greatest that the process had until the answer.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.app import NO_LIMITS, Client, ServerOnPort
from benchmarks.peer import call, peer_versions
from benchmarks.report import Ratio, Report, versions
from benchmarks.turn import mock_model, peer_app, write_documents
from local.rehearsal.azure import Azure

SDKS = ("azure.functions", "azure.cosmos.aio", "azure.servicebus.aio", "azure.storage.blob.aio", "azure.identity.aio")
QUESTION = "How long does normal delivery to Germany take?"
TO_SDKS = 2.0
"""Greatest ratio of our start to importing the SDKs."""
FASTER = 8.0
"""Least ratio of the peer's time to ours."""
SMALLER = 1 / 3
"""Greatest ratio of our memory to the peer's."""
TRY_AGAIN = 0.005
"""Seconds between two attempts to reach a server that is starting."""


def import_sdks(names: Sequence[str]) -> dict[str, float]:
    begun = time.perf_counter()
    call([sys.executable, "-c", f"import {', '.join(names)}"])
    return {"seconds": time.perf_counter() - begun}


def start(server: ServerOnPort, ask: Callable[[Client], bytes]) -> dict[str, float]:
    """Seconds until `ask` has its answer, and the process's greatest memory in MB (Linux)."""
    begun = time.perf_counter()
    server.start()
    try:
        while True:
            with contextlib.closing(Client(server.port)) as client:
                try:
                    answer = ask(client)
                    break
                except (ConnectionError, http.client.HTTPException):
                    time.sleep(TRY_AGAIN)
        seconds = time.perf_counter() - begun
        if not json.loads(answer)["sources"]:
            raise RuntimeError(f"the first answer rests on nothing: {answer[:300]!r}")
        return {"seconds": seconds, "memory": peak_mb(server.pid)}
    finally:
        server.stop()


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def ask_ours(client: Client) -> bytes:
    session = json.loads(client.post("/chat/sessions", {}))
    client.token = session["token"]
    return client.post(f"/chat/sessions/{session['session_id']}/messages", {"message": QUESTION})


def ask_peer(client: Client) -> bytes:
    return client.post("/chat", {"thread_id": str(time.time()), "message": QUESTION})


def run_app(environ: Mapping[str, str]) -> ServerOnPort:
    return ServerOnPort([sys.executable, "-m", "local"], {**environ, **NO_LIMITS}, ready="  stop ")


def measure(runs: int) -> dict[str, list[dict[str, float]]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        documents = folder / "documents"
        write_documents(documents)
        with Azure(folder) as azure, mock_model(folder) as model:
            azure.tool("create_stores")
            azure.tool("upload_documents", str(documents))
            apps = {
                "Azure adapters": run_app(azure.environment),
                "laptop": run_app({"DATA_DIR": str(folder / "laptop"), "DOCUMENTS_DIR": str(documents)}),
            }
            peer = peer_app(documents, folder / "peer", model.port)
            for server in (*apps.values(), peer):  # fills the stores
                with server:
                    pass
            sides: dict[str, Callable[[], dict[str, float]]] = {
                "SDKs": lambda: import_sdks(SDKS),
                "SDKs without azure.identity": lambda: import_sdks(SDKS[:-1]),
                **{where: lambda app=app: start(app, ask_ours) for where, app in apps.items()},
                "peer": lambda: start(peer, ask_peer),
            }
            found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
            for number in range(runs):
                for side in sides if number % 2 == 0 else reversed(sides):
                    found[side].append(sides[side]())
                load = os.getloadavg()[0]
                print(f"cold_start: run {number + 1} of {runs} done, load {load:.1f}", file=sys.stderr, flush=True)
    return found


def ratios(found: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Ratio]:
    def median(side: str, key: str = "seconds") -> float:
        return statistics.median(run[key] for run in found[side])

    azure, without = median("Azure adapters"), "without azure-identity, which an emulator's key does not need"
    return [
        Ratio(
            "start to first answer, Azure adapters",
            azure / median("SDKs"),
            TO_SDKS,
            "lower",
            "importing the Azure SDKs",
        ),
        Ratio(
            "start to first answer, Azure adapters",
            azure / median("SDKs without azure.identity"),
            None,
            "lower",
            f"the same {without}",
        ),
        *(
            ratio
            for where in ("Azure adapters", "laptop")
            for ratio in (
                Ratio(
                    f"speed of a cold start, {where}",
                    median("peer") / median(where),
                    FASTER,
                    "higher",
                    "LangGraph app with torch",
                ),
                Ratio(
                    f"memory, {where}",
                    median(where, "memory") / median("peer", "memory"),
                    SMALLER,
                    "lower",
                    "LangGraph app with torch",
                ),
            )
        ),
    ]


def details(found: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Medians; they are this machine's."""
    return {
        side: {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
        for side, runs in found.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="cold_start", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="of each side (default: 5)")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    options = parser.parse_args(arguments)
    found = measure(options.runs)
    packages = (
        *("azure-functions", "azure-functions-runtime", "azure-cosmos", "azure-servicebus", "azure-storage-blob"),
        *("azure-identity", "chromadb", "onnxruntime"),
    )
    report = Report("cold_start", ratios(found), {**versions(*packages), **peer_versions()}, details(found))
    report.print()
    print("medians:", json.dumps(report.details))
    report.write(options.json)
    return 1 if options.check and not report.met else 0


if __name__ == "__main__":
    sys.exit(main())
