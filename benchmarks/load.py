"""What the app does under load: saturation, a soak, overload and recovery, and a second instance on the same stores.

python -m benchmarks.load [--soak SECONDS] [--instances-only | --one-only] [--json FILE] [--check]

The app runs as `make run` starts it, keyless, in a process of its own; customers come at a rate (`open_loop.py`) and
read their answers as events. A ramp finds the saturation; then a soak at 70 % of it, three times of it, and the soak's
rate again. Last, one and two instances on the same stores: emulators of Cosmos DB and Service Bus, Azurite and a Chroma
server, each in a process of its own. Where processors are few, the instances run by turns, one half of the time each,
also while only one is asked: so a second one takes nothing from the first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.alternate import alternating
from benchmarks.measures import Slope, children, cpu_seconds, memory_mb, slope, thinned
from benchmarks.open_loop import Customers, Stage, Turn
from benchmarks.report import Ratio, Report, versions
from emulators.processes import ServerProcess
from local.rehearsal.azure import Azure

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "documents"
LIMITS = ("SESSIONS_PER_MINUTE", "MESSAGES_PER_MINUTE", "HEALTH_PER_MINUTE")
"""Settings of what one client may do; here it stands for all customers."""
FIRST_RATE, STEP, STEP_SECONDS = 6.0, 1.35, 6.0
"""The ramp: turns a second at first, how much more each next step has, and how long it lasts."""
SLOW = 1.0
"""Seconds; a step of the ramp whose p95 is above them is beyond saturation."""
SOAK_SHARE = 0.7
OVERLOAD, OVERLOAD_SECONDS = 3.0, 10.0
RECOVERY_SECONDS = 20.0
RECOVERED = 10.0
"""Most seconds until turns are as fast as in the soak again."""
CALM = 3
"""Seconds in a row that have to be calm for that."""
SAMPLES_IN_ONE = 10
"""Seconds of memory whose mean is a point of the slope."""
TWICE = 1.7
ENOUGH_CORES = 8
"""Two instances, four servers and the customers: with fewer processors the instances run by turns."""
READY_SECONDS = 180
CONVERSATIONS = 32


def app_process(folder: Path, environment: Mapping[str, str]) -> ServerProcess:
    command = [sys.executable, "-m", "local"]
    return ServerProcess(lambda port: ["/usr/bin/env", f"PORT={port}", *command], folder / "app.log", environment)


def start(app: ServerProcess, log: Path) -> None:
    """Returns when its documents are read. Raises `RuntimeError` if it does not come to that."""
    app.start()
    end = time.monotonic() + READY_SECONDS
    while "is ready." not in log.read_text("utf-8", "replace"):
        if not app.running or time.monotonic() > end:
            raise RuntimeError(f"the app does not get ready:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.2)


def settings(data_dir: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | dict.fromkeys(LIMITS, "1000000") | {"DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}


# ---- one instance


@dataclass(frozen=True, slots=True)
class Found:
    """`memory` are MB of the app with its children, a value a second of the soak."""

    ramp: Sequence[Stage]
    soak: Stage
    memory: Sequence[float]
    overload: Stage
    after: Stage


async def ramp(customers: Customers, name: str) -> list[Stage]:
    """Until more is offered than can be answered, twice in a row: once may be the machine's other work."""
    stages: list[Stage] = []
    rate, beyond = FIRST_RATE, 0
    while beyond < 2:
        stage = await customers.offer(rate, STEP_SECONDS)
        told(f"{name}: {rate:.0f} turns a second offered, {stage.throughput:.0f} answered")
        beyond = beyond + 1 if is_saturated(stage) else 0
        rate = rate if beyond else rate * STEP
        stages.append(stage)
    return stages


def is_saturated(stage: Stage) -> bool:
    return stage.throughput < 0.8 * stage.rate or stage.latency(0.95) > SLOW or len(stage.answered) < len(stage.turns)


def saturation(stages: Sequence[Stage]) -> float:
    """Turns a second: the most that were answered in any step."""
    return max(stage.throughput for stage in stages)


async def sampled(pid: int, into: list[float]) -> None:
    """A value a second, until cancelled."""
    while True:
        into.append(sum(map(memory_mb, (pid, *children(pid)))))
        await asyncio.sleep(1)


