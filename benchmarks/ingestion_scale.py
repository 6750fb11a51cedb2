"""Many documents in one go: whether memory stays flat and time linear, and what a kill in the middle costs.

python -m benchmarks.ingestion_scale [--data FOLDER] [--documents 10000] [--json FILE] [--check]

The app's reconciliation, in a process of its own, into an index on a Chroma server, so that what an index has to keep
in memory (each vector once) is not taken for the ingestion's. Then another, of a tenth of the documents, is killed when
half of them are read, and a new process goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measures import Slope, children, cpu_seconds, memory_mb, slope, thinned
from benchmarks.report import Ratio, Report, versions
from emulators.processes import ServerProcess, chroma

DOCUMENTS = 10_000
ROOT = Path(__file__).resolve().parents[1]
TOLD_EVERY = 20
"""Documents between two points of the curve."""
POINTS = 5
"""Points of memory that are made one: see `thinned`."""
LINEAR = 1.15
"""Greatest ratio of the processor time for the last third of the documents to that for the middle third. The first is
left out: processes start in it, and what is read for the first time is compiled and loaded."""
FLAT_MB = 5.0
"""Greatest growth of memory, MB for a thousand documents, unless it is noise: a tenth of what their passages take in
memory as texts and vectors, some 50 MB."""
KILLED = 0.1
"""Share of the documents with which a kill is tried."""


@dataclass(slots=True)
class Run:
    """One reconciliation. Points are (documents read, seconds, processor seconds with those that embed and parse, MB of
    the process that ingests); `embedded` are passages that went through the model."""

    points: list[tuple[int, float, float, float]] = field(default_factory=list[tuple[int, float, float, float]])
    seconds: float = 0.0
    ingested: int = 0
    embedded: int = 0
    killed: bool = False


def reconcile() -> int:
    """In the process that is measured: tells what it does in lines of JSON. The environment is its settings."""
    from shared import telemetry
    from shared.services import Services
    from shared.settings import load_settings

    embedded = 0

    class Embedded:
        """In the place of a counter of OpenTelemetry."""

        def add(self, amount: float, *_: object) -> None:
            nonlocal embedded
            embedded += int(amount)

    telemetry.chunks_embedded = Embedded()  # pyright: ignore[reportAttributeAccessIssue]

    async def work() -> None:
        services = Services(load_settings())
        await services.index.ping()
        tell(started=True)

        def progress(number: int, total: int, _: str) -> None:
            if number % TOLD_EVERY == 0 or number == total:
                tell(read=number)

        outcome = await services.ingestion.reconcile(progress)
        tell(ingested=outcome.ingested, unchanged=outcome.unchanged, failed=outcome.failed, embedded=embedded)
        await services.close()

    asyncio.run(work())
    return 0


def tell(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def run(settings: Mapping[str, str], *, kill_at: int | None = None) -> Run:
    """Raises `RuntimeError` if it ends by itself before its end, or leaves documents out."""
    found = Run()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ingestion_scale", "--reconcile"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    begun = time.perf_counter()
    for line in process.stdout or ():
        news = json.loads(line)
        if "started" in news:
            begun = time.perf_counter()
        elif "read" in news:
            used = sum(map(cpu_seconds, (process.pid, *children(process.pid))))
            found.points.append((news["read"], time.perf_counter() - begun, used, memory_mb(process.pid)))
            if kill_at is not None and news["read"] >= kill_at:
                os.kill(process.pid, signal.SIGKILL)
                found.killed = True
                break
        else:
            found.seconds = time.perf_counter() - begun
            found.ingested, found.embedded = news["ingested"], news["embedded"]
            if news["failed"]:
                raise RuntimeError(f"{news['failed']} documents were left out")
    if process.stdout:
        process.stdout.close()
    if process.wait() and not found.killed:
        raise RuntimeError(f"the reconciliation ended with {process.returncode}")
    return found


def passages(server: ServerProcess, settings: Mapping[str, str]) -> int:
    """In the index now."""
    import chromadb

    client = chromadb.HttpClient(
        "127.0.0.1", server.port, tenant=settings["CHROMA_TENANT"], database=settings["CHROMA_DATABASE"]
    )
    return sum(found.count() for found in client.list_collections() if found.name.startswith("chunks-"))


def measure(folder: Path, documents: int, write: Callable[[Path, int], object]) -> dict[str, Any]:
    """`write(folder, count)` writes so many documents."""
    with chroma(folder) as server:
        whole = settings_for(folder / "whole", server)
        write(folder / "whole" / "documents", documents)
        told(f"{documents} documents in one go")
        one_go = run(whole)
        few = max(200, int(documents * KILLED))
        again = settings_for(folder / "killed", server, database="default_database")
        clear(server)
        write(folder / "killed" / "documents", few)
        told(f"{few} documents, killed in the middle")
        first = run(again, kill_at=few // 2)
        there = passages(server, again)
        second = run(again)
        total = passages(server, again)
    return {
        "documents": documents,
        "points": one_go.points,
        "seconds": one_go.seconds,
        "passages": one_go.embedded,
        "killed": {
            "documents": few,
            "killed": first.killed,
            "passages when killed": there,
            "ingested again": second.ingested,
            "embedded again": second.embedded,
            "passages": total,
        },
    }


def clear(server: ServerProcess) -> None:
    import chromadb

    client = chromadb.HttpClient("127.0.0.1", server.port)
    for collection in client.list_collections():
        client.delete_collection(collection.name)


def settings_for(folder: Path, server: ServerProcess, database: str = "default_database") -> dict[str, str]:
    folder.mkdir(parents=True)
    return {
        "DATA_DIR": str(folder / "data"),
        "DOCUMENTS_DIR": str(folder / "documents"),
        "AUTH_MODE": "open",
        "CHROMA_URL": f"http://127.0.0.1:{server.port}",
        "CHROMA_TENANT": "default_tenant",
        "CHROMA_DATABASE": database,
        "LOG_LEVEL": "ERROR",
    }


def told(what: str) -> None:
    print(f"ingestion: {what}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)


def growth(points: Sequence[Sequence[float]]) -> tuple[Slope, float]:
    """MB for a thousand documents after the first third; and the ratio of the processor
    seconds for a document in the last third to those in the middle one."""
    third = len(points) // 3
    later = points[third:]
    grown = slope(thinned((point[0] / 1000 for point in later), POINTS), thinned((point[3] for point in later), POINTS))
    begin, middle, end = points[third], points[2 * third], points[-1]
    rate = [(b[2] - a[2]) / (b[0] - a[0]) for a, b in ((begin, middle), (middle, end))]
    return grown, rate[1] / rate[0]


def report(found: Mapping[str, Any]) -> Report:
    grown, slower = growth(found["points"])
    killed = found["killed"]
    missing = killed["passages"] - killed["passages when killed"]
    line = slope([point[0] for point in found["points"]], [point[1] for point in found["points"]])
    start, end = found["points"][len(found["points"]) // 3], found["points"][-1]
    return Report(
        "ingestion_scale",
        [
            Ratio(
                "processor seconds for a document, last third",
                slower,
                LINEAR,
                "lower",
                f"middle third of {found['documents']:,}",
            ),
            Ratio("memory at the end", end[3] / start[3], None, "lower", "after the first third"),
            Ratio(
                "growth of memory beyond noise, MB for 1,000 documents",
                grown.beyond_noise,
                FLAT_MB,
                "lower",
                "1 MB",
            ),
            Ratio("embedded again after a kill", killed["embedded again"] / max(1, missing), 1.0, "lower", "not done"),
        ],
        versions("onnxruntime", "chromadb"),
        {
            **found,
            "points": found["points"][:: max(1, len(found["points"]) // 50)],
            "MB for 1,000 documents": [round(grown.value, 2), round(grown.error, 2)],
            "seconds for 1,000 documents": [round(line.value * 1000, 1), round(line.error * 1000, 2)],
        },
    )


def run_all(documents: int | None, data: Path | None, file: Path | None, *, check: bool) -> int:
    """The exit code."""
    from benchmarks.ingestion import write_documents

    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), documents or DOCUMENTS, lambda where, count: write_documents(where, data, count))
    told = report(found)
    told.print()
    told.write(file)
    return 1 if check and not told.met else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ingestion_scale", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="folder with a corpus.jsonl; default: variations of the samples")
    parser.add_argument("--documents", type=int, help=f"(default: {DOCUMENTS:,})")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument("--reconcile", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.reconcile:
        return reconcile()
    return run_all(options.documents, options.data, options.json, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
