"""How the search index in this process does as it grows: time of its calls, of a retrieval and of a turn, and memory.

python -m benchmarks.index_scale [--sizes 1000 10000 100000] [--json FILE] [--check]

Chunks are made: unit vectors of 384 dimensions around centres, 20 chunks to each, with texts of some 700 characters.
One in a hundred holds a code, and each document of ten chunks is meant for one of ten products. Each size is filled by
one process and measured by another, which first has the index and the embedding model and nothing else, and then is
the app's own services, keyless, with made questions, no two alike. How many of the nearest a search finds is counted
against all distances.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.measures import memory_mb
from benchmarks.report import Ratio, Report, versions
from shared.knowledge.chroma import ChromaIndex
from shared.knowledge.embedding import Vectors
from shared.knowledge.filters import Filters
from shared.knowledge.index import Chunk
from shared.knowledge.retrieval import CANDIDATES, CODE_CANDIDATES, FILTERED_CANDIDATES
from shared.services import Services
from shared.settings import Settings

DIMENSIONS = 384
PER_CENTRE = 20
SPREAD = 0.6
"""Length of the noise beside a centre of length 1: neighbours then have a cosine of some 0.7."""
FILLED_AT_ONCE = 5_000
QUERIES = 100
QUESTIONS = 40
"""Of each kind, of retrievals and of turns."""
RECALLED, RECALL_QUERIES = 20, 30
"""Nearest chunks that are looked for, and how often."""
PRODUCT: Filters = {"product": "P7"}
CODE, NO_CODE = "ERR-1007", "ERR-9999"
GROWTH, RECALL = 4.0, 0.95
"""Greatest growth of a retrieval's p50 from the smallest to the largest size, without codes; least recall."""
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
    metadata = {"source": f"{document}.md", "product": made_chunk_product(number)}
    return Chunk(f"c{number}", f"{document}.md", "v1", text, "Manual › Paper", 0, len(text), metadata)


def app(folder: Path) -> Services:
    return Services(Settings(data_dir=folder, auth_mode="open"))  # pyright: ignore[reportCallIssue]


def made_chunk_product(number: int) -> str:
    return f"P{number // 10 % 10}"


async def fill(folder: Path, size: int) -> None:
    index = app(folder).index
    for start in range(0, size, FILLED_AT_ONCE):
        numbers = range(start, min(start + FILLED_AT_ONCE, size))
        await index.upsert([made_chunk(number) for number in numbers], made_vectors(numbers, seed=2))
    await index.close()


