"""What a turn costs beside what it cannot do without, and beside a LangGraph chat app.

python -m benchmarks.turn [--turns N] [--rounds N] [--json FILE] [--check]

The app runs as `make run` starts it. Keyless, each turn over HTTP, as JSON and as events by turns, is followed by its
irreducible parts in the app's process: embedding the question, the vector query, reading the conversation, writing a
batch. Then the app and the peer answer the same distinct questions from the same documents with the same mock model,
taking turns, first one client and then eight. Only ratios are shown: absolute times are the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.app import PARTS, ROOT, App, Client, ServerOnPort
from benchmarks.mock_model import MODEL
from benchmarks.peer import peer_python, peer_versions
from benchmarks.report import Ratio, Report, percentile, versions
from emulators.processes import ServerProcess

SAMPLES = ROOT / "samples"
OPENERS = ("", "Just wondering, ", "Quick question: ", "Before I order, ", "For a friend: ", "I could not find this, ")
AGAIN = "Once more: "
"""Before the question whose parts are measured: the app remembers the embedding of the one that it answered."""
PER_CONVERSATION = 5
CLIENTS = 8
WARM_UP = 10
"""Turns that are not counted."""
P50, P95 = 1.5, 2.5
"""Greatest ratios of a turn to its parts."""
FASTER = 3.0
"""Least ratio to the peer, of its time and of our turns per second."""
EVENTS = "text/event-stream"


# ---- what both are given


def write_documents(folder: Path) -> None:
    """The sample company's documents as Markdown, read by the app's own parser: the peer reads nothing else."""
    from shared.knowledge.parsing import DocumentParser

    async def convert() -> None:
        parser = DocumentParser(timeout=60, memory_mb=1024, max_bytes=50_000_000)
        for file in sorted((SAMPLES / "documents").rglob("*.*")):
            text = file.read_text("utf-8") if file.suffix == ".md" else ""
            text = text or (await parser.parse(file.read_bytes(), file.name)).markdown
            (folder / f"{file.stem}.md").write_text(text, "utf-8")
        await parser.close()

    folder.mkdir(parents=True)
    asyncio.run(convert())


def questions() -> Iterator[str]:
    """The sample company's questions, in as many wordings as there are openers: 480, no two alike."""
    asked = [json.loads(line)["question"] for line in (SAMPLES / "questions.jsonl").read_text("utf-8").splitlines()]
    for opener in OPENERS:
        yield from (opener + question for question in asked)


# ---- the two sides


