"""How many connections the laptop's hub holds, and how soon they hear.

python -m benchmarks.push [--connections 1000] [--rate 50] [--seconds 20]

The hub runs in a process of its own. Each connection is the only one of its conversation; frames the size of a person's
reply are published through the app's own adapter, at a steady rate, to conversations chosen at random. Latency is from
the call that publishes to the client's having read the frame, in this process, where all clients are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from emulators.processes import ServerProcess
from emulators.webpubsub.server import connection_string
from shared.memory.models import Message
from shared.push.events import message_frame
from shared.push.webpubsub import WebPubSubChannel

AT_ONCE = 50
"""Connections that are opened at the same time."""


class Client:
    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.frames = 0

    async def listen(self, http: aiohttp.ClientSession, channel: WebPubSubChannel, session_id: str) -> None:
        where = await channel.client_url(session_id, "customer", minutes=60)
        self.socket = await http.ws_connect(where.url, protocols=[where.protocol])
        await self.socket.receive()  # connected

    async def read(self, sent: dict[int, float]) -> None:
        async for told in self.socket:
            seq = json.loads(told.data)["data"]["seq"]
            self.latencies.append(time.perf_counter() - sent[seq])
            self.frames += 1


async def measure(server: ServerProcess, *, connections: int, rate: float, seconds: float) -> None:
    channel = WebPubSubChannel(connection_string("127.0.0.1", server.port), "support")
    clients = [Client() for _ in range(connections)]
    empty = memory_kb(server)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        began, gate = time.perf_counter(), asyncio.Semaphore(AT_ONCE)

        async def connect(number: int) -> None:
            async with gate:
                await clients[number].listen(http, channel, f"session-{number}")

        await asyncio.gather(*map(connect, range(connections)))
        print(f"{connections} connections opened in {time.perf_counter() - began:.1f} s")
        idle = memory_kb(server)
        print(f"memory of the hub: {empty / 1024:.0f} MB empty, {idle / 1024:.0f} MB with all connected", end="")
        print(f" ({(idle - empty) / connections:.0f} KB each)")

        sent: dict[int, float] = {}
        readers = [asyncio.create_task(client.read(sent)) for client in clients]
        total, choose = int(rate * seconds), random.Random(1)  # noqa: S311 - no secret
        cpu, start = cpu_seconds(server), time.perf_counter()
        publishing: set[asyncio.Task[None]] = set()
        for seq in range(total):
            await asyncio.sleep(max(0, start + seq / rate - time.perf_counter()))
            sent[seq] = time.perf_counter()
            session_id = f"session-{choose.randrange(connections)}"
            task = asyncio.create_task(channel.publish(session_id, "customer", frame(seq)))
            publishing.add(task)
            task.add_done_callback(publishing.discard)
        await asyncio.gather(*publishing)
        took = time.perf_counter() - start
        await asyncio.sleep(1)  # for what is on its way, and for what comes twice
        heard = sum(client.frames for client in clients)
        latencies = sorted(1000 * latency for client in clients for latency in client.latencies)
        print(f"{total} frames in {took:.1f} s ({total / took:.0f} a second), of which {heard} were heard")
        print("latency in ms: " + ", ".join(f"p{q} {quantile(latencies, q):.1f}" for q in (50, 95, 99, 100)))
        print(f"processor of the hub: {100 * (cpu_seconds(server) - cpu) / took:.0f} % of one core")
        print(f"memory of the hub: {memory_kb(server) / 1024:.0f} MB afterwards")
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await asyncio.gather(*(client.socket.close() for client in clients))
    await channel.close()


def frame(seq: int) -> dict[str, object]:
    reply = Message(
        id=f"r-{seq}",
        session_id="s",
        role="human_agent",
        text="I have asked the courier, and your parcel is on its way. " * 4,
        created_at=datetime.now(UTC),
        seq=seq,
        author="Ada Lindqvist",
    )
    return dict(message_frame(reply))


def quantile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def memory_kb(server: ServerProcess) -> int:
    """Resident, of the hub's process (Linux)."""
    status = Path(f"/proc/{server.pid}/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def cpu_seconds(server: ServerProcess) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100  # in ticks of 10 ms


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.push", description=__doc__)
    arguments.add_argument("--connections", type=int, default=1000)
    arguments.add_argument("--rate", type=float, default=50, help="frames a second")
    arguments.add_argument("--seconds", type=float, default=20)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(
            lambda port: [sys.executable, "-m", "emulators.webpubsub", "--port", str(port)], Path(folder) / "hub.log"
        )
        with server:
            asyncio.run(measure(server, connections=chosen.connections, rate=chosen.rate, seconds=chosen.seconds))


if __name__ == "__main__":
    main()
