"""How fast documents get into the index, beside a LangChain pipeline with the same model on the same cores.

python -m benchmarks.ingestion [--data FOLDER] [--documents N] [--runs N] [--json FILE] [--check]
python -m benchmarks.ingestion --scale [--documents 10000] [--json FILE] [--check]: see ingestion_scale.py

Both read the same Markdown files from a folder, make passages of the same greatest length, embed them with
all-MiniLM-L6-v2 and store them in Chroma on disk, each with its defaults: here the app's own reconciliation; there
LangChain's recursive splitter, HuggingFaceEmbeddings (sentence-transformers, fp32) and langchain-chroma. The runs take
turns, each in a fresh process and an empty folder; both have their model loaded and their index opened before the clock
starts. Only ratios of medians are shown: absolute times are the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import re
import resource
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import ingestion_scale
from benchmarks.peer import PYTHON as PEER_PYTHON
from benchmarks.peer import ROOT, call, peer_python
from benchmarks.report import Ratio, Report, versions

SEED = 20_260_301
FASTER = 2.5
"""Least ratio of documents per second, ours to the peer's."""
OUTSIDE = 0.15
"""Greatest share of our time in which nothing is embedded."""


# ---- documents


def write_documents(folder: Path, data: Path | None, count: int) -> int:
    """Markdown files; from `corpus.jsonl` (`doc_id`, `title`, `text`) in `data`, else variations of the samples."""
    folder.mkdir(parents=True)
    texts = _of_corpus(data) if data else _of_samples()
    written = 0
    for written, text in enumerate(islice(texts, count), start=1):
        (folder / f"{written:05}.md").write_text(text, "utf-8")
    return written


def _of_corpus(data: Path) -> Any:
    with (data / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            yield f"# {entry['title']}\n\n{entry['text']}"


def _of_samples() -> Any:
    """Without end: paragraphs in another order, and every tenth word another one, so that no two passages are equal."""
    chance = random.Random(SEED)  # noqa: S311 - nothing is secret here
    sources = [file.read_text("utf-8") for file in sorted((ROOT / "samples" / "documents").rglob("*.md"))]
    sources = [re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL) for text in sources]
    words = sorted({word for text in sources for word in re.findall(r"\b[a-z]{4,}\b", text)})
    while True:
        title, *paragraphs = chance.choice(sources).strip().split("\n\n")
        chance.shuffle(paragraphs)
        varied = re.sub(
            r"\b[a-z]{4,}\b",
            lambda match: chance.choice(words) if chance.random() < 0.1 else match[0],
            "\n\n".join(paragraphs),
        )
        yield f"{title}\n\n{varied}"


# ---- one run


def run_ours(documents: Path, data_dir: Path) -> dict[str, Any]:
    """`outside` is the share of the time in which no text is in the embedding model or on its way to or from it.

    `own_cpu_seconds` is the part of `cpu_seconds` that the processes that embed did not take.
    """
    from shared import telemetry
    from shared.knowledge.embedding_pool import EmbeddingPool
    from shared.services import Services
    from shared.settings import Settings

    embedded = _Sum()
    telemetry.chunks_embedded = embedded  # pyright: ignore[reportAttributeAccessIssue]
    services = Services(Settings(data_dir=data_dir, documents_dir=documents, auth_mode="open"))  # pyright: ignore[reportCallIssue]
    busy = _Busy()
    kind: Any = type(services.embedder)
    kind.embed_documents = _timed(kind.embed_documents, busy)
    EmbeddingPool.embed = _timed(EmbeddingPool.embed, busy)

    async def reconcile_twice() -> dict[str, Any]:
        await services.index.ping()
        start, own, children = time.perf_counter(), _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN)
        first = await services.ingestion.reconcile()
        seconds = time.perf_counter() - start
        own, children = _cpu(resource.RUSAGE_SELF) - own, _cpu(resource.RUSAGE_CHILDREN) - children
        report = {
            "seconds": seconds,
            "cpu_seconds": own + children,
            "own_cpu_seconds": own,
            "outside": 1 - busy.seconds / seconds,
            "documents": first.ingested,
            "passages": await services.index.count(),
            "processes": services.settings.processes_that_embed,
            "embedded": embedded.total,
        }
        again = time.perf_counter()
        second = await services.ingestion.reconcile()
        report |= {
            "seconds_again": time.perf_counter() - again,
            "embedded_again": embedded.total - report["embedded"],
            "unchanged_again": second.unchanged,
        }
        await services.close()
        return report

    return asyncio.run(reconcile_twice())


class _Sum:
    """Also in the place of a counter of OpenTelemetry."""

    def __init__(self) -> None:
        self.total = 0.0

    def add(self, amount: float, *_: object) -> None:
        self.total += amount