async def one_instance(port: int, pid: int, soak_seconds: float) -> Found:
    customers, memory = Customers([port]), list[float]()
    await customers.open_conversations(CONVERSATIONS)
    await customers.offer(FIRST_RATE, STEP_SECONDS)  # what is built at first use
    stages = await ramp(customers, "ramp")
    most = saturation(stages)
    sampling = asyncio.create_task(sampled(pid, memory))
    soak = await customers.offer(SOAK_SHARE * most, soak_seconds)
    sampling.cancel()
    await asyncio.gather(sampling, return_exceptions=True)
    told(f"soak of {soak_seconds:.0f} s at {soak.rate:.0f} turns a second: {dict(soak.outcomes)}")
    # The customers of the flood go on while the first of those after it come.
    flood = asyncio.create_task(customers.offer(OVERLOAD * most, OVERLOAD_SECONDS))
    await asyncio.sleep(OVERLOAD_SECONDS)
    after = await customers.offer(soak.rate, RECOVERY_SECONDS)
    overload = await flood
    told(f"three times the saturation: {dict(overload.outcomes)}; after it: {dict(after.outcomes)}")
    customers.close()
    return Found(stages, soak, memory, overload, after)


def recovery(after: Sequence[Turn], calm: float) -> float:
    """Seconds until `CALM` of them in a row had no refusal and a median of at most `calm` seconds; infinite if none.

    A second in which nobody came is neither calm nor not.
    """
    by_second: dict[int, list[Turn]] = {}
    for turn in after:
        by_second.setdefault(int(turn.begun), []).append(turn)
    seconds = sorted(by_second)
    good = [
        all(turn.outcome == "answered" for turn in by_second[second])
        and statistics.median(turn.seconds for turn in by_second[second]) <= calm
        for second in seconds
    ]
    for place in range(len(good) - CALM + 1):
        if all(good[place : place + CALM]):
            return float(seconds[place])
    return float("inf")