class Ours:
    """One customer of the app."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._client = Client(app.port)
        self._asked = 0
        self.session = ""

    def ask(self, question: str, accept: str = "application/json") -> float:
        """Seconds of the turn. Another conversation begins every few turns, beside the clock."""
        if self._asked % PER_CONVERSATION == 0:
            self.session = self._app.new_session(self._client)
        self._asked += 1
        return timed(
            lambda: self._client.post(f"/chat/sessions/{self.session}/messages", {"message": question}, accept)
        )


class Peer:
    """One customer of the peer."""

    def __init__(self, server: ServerOnPort, name: str) -> None:
        self._client = Client(server.port)
        self._name = name
        self._asked = 0

    def ask(self, question: str, accept: str = "application/json") -> float:
        thread = f"{self._name}-{self._asked // PER_CONVERSATION}"
        self._asked += 1
        path = "/chat/stream" if accept == EVENTS else "/chat"
        return timed(lambda: self._client.post(path, {"thread_id": thread, "message": question}))


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def model_settings(port: int) -> dict[str, str]:
    """As for any OpenAI-compatible endpoint: docs/settings.md."""
    return {
        "CHAT_PROVIDER": "openai",
        "OPENAI_MODEL": MODEL,
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
    }


def mock_model(folder: Path) -> ServerProcess:
    return ServerProcess(
        lambda port: [sys.executable, "-m", "benchmarks.mock_model", str(port)], folder / "mock_model.log"
    )


def peer_app(documents: Path, folder: Path, model_port: int) -> ServerOnPort:
    settings = {name: value for name, value in model_settings(model_port).items() if name.startswith("OPENAI_")}
    command = [str(peer_python()), str(ROOT / "benchmarks" / "turn_peer.py"), str(documents), str(folder)]
    return ServerOnPort(command, settings, ready="ready ")


# ---- measuring


def beside_parts(app: App, turns: int) -> dict[str, list[Any]]:
    """Seconds of each turn, and of the parts measured right after it."""
    found: dict[str, list[Any]] = {"json": [], "events": [], "parts": []}
    customer = Ours(app)
    for number, question in enumerate(itertools.islice(questions(), turns + WARM_UP)):
        kind = ("json", "events")[number % 2]
        seconds = customer.ask(question, EVENTS if kind == "events" else "application/json")
        parts = app.parts(f"{AGAIN}{question}", customer.session)
        if number >= WARM_UP:
            found[kind].append(seconds)
            found["parts"].append(parts)
    return found


def beside_peer(ours: Ours, peer: Peer, turns: int) -> dict[str, list[float]]:
    """Seconds of each turn, by side and kind."""
    found: dict[str, list[float]] = {f"{side} {kind}": [] for side in ("ours", "peer") for kind in ("json", "events")}
    for number, question in enumerate(itertools.islice(questions(), turns + WARM_UP)):
        kind = ("json", "events")[number % 2]
        # Four in a row: each kind comes first on each side as often as on the other.
        for side in ("ours", "peer") if number % 4 < 2 else ("peer", "ours"):
            customer = ours if side == "ours" else peer
            seconds = customer.ask(question, EVENTS if kind == "events" else "application/json")
            if number >= WARM_UP:
                found[f"{side} {kind}"].append(seconds)
    return found


def turns_per_second(customers: Sequence[Ours | Peer], asked: Iterator[str], turns: int) -> float:
    """Of customers who each ask the next question as soon as they have their answer."""
    waiting = list(itertools.islice(asked, turns))
    failed: list[Exception] = []

    def go_on(customer: Ours | Peer) -> None:
        try:
            while waiting:
                customer.ask(waiting.pop())
        except (IndexError, RuntimeError, OSError) as error:
            if not isinstance(error, IndexError):  # another took the last one
                failed.append(error)

    threads = [threading.Thread(target=go_on, args=[customer]) for customer in customers]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    if failed:
        raise failed[0]
    return turns / seconds


def measure(turns: int, rounds: int, turns_of_round: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        documents = folder / "documents"
        write_documents(documents)
        with App(folder / "keyless", documents) as app:
            found: dict[str, Any] = {"keyless": beside_parts(app, turns)}
            told("keyless turns done")
        with (
            mock_model(folder) as model,
            App(folder / "ours", documents, model_settings(model.port)) as app,
            peer_app(documents, folder / "peer", model.port) as peer,
        ):
            found["beside peer"] = beside_peer(Ours(app), Peer(peer, "one"), turns)
            told("turns beside the peer done")
            found["turns per second"] = {"ours": [], "peer": []}
            sides: dict[str, Sequence[Ours | Peer]] = {
                "ours": [Ours(app) for _ in range(CLIENTS)],
                "peer": [Peer(peer, str(number)) for number in range(CLIENTS)],
            }
            # Other questions than before, and the same for both.
            fresh = [f"{question} Thank you." for question in questions()]
            for number in range(rounds):
                asked = fresh[number * turns_of_round :][:turns_of_round]
                for side in ("ours", "peer") if number % 2 == 0 else ("peer", "ours"):
                    rate = turns_per_second(sides[side], iter(asked), len(asked))
                    found["turns per second"][side].append(rate)
                told(f"round {number + 1} of {rounds} with {CLIENTS} clients done")
    return found


def told(what: str) -> None:
    print(f"turn: {what}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)


def ratios(found: dict[str, Any]) -> list[Ratio]:
    keyless, beside, rates = found["keyless"], found["beside peer"], found["turns per second"]
    parts = [sum(parts) for parts in keyless["parts"]]
    made: list[Ratio] = []
    for kind, label in (("json", "JSON"), ("events", "SSE")):
        for share, bar in ((0.5, P50), (0.95, P95)):
            value = percentile(keyless[kind], share) / percentile(parts, share)
            made.append(Ratio(f"a turn, {label}, p{share * 100:.0f}", value, bar, "lower", "the sum of its parts"))
    for kind, label in (("json", "JSON"), ("events", "SSE")):
        value = statistics.median(beside[f"peer {kind}"]) / statistics.median(beside[f"ours {kind}"])
        made.append(Ratio(f"speed of a turn, {label}, p50", value, FASTER, "higher", "LangGraph app"))
    value = statistics.median(rates["ours"]) / statistics.median(rates["peer"])
    made.append(Ratio(f"turns per second, {CLIENTS} clients", value, FASTER, "higher", "LangGraph app"))
    return made


def milliseconds(found: dict[str, Any]) -> dict[str, float]:
    """Medians, to see where the time goes; they are this machine's."""
    keyless = found["keyless"]
    medians = {
        name: statistics.median(column) for name, column in zip(PARTS, zip(*keyless["parts"], strict=True), strict=True)
    }
    medians |= {f"keyless turn, {kind}": statistics.median(keyless[kind]) for kind in ("json", "events")}
    medians |= {name: statistics.median(seconds) for name, seconds in found["beside peer"].items()}
    return {name: round(seconds * 1000, 2) for name, seconds in medians.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="turn", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--turns", type=int, default=200, help="counted turns with one client (default: 200)")
    parser.add_argument("--rounds", type=int, default=3, help="of each side with eight clients (default: 3)")
    parser.add_argument("--turns-of-round", type=int, default=120, help="(default: 120)")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    options = parser.parse_args(arguments)
    found = measure(options.turns, options.rounds, options.turns_of_round)
    report = Report(
        "turn",
        ratios(found),
        {**versions("azure-functions-runtime", "agent-framework-core", "onnxruntime", "chromadb"), **peer_versions()},
        {"milliseconds": milliseconds(found), "turns per second": found["turns per second"]},
    )
    report.print()
    print("milliseconds:", ", ".join(f"{name} {value}" for name, value in report.details["milliseconds"].items()))
    report.write(options.json)
    return 1 if options.check and not report.met else 0


if __name__ == "__main__":
    sys.exit(main())