class _Busy:
    """`seconds` during which at least one was at work."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._guard = threading.Lock()
        self._working = 0
        self._since = 0.0

    def __enter__(self) -> None:
        with self._guard:
            if not self._working:
                self._since = time.perf_counter()
            self._working += 1

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._working -= 1
            if not self._working:
                self.seconds += time.perf_counter() - self._since


def _timed(work: Callable[..., Any], busy: _Busy) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        with busy:
            return work(*arguments)

    return timed


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


# ---- both


def measure(documents: Path, scratch: Path, runs: int) -> dict[str, list[dict[str, Any]]]:
    from shared.knowledge.chunking import TARGET_TOKENS

    peer = peer_python()
    reports: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}
    for run in range(runs):
        for side in ("ours", "peer") if run % 2 == 0 else ("peer", "ours"):
            index = scratch / f"{side}-{run}"
            if side == "ours":
                command = [sys.executable, "-m", "benchmarks.ingestion", "--ours", str(documents), str(index)]
            else:
                script = str(Path(__file__).with_name("ingestion_peer.py"))
                command = [str(peer), script, str(documents), str(index), str(TARGET_TOKENS)]
            load = os.getloadavg()[0]
            report = json.loads(call(command).splitlines()[-1])
            reports[side].append({**report, "load_before": load, "load_after": os.getloadavg()[0]})
            shutil.rmtree(index)
            print(f"run {run + 1} of {runs}: {side} done", file=sys.stderr)
    return reports


def summary(reports: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    def median(side: str, key: str) -> float:
        return statistics.median(report[key] for report in reports[side])

    pairs = zip(reports["peer"], reports["ours"], strict=True)
    ratios = [peer["seconds"] / ours["seconds"] for peer, ours in pairs]
    return {
        "documents": reports["ours"][0]["documents"],
        "documents_per_second_ratio": round(median("peer", "seconds") / median("ours", "seconds"), 2),
        "ratio_of_each_run": [round(ratio, 2) for ratio in ratios],
        "documents_per_cpu_second_ratio": round(median("peer", "cpu_seconds") / median("ours", "cpu_seconds"), 2),
        "passages_ratio": round(median("ours", "passages") / median("peer", "passages"), 2),
        "outside_embedding": round(median("ours", "outside"), 3),
        "embedded_again": max(report["embedded_again"] for report in reports["ours"]),
        "time_again_ratio": round(median("ours", "seconds_again") / median("ours", "seconds"), 4),
    }


def machine(reports: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text("utf-8")) if info.exists() else []
    loads = [report[key] for side in reports.values() for report in side for key in ("load_before", "load_after")]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": names[0] if names else platform.processor(),
        "processors": os.process_cpu_count(),
        "processes_that_embed": reports["ours"][0]["processes"],
        "load_average": f"{min(loads):.1f} to {max(loads):.1f}",
        "python": f"{platform.python_version()}, peer {PEER_PYTHON}",
        "ours": versions("onnxruntime", "chromadb", "numpy"),
        "peer": reports["peer"][0]["versions"],
    }


def report(found: dict[str, Any], where: dict[str, Any], reports: dict[str, list[dict[str, Any]]]) -> Report:
    peer = {f"peer: {name}": version for name, version in where["peer"].items()}
    ratios = [
        Ratio("documents per second", found["documents_per_second_ratio"], FASTER, "higher", "LangChain pipeline"),
        Ratio(
            "documents per CPU second", found["documents_per_cpu_second_ratio"], None, "higher", "LangChain pipeline"
        ),
        Ratio("time in which nothing is embedded", found["outside_embedding"], OUTSIDE, "lower", "the whole time"),
        Ratio("reconciling again, nothing changed", found["time_again_ratio"], None, "lower", "the first time"),
    ]
    details = {"machine": where, "summary": found, "runs": reports}
    return Report("ingestion", ratios, {**where["ours"], **peer}, details)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ingestion", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="folder with a corpus.jsonl; default: variations of the samples")
    parser.add_argument("--documents", type=int, help="most documents (default: 400, with --scale 10,000)")
    parser.add_argument("--scale", action="store_true", help="ours alone, many documents in one go")
    parser.add_argument("--runs", type=int, default=3, help="of each side (default: 3)")
    parser.add_argument("--json", type=Path, help="also write everything that was measured to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument("--ours", type=Path, nargs=2, metavar=("DOCUMENTS", "DATA_DIR"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.ours:
        print(json.dumps(run_ours(*options.ours)))
        return 0
    if options.scale:
        return ingestion_scale.run_all(options.documents, options.data, options.json, check=options.check)
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder) / "documents"
        write_documents(documents, options.data, options.documents or 400)
        reports = measure(documents, Path(folder), options.runs)
    found, where = summary(reports), machine(reports)
    report(found, where, reports).write(options.json)
    for key, value in {**where, **found}.items():
        print(f"{key.replace('_', ' ')}: {value}")
    passed = (
        found["documents_per_second_ratio"] >= FASTER
        and found["outside_embedding"] <= OUTSIDE
        and found["embedded_again"] == 0
    )
    print(f"bars (documents per second >= {FASTER}, outside embedding <= {OUTSIDE}): {'met' if passed else 'missed'}")
    return 1 if options.check and not passed else 0


if __name__ == "__main__":
    sys.exit(main())
