"""What the product costs in Azure: docs/costs.md, from what was measured and from list prices.

python -m benchmarks.costs [--measure] [--json FILE]

Without --measure it computes the document anew from `costs.json` and `prices.toml`. With it, conversations are played
first, on our emulators of Cosmos DB and Service Bus, Azurite, a Chroma server and a language model that takes no time
and counts what it is given to read (about four minutes), and `costs.json` is written.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measures import memory_mb
from benchmarks.report import Ratio, Report, versions

HERE = Path(__file__).resolve().parent
PRICES, MEASURED = HERE / "prices.toml", HERE / "costs.json"
DOCUMENT = HERE.parent / "docs" / "costs.md"
BEGIN, END = "<!-- computed by python -m benchmarks.costs -->", "<!-- end of what is computed -->"
VOLUMES = (1_000, 10_000, 100_000)
"""Conversations a month."""
MONTH = 730 * 3600
"""Seconds."""
BYTES_OF_TOKEN = 4
"""Of English text and JSON, about: shared/conversation/history.py counts rather more tokens."""
CONVERSATIONS, RATE = 30, 1.5
"""How many are played, and turns a second: few enough that nothing waits."""
IDLE_SECONDS = 120
KEYLESS = "without a model"


# ---- arithmetic


@dataclass(frozen=True, slots=True)
class Price:
    """`usd` for `per` units, after the first `free` ones of a month."""

    usd: float
    per: float
    free: float
    source: str
    date: Any
    seen: bool

    def of(self, units: float) -> float:
        return max(0.0, units - self.free) * self.usd / self.per


def read_prices() -> tuple[dict[str, Price], dict[str, float]]:
    """Prices by name, and what is assumed."""
    table = tomllib.loads(PRICES.read_text("utf-8"))
    assumed = table.pop("assumed")
    return {name: Price(**fields) for name, fields in table.items()}, assumed


def monthly(
    conversations: int, measured: Mapping[str, float], prices: Mapping[str, Price], assumed: Mapping[str, float]
) -> dict[str, float]:
    """Dollars a month by service. With 0 conversations: what it costs if nobody comes."""
    turns = conversations * assumed["turns"]
    seconds = max(assumed["least_seconds"], measured["turn_seconds"] + assumed["model_seconds"])
    # Each alone on its instance, which is the dearest; those at the same time share its memory.
    busy = turns * seconds + (conversations + assumed["timer_calls"]) * assumed["least_seconds"]
    units = conversations * measured["request_units"] + measured["idle_request_units_per_hour"] * MONTH / 3600
    logs = turns * (measured["log_bytes_of_turn"] / 1e9 + assumed["spans_of_turn"] * assumed["span_kb"] / 1e6)
    return {
        "Functions": prices["functions_gb_second"].of(busy * assumed["instance_gb"])
        + prices["functions_execution"].of(turns + conversations + assumed["timer_calls"]),
        "Cosmos DB, serverless": prices["cosmos_request_unit"].of(units)
        + prices["cosmos_gb"].of(conversations * measured["stored_bytes"] / 1e9),
        "Service Bus Standard": prices["servicebus_month"].of(1)
        + prices["servicebus_operation"].of(conversations * measured["tickets"] * assumed["operations_of_ticket"]),
        "Chroma: container and shares": prices["container_vcpu_second"].of(assumed["chroma_vcpu"] * MONTH)
        + prices["container_gib_second"].of(assumed["chroma_gib"] * MONTH)
        + prices["share_month"].of(assumed["shares"]),
        "Blob Storage, Event Grid": prices["blob_gb"].of(assumed["documents_gb"])
        + prices["eventgrid_event"].of(assumed["document_events"]),
        "Logs and traces": prices["logs_gb"].of(logs),
        "Alerts": prices["alerts_month"].of(1),
        "Model, gpt-4.1-mini": prices["model_input_token"].of(turns * measured["input_tokens_of_turn"])
        + prices["model_output_token"].of(turns * assumed["answer_tokens"]),
    }


# ---- the document


def computed(measured: Mapping[str, Any]) -> str:
    """What stands between the markers."""
    prices, assumed = read_prices()
    idle = monthly(0, measured, prices, assumed)
    bills = {volume: monthly(volume, measured, prices, assumed) for volume in VOLUMES}
    lines = [
        "| US dollars a month | nobody comes | " + " | ".join(f"{volume:,} conversations" for volume in VOLUMES) + " |"
    ]
    lines.append("|---|" + "---|" * (len(VOLUMES) + 1))
    lines += [
        f"| {service} | {dollars(amount)} | " + _row(bill[service] for bill in bills.values())
        for service, amount in idle.items()
    ]
    lines.append(
        f"| **together** | **{dollars(sum(idle.values()))}** | " + _row((sum(b.values()) for b in bills.values()), "**")
    )
    lines.append(
        "| **for 1,000 conversations** | | " + _row((sum(b.values()) / v * 1000 for v, b in bills.items()), "**")
    )
    model = "Model, gpt-4.1-mini"
    lines.append(f"| … {KEYLESS} | | " + _row(((sum(b.values()) - b[model]) / v * 1000 for v, b in bills.items())))
    lines.append("")
    for volume, bill in bills.items():
        largest = sorted(bill, key=lambda name: bill[name], reverse=True)[:2]
        shares = " and ".join(f"{name} ({bill[name] / sum(bill.values()):.0%})" for name in largest)
        lines.append(f"- At {volume:,} conversations most goes to {shares}.")
    lines += ["", "| measured | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in _measured_rows(measured)]
    lines += ["", "| assumed | |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {value:,} |" for name, value in assumed.items()]
    lines += ["", "| price | US dollars | for | free a month | source | date |", "|---|---|---|---|---|---|"]
    for name, price in prices.items():
        where = price.source if price.seen else f"as remembered, check before you rely on it: {price.source}"
        usd = f"{price.usd:f}".rstrip("0").rstrip(".")
        lines.append(f"| {name.replace('_', ' ')} | {usd} | {price.per:,} | {price.free:,} | {where} | {price.date} |")
    return "\n".join(lines)


def dollars(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.2f}"


def _row(amounts: Any, mark: str = "") -> str:
    return " | ".join(f"{mark}{dollars(amount)}{mark}" for amount in amounts) + " |"


def _measured_rows(measured: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("processor seconds of a turn, the app's process", f"{measured['cpu_seconds_of_turn']:.3f}"),
        ("seconds of a turn, p50, without the model", f"{measured['turn_seconds']:.2f}"),
        ("memory of the app", f"{measured['memory_mb']:.0f} MB"),
        ("request units of a conversation", f"{measured['request_units']:.0f}"),
        *((f"… in `{name}`", f"{value:.0f}") for name, value in measured["request_units_by_container"].items()),
        ("calls to Cosmos DB in a conversation", f"{measured['cosmos_calls']:.0f}"),
        ("request units an hour if nobody comes", f"{measured['idle_request_units_per_hour']:.0f}"),
        ("stored of a conversation", f"{measured['stored_bytes'] / 1000:.0f} KB"),
        ("tickets of a conversation", f"{measured['tickets']:.2f}"),
        ("tokens of a turn that the model reads", f"{measured['input_tokens_of_turn']:,.0f}"),
        ("calls of the model for a turn", f"{measured['model_calls_of_turn']:.2f}"),
        ("log lines of a turn", f"{measured['log_bytes_of_turn'] / 1000:.1f} KB"),
        ("load average of the machine meanwhile", f"{measured['load_average']:.1f}"),
        ("conversations played", f"{measured['conversations']}, of {measured['turns_of_conversation']:.0f} turns"),
    ]


def rewritten(document: str, measured: Mapping[str, Any]) -> str:
    """The document with what is computed in its place. Raises `ValueError` without the markers."""
    before, found, rest = document.partition(BEGIN)
    _, also_found, after = rest.partition(END)
    if not (found and also_found):
        raise ValueError(f"no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{computed(measured)}\n\n{END}{after}"


# ---- measuring


class CountingModel:
    """The mock model, and how many bytes it was given."""

    def __init__(self) -> None:
        self.calls = self.read = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from benchmarks.mock_model import app

        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.calls += 1
        self.read += len(body)
        told = False

        async def again() -> Any:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body}

        await app(scope, again, send)


@contextlib.contextmanager
def served(model: CountingModel) -> Generator[int]:
    """In a thread; gives its port."""
    import uvicorn

    from emulators.processes import free_port

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(model, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()


def measure(folder: Path) -> dict[str, Any]:
    from benchmarks.load import SAMPLES, Killed, app_process, start, used
    from benchmarks.open_loop import Customers
    from local.rehearsal.azure import Azure

    _, assumed = read_prices()
    turns = int(assumed["turns"])
    model = CountingModel()
    with served(model) as port, Azure(folder) as azure:
        azure.tool("create_stores")
        azure.tool("upload_documents", str(SAMPLES))
        data = folder / "measured"
        data.mkdir()
        environment = {
            **azure.environment,
            "DATA_DIR": str(data),
            "PYTHONUNBUFFERED": "1",
            "CHAT_PROVIDER": "openai",
            "OPENAI_MODEL": "mock",
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        }
        app = app_process(data, environment)
        with contextlib.closing(Killed(app)):
            start(app, data / "app.log")

            async def play(conversations: int) -> Any:
                customers = Customers([app.port], per_conversation=turns)
                stage = await customers.offer(RATE, conversations * turns / RATE)
                customers.close()
                return stage

            def look() -> dict[str, Any]:
                return {
                    "metrics": metrics(app.port),
                    "calls": len(httpx.get(f"http://127.0.0.1:{azure.cosmos.port}/_emulator/requests").json()),
                    "cpu": used(app.pid),
                    "stored": sum(file.stat().st_size for file in folder.glob("cosmos.db*")),
                    "logs": sum(file.stat().st_size for file in data.rglob("*.log")),
                    "model": (model.calls, model.read),
                    "load": os.getloadavg()[0],
                }

            asyncio.run(play(3))
            before = look()
            stage = asyncio.run(play(CONVERSATIONS))
            after = look()
            memory = memory_mb(app.pid)
            time.sleep(IDLE_SECONDS)
            idle = look()
    if stage.errors or len(stage.answered) < len(stage.turns):
        raise RuntimeError(f"not all were answered: {dict(stage.outcomes)}")
    return figures(before, after, idle, stage, memory)


def figures(
    before: Mapping[str, Any], after: Mapping[str, Any], idle: Mapping[str, Any], stage: Any, memory: float
) -> dict[str, Any]:
    played, sessions = len(stage.turns), grown(before, after, "support_sessions_started_total")
    _, assumed = read_prices()
    conversations = played / assumed["turns"]
    charge = "support_cosmos_request_charge"
    by_container = {
        container: (after["metrics"][name] - before["metrics"].get(name, 0)) / conversations
        for name in after["metrics"]
        if name.startswith(charge) and "_sum" in name and (container := label(name, "container"))
    }
    idle_units = sum(
        idle["metrics"][name] - after["metrics"].get(name, 0)
        for name in idle["metrics"]
        if name.startswith(charge) and "_sum" in name
    )
    calls, read = (b - a for a, b in zip(before["model"], after["model"], strict=True))
    return {
        "conversations": int(sessions),
        "turns_of_conversation": assumed["turns"],
        "load_average": round(after["load"], 1),
        "cpu_seconds_of_turn": round((after["cpu"] - before["cpu"]) / played, 4),
        "turn_seconds": round(stage.latency(0.5), 3),
        "memory_mb": round(memory),
        "request_units": round(sum(by_container.values()), 1),
        "request_units_by_container": {name: round(value, 1) for name, value in sorted(by_container.items()) if value},
        "cosmos_calls": round((after["calls"] - before["calls"]) / conversations, 1),
        "idle_request_units_per_hour": round(idle_units * 3600 / IDLE_SECONDS),
        "stored_bytes": round((after["stored"] - before["stored"]) / conversations),
        "tickets": round(grown(before, after, "chat_escalations_total") / conversations, 3),
        "input_tokens_of_turn": round(read / BYTES_OF_TOKEN / played),
        "model_calls_of_turn": round(calls / played, 2),
        "log_bytes_of_turn": round((after["logs"] - before["logs"]) / played),
    }


def grown(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> float:
    """Of a counter, all its labels together."""

    def total(look: Mapping[str, Any]) -> float:
        return sum(value for key, value in look["metrics"].items() if key.partition("{")[0] == name)

    return total(after) - total(before)


def label(name: str, key: str) -> str:
    found = re.search(rf'{key}="([^"]*)"', name)
    return found[1] if found else ""


def metrics(port: int) -> dict[str, float]:
    """Of Prometheus' text format: name with labels, and value."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).raise_for_status().text
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def report(measured: Mapping[str, Any]) -> Report:
    prices, assumed = read_prices()
    idle = sum(monthly(0, measured, prices, assumed).values())
    ratios: list[Ratio] = []
    for volume in VOLUMES:
        bill = monthly(volume, measured, prices, assumed)
        largest = max(bill, key=lambda name: bill[name])
        together = sum(bill.values())
        ratios.append(Ratio(f"idle cost, {volume:,} conversations", idle / together, None, "lower", "the whole bill"))
        ratios.append(
            Ratio(f"{largest}, {volume:,} conversations", bill[largest] / together, None, "lower", "the whole bill")
        )
    return Report("costs", ratios, versions("azure-cosmos", "azure-servicebus"), dict(measured))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="costs", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--measure", action="store_true", help="play conversations first, and keep what they took")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--check", action="store_true", help="no bar is held here")
    options = parser.parse_args(arguments)
    if options.measure:
        with tempfile.TemporaryDirectory() as folder:
            MEASURED.write_text(json.dumps(measure(Path(folder)), indent=2) + "\n", "utf-8")
    measured = json.loads(MEASURED.read_text("utf-8"))
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text("utf-8"), measured), "utf-8")
    found = report(measured)
    found.print()
    found.write(options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