async def measure(folder: Path, size: int) -> Mapping[str, float]:
    """Milliseconds, MB, and shares of the nearest that are found."""
    services = app(folder)
    index = ChromaIndex(folder / "index", services.embedder.fingerprint)
    step = max(1, size // QUERIES)
    vectors = [made_vectors(range(number, number + 1), seed=4)[0] for number in range(0, size, step)][:QUERIES]
    calls: Mapping[str, Callable[[Vectors], Awaitable[object]]] = {
        "query": lambda vector: index.query(vector, limit=CANDIDATES),
        "query for the caller to filter": lambda vector: index.query(vector, limit=FILTERED_CANDIDATES),
        "query for one of ten products": lambda vector: index.query(vector, limit=CANDIDATES, filters=PRODUCT),
        "containing a code": lambda vector: index.containing(CODE, vector, limit=CODE_CANDIDATES),
        "containing what is nowhere": lambda vector: index.containing(NO_CODE, vector, limit=CODE_CANDIDATES),
        "version": lambda _: index.version(),
    }
    found: dict[str, float] = {}
    for name, call in calls.items():
        found |= await timed(name, call, vectors)
    found["memory"] = memory_mb(os.getpid())
    await index.close()
    found |= await measure_app(services)
    found |= await recalls(services, size)
    await services.close()
    return found


async def timed[T](name: str, call: Callable[[T], Awaitable[object]], given: Sequence[T]) -> dict[str, float]:
    await call(given[0])
    seconds: list[float] = []
    for item in given:
        begun = time.perf_counter()
        await call(item)
        seconds.append(time.perf_counter() - begun)
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    return {f"{name} p50": p50, f"{name} p95": p95}


async def measure_app(services: Services) -> dict[str, float]:
    """The retriever and whole turns, each on questions of its own."""
    retriever, conversations = services.retriever, services.conversations
    found: dict[str, float] = {}
    kinds: Mapping[str, tuple[str, Filters | None]] = {
        "": ("", None),
        " for one of ten products": ("", PRODUCT),
        " with a code": (f" {CODE}", None),
        " with a code that is nowhere": (f" {NO_CODE}", None),
    }
    for kind, (added, filters) in kinds.items():
        asked = [question + added for question in questions(f"retrieval{kind}")]
        found |= await timed(
            f"retrieval{kind}",
            lambda question, filters=filters: retriever.retrieve(question, filters=filters),
            asked,
        )

    async def turn(question: str) -> None:
        conversation, _ = await conversations.start(None)
        await (await conversations.begin_turn(conversation.session_id, question)).result()

    return found | await timed("turn", turn, questions("turn"))


def questions(kind: str) -> list[str]:
    chance = np.random.default_rng(list(kind.encode()))
    return [f"{' '.join(chance.choice(WORDS, 12))} {number}?" for number in range(QUESTIONS)]


async def recalls(services: Services, size: int) -> dict[str, float]:
    """Shares of the `RECALLED` nearest, by all distances, that a search finds; with a filter, of those it admits."""
    everything = made_vectors(range(size), seed=2)
    admitted = np.array([number for number in range(size) if made_chunk_product(number) == PRODUCT["product"]])
    shares: dict[str, list[float]] = {"recall": [], "recall for one of ten products": []}
    for number in range(0, size, max(1, size // RECALL_QUERIES)):
        vector = made_vectors(range(number, number + 1), seed=4)[0]
        distances = everything @ -vector
        nearest = {f"c{place}" for place in np.argsort(distances)[:RECALLED]}
        shares["recall"].append(await share_found(services, vector, nearest, None))
        nearest = {f"c{admitted[place]}" for place in np.argsort(distances[admitted])[:RECALLED]}
        shares["recall for one of ten products"].append(await share_found(services, vector, nearest, PRODUCT))
    return {name: float(np.mean(values)) for name, values in shares.items()}


async def share_found(services: Services, vector: Vectors, nearest: Iterable[str], filters: Filters | None) -> float:
    wanted = set(nearest)
    matches = await services.index.query(vector, limit=CANDIDATES, filters=filters)
    return len(wanted & {match.chunk.id for match in matches}) / len(wanted)


def in_a_process(what: str, folder: Path, size: int) -> str:
    command = [sys.executable, "-m", "benchmarks.index_scale", "--sizes", str(size), f"--{what}", str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def ratios(found: Mapping[int, Mapping[str, float]]) -> list[Ratio]:
    """What a hundred times the chunks cost, or whatever the sizes are."""
    least, most = min(found), max(found)
    made: list[Ratio] = []
    for name in found[most]:
        if name.startswith(("retrieval", "turn")):
            grown = found[most][name] / found[least][name]
            bar = GROWTH if name.endswith(" p50") and "code" not in name else None
            made.append(Ratio(f"{name}, {most:,} chunks", grown, bar, "lower", f"{least:,} chunks"))
    made.append(
        Ratio(
            f"memory, {most:,} chunks",
            found[most]["memory"] / found[least]["memory"],
            None,
            "lower",
            f"{least:,} chunks",
        )
    )
    made += [
        Ratio(f"{name}, {most:,} chunks", value, RECALL, "higher", "the nearest by all distances")
        for name, value in found[most].items()
        if name.startswith("recall")
    ]
    return made


def main() -> int:
    parser = argparse.ArgumentParser(prog="index_scale", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="numbers of chunks")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.fill:
        asyncio.run(fill(chosen.fill, chosen.sizes[0]))
        return 0
    if chosen.measure:
        print(json.dumps(asyncio.run(measure(chosen.measure, chosen.sizes[0]))))
        return 0
    sizes: dict[int, Mapping[str, float]] = {}
    print(f"{platform.machine()}, {os.process_cpu_count()} processors, Python {platform.python_version()}")
    for size in chosen.sizes:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            in_a_process("fill", Path(folder), size)
            filled = time.perf_counter() - begun
            found = json.loads(in_a_process("measure", Path(folder), size))
            disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
        sizes[size] = {**found, "disk": disk, "filled": filled}
        print(f"\n{size:,} chunks: filled in {filled:.0f} s, {disk:.0f} MB on disk, {found['memory']:.0f} MB resident")
        for name in [key.removesuffix(" p50") for key in found if key.endswith(" p50")]:
            print(f"  {name:32} p50 {found[f'{name} p50']:7.1f} ms   p95 {found[f'{name} p95']:7.1f} ms", flush=True)
    report = Report("index_scale", ratios(sizes), versions("chromadb", "onnxruntime"), {"sizes": sizes})
    report.print()
    report.write(chosen.json)
    return 1 if chosen.check and not report.met else 0


if __name__ == "__main__":
    sys.exit(main())
