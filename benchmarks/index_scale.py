"""How the search index in this process does as it grows: time of a query and memory.

python -m benchmarks.index_scale [--sizes 1000 10000 100000]

Chunks are made: unit vectors of 384 dimensions around centres, 20 chunks to each, with texts of some 700 characters.
One in a hundred holds a code, and each document of ten chunks is meant for one of ten products. Each size is filled by
one process and measured by another, whose memory is that of an app that has the index open and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.report import Ratio, Report, machine, versions
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.embedding import Vectors
from shared.knowledge.index import Chunk
from shared.knowledge.retrieval import CANDIDATES, CODE_CANDIDATES, FILTERED_CANDIDATES

DIMENSIONS = 384
PER_CENTRE = 20
SPREAD = 0.6
"""Length of the noise beside a centre of length 1: neighbours then have a cosine of some 0.7."""
FILLED_AT_ONCE = 5_000
QUERIES = 100
MODEL = "made"
WORDS = "the printer shows a light and does not feed paper until its cover is closed and the tray is full".split()


def made_vectors(numbers: range, seed: int) -> Vectors:
    """Those of the chunks of these numbers; with another seed, near to them."""
    found = np.empty((len(numbers), DIMENSIONS), dtype=np.float32)
    for row, number in enumerate(numbers):
        centre = np.random.default_rng((1, number // PER_CENTRE)).standard_normal(DIMENSIONS)
        noise = np.random.default_rng((seed, number)).standard_normal(DIMENSIONS)
        vector = centre / np.linalg.norm(centre) + SPREAD * noise / np.linalg.norm(noise)
        found[row] = vector / np.linalg.norm(vector)
    return found


def made_chunk(number: int) -> Chunk:
    chosen = np.random.default_rng((3, number)).choice(WORDS, 140)
    text = " ".join(chosen) + (f" ERR-{number // 100 % 50 + 1000}." if number % 100 == 0 else ".")
    document = number // 10
    metadata = {"source": f"{document}.md", "product": f"P{document % 10}"}
    return Chunk(f"c{number}", f"{document}.md", "v1", text, "Manual › Paper", 0, len(text), metadata)


async def fill(folder: Path, size: int) -> None:
    index = ChromaIndex(folder, MODEL)
    for start in range(0, size, FILLED_AT_ONCE):
        numbers = range(start, min(start + FILLED_AT_ONCE, size))
        await index.upsert([made_chunk(number) for number in numbers], made_vectors(numbers, seed=2))
    await index.close()


async def measure(folder: Path, size: int) -> Mapping[str, float]:
    index = ChromaIndex(folder, MODEL)
    step = max(1, size // QUERIES)
    vectors = [made_vectors(range(number, number + 1), seed=4)[0] for number in range(0, size, step)][:QUERIES]
    calls: Mapping[str, Callable[[Vectors], Awaitable[object]]] = {
        "query": lambda vector: index.query(vector, limit=CANDIDATES),
        "query for the caller to filter": lambda vector: index.query(vector, limit=FILTERED_CANDIDATES),
        "query for one of ten products": lambda vector: index.query(
            vector, limit=CANDIDATES, filters={"product": "P7"}
        ),
        "containing a code": lambda vector: index.containing("ERR-1007", vector, limit=CODE_CANDIDATES),
        "containing what is nowhere": lambda vector: index.containing("ERR-9999", vector, limit=CODE_CANDIDATES),
        "version": lambda _: index.version(),
    }
    found: dict[str, float] = {}
    for name, call in calls.items():
        await call(vectors[0])
        seconds: list[float] = []
        for vector in vectors:
            begun = time.perf_counter()
            await call(vector)
            seconds.append(time.perf_counter() - begun)
        found[f"{name} p50"], found[f"{name} p95"] = np.percentile(seconds, [50, 95]) * 1000
    found["memory"] = memory_mb()
    await index.close()
    return found


def memory_mb() -> float:
    """Resident memory of this process, of Linux's /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def in_a_process(what: str, folder: Path, size: int) -> str:
    command = [sys.executable, "-m", "benchmarks.index_scale", "--sizes", str(size), f"--{what}", str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def main() -> None:
    parser = argparse.ArgumentParser(prog="index_scale", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="numbers of chunks")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.fill:
        asyncio.run(fill(chosen.fill, chosen.sizes[0]))
        return
    if chosen.measure:
        print(json.dumps(asyncio.run(measure(chosen.measure, chosen.sizes[0]))))
        return
    print(f"{platform.machine()}, {os.process_cpu_count()} processors, Python {platform.python_version()}")
    measured: dict[int, Mapping[str, float]] = {}
    for size in chosen.sizes:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            in_a_process("fill", Path(folder), size)
            filled = time.perf_counter() - begun
            found = json.loads(in_a_process("measure", Path(folder), size))
            disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
        measured[size] = dict(found)
        memory = found.pop("memory")
        print(f"\n{size:,} chunks: filled in {filled:.0f} s, {disk:.0f} MB on disk, {memory:.0f} MB resident")
        for name in [key.removesuffix(" p50") for key in found if key.endswith(" p50")]:
            print(f"  {name:32} p50 {found[f'{name} p50']:7.1f} ms   p95 {found[f'{name} p95']:7.1f} ms")
    details = {"machine": machine(), "chunks": measured}
    Report("index_scale", growth(measured), versions("chromadb", "numpy"), details).write(chosen.json)


def growth(measured: Mapping[int, Mapping[str, float]]) -> list[Ratio]:
    """How much more each costs with each size than with the one before."""
    sizes = sorted(measured)
    return [
        Ratio(
            f"{name}, {larger:,} chunks",
            measured[larger][name] / measured[smaller][name],
            None,
            "lower",
            f"{smaller:,}",
        )
        for smaller, larger in itertools.pairwise(sizes)
        for name in ("query p50", "query for one of ten products p50", "containing a code p50", "memory")
    ]


if __name__ == "__main__":
    main()