def memory_growth(memory: Sequence[float]) -> Slope:
    """MB a minute in the second half of the soak: until then caches fill."""
    points = thinned(memory, SAMPLES_IN_ONE)
    later = points[len(points) // 2 :]
    return slope([number * SAMPLES_IN_ONE / 60 for number in range(len(later))], later)


def one_ratios(found: Found) -> list[Ratio]:
    soak, after = found.soak, found.after
    grown = memory_growth(found.memory)
    wrong = sum(stage.errors for stage in (*found.ramp, soak, found.overload, after))
    share = len(found.overload.answered) / OVERLOAD_SECONDS / saturation(found.ramp)
    refused = found.overload.outcomes["shed"] / len(found.overload.turns)
    return [
        Ratio("errors in the soak", soak.errors + soak.outcomes["shed"], 0, "lower", "none"),
        Ratio("errors anywhere, refusals with Retry-After apart", wrong, 0, "lower", "none"),
        Ratio("p95 in the soak", soak.latency(0.95) / soak.latency(0.5), None, "lower", "its p50"),
        Ratio("p99 in the soak", soak.latency(0.99) / soak.latency(0.5), None, "lower", "its p50"),
        Ratio("growth of memory beyond noise", grown.beyond_noise, 0, "lower", "1 MB a minute"),
        Ratio("refused at 3 × saturation", refused, None, "higher", "what came"),
        Ratio("answered at 3 × saturation", share, None, "higher", "saturation"),
        Ratio("seconds until recovered", recovery(after.turns, soak.latency(0.95)), RECOVERED, "lower", "1 s"),
    ]


def one_details(found: Found) -> dict[str, Any]:
    soak, grown = found.soak, memory_growth(found.memory)
    return {
        "saturation, turns per second": round(saturation(found.ramp), 1),
        "ramp": [[round(stage.rate, 1), round(stage.throughput, 1)] for stage in found.ramp],
        "soak": {
            "seconds": soak.seconds,
            "turns": len(soak.turns),
            "outcomes": dict(soak.outcomes),
            "milliseconds p50, p95, p99": [round(soak.latency(share) * 1000, 1) for share in (0.5, 0.95, 0.99)],
            "memory MB": [round(point) for point in thinned(found.memory, SAMPLES_IN_ONE)],
            "MB a minute": [round(grown.value, 3), round(grown.error, 3)],
        },
        "overload": {
            "outcomes": dict(found.overload.outcomes),
            "p95 of the answered, ms": round(found.overload.latency(0.95) * 1000),
        },
        "after": dict(found.after.outcomes),
    }


# ---- two instances


def two_instances(folder: Path) -> tuple[list[Ratio], dict[str, Any]]:
    with Azure(folder) as azure, contextlib.ExitStack() as stack:
        azure.tool("create_stores")
        azure.tool("upload_documents", str(SAMPLES))
        apps: dict[str, ServerProcess] = {}
        for name in ("instance 1", "instance 2"):
            data = folder / name.replace(" ", "-")
            data.mkdir()
            app = app_process(data, {**azure.environment, "DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"})
            start(stack.enter_context(contextlib.closing(Killed(app))).app, data / "app.log")
            apps[name] = app
        processes = {name: app.pid for name, app in apps.items()}
        processes |= {name: server.pid for name, server in azure.servers.items()} | {"customers": os.getpid()}
        ports = [app.port for app in apps.values()]
        by_turns = len(os.sched_getaffinity(0)) < ENOUGH_CORES
        with alternating([app.pid for app in apps.values()]) if by_turns else contextlib.nullcontext():
            one = asyncio.run(saturated(ports[:1], processes, "one instance"))
            two = asyncio.run(saturated(ports, processes, "two instances"))
    ratio = Ratio(
        "throughput of two instances on the same stores",
        two["turns per second"] / one["turns per second"],
        TWICE,
        "higher",
        "one instance, both half of the time" if by_turns else "one instance",
    )
    return [ratio], {"one": one, "two": two, "instances run": "by turns" if by_turns else "at once"}


class Killed:
    """Ends the app with `close`."""

    def __init__(self, app: ServerProcess) -> None:
        self.app = app

    def close(self) -> None:
        self.app.kill()


async def saturated(ports: Sequence[int], processes: Mapping[str, int], name: str) -> dict[str, Any]:
    customers = Customers(ports)
    await customers.open_conversations(CONVERSATIONS)
    await customers.offer(FIRST_RATE, STEP_SECONDS)
    stages = await ramp(customers, name)
    most = saturation(stages)
    before = {process: used(pid) for process, pid in processes.items()}
    stage = await customers.offer(most, 2 * STEP_SECONDS)
    after = {process: used(pid) for process, pid in processes.items()}
    customers.close()
    answered = max(1, len(stage.answered))
    return {
        "turns per second": round(max(most, stage.throughput), 2),
        "outcomes": dict(stage.outcomes),
        "processor seconds per turn": {
            process: round((after[process] - before[process]) / answered, 4) for process in processes
        },
    }


def used(pid: int) -> float:
    """Processor seconds, its children's included."""
    below = [] if pid == os.getpid() else children(pid)
    return sum(map(cpu_seconds, (pid, *below)))


# ---- both


def told(what: str) -> None:
    print(f"load: {what}, load average {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="load", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--soak", type=float, default=120, help="seconds; a full one has 900 (default: 120)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--one-only", action="store_true", help="without the second instance")
    which.add_argument("--instances-only", action="store_true", help="one and two instances on shared stores alone")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    options = parser.parse_args(arguments)
    if options.soak < 60:
        parser.error("--soak: less than 60 s tell nothing of memory")
    ratios, details = list[Ratio](), dict[str, Any]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not options.instances_only:
            alone = folder / "alone"
            alone.mkdir()
            with contextlib.closing(Killed(app_process(alone, settings(alone)))) as killed:
                start(killed.app, alone / "app.log")
                found = asyncio.run(one_instance(killed.app.port, killed.app.pid, options.soak))
            ratios += one_ratios(found)
            details["one instance"] = one_details(found)
        if not options.one_only:
            shared = folder / "shared"
            shared.mkdir()
            more, details["shared stores"] = two_instances(shared)
            ratios += more
    report = Report("load", ratios, versions("azure-functions-runtime", "uvicorn", "onnxruntime", "chromadb"), details)
    report.print()
    report.write(options.json)
    return 1 if options.check and not report.met else 0


if __name__ == "__main__":
    sys.exit(main())
