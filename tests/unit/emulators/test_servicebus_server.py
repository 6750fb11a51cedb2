"""The emulator as a process: it keeps what it acknowledged when it is killed, and shrugs at what is no AMQP."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from emulators.servicebus.broker import QueueOptions
from emulators.servicebus.server import ServiceBusEmulator
from shared.escalation.queue import REQUESTS, QueueMessage
from shared.escalation.servicebus import ServiceBusTicketQueue


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[str]:
    """A process of its own until the block ends, when it is killed. Yields the connection string it prints."""
    command = [sys.executable, "-m", "emulators.servicebus", "--port", "0", "--data", str(data), "--lock-seconds", "2"]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    try:
        assert process.stderr
        line = (await asyncio.wait_for(process.stderr.readline(), 20)).decode()
        yield line.removeprefix("SERVICE_BUS='").strip().removesuffix("'")
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_what_was_acknowledged_survives_a_kill(tmp_path):
    async with running(tmp_path / "bus.db") as where:
        queue = ServiceBusTicketQueue(where)
        for name in "abc":
            await queue.send(REQUESTS, QueueMessage(name, b"{}"))
        done, held = await queue.receive(REQUESTS, limit=2)
        await queue.complete(done)
    async with running(tmp_path / "bus.db") as where:
        after = ServiceBusTicketQueue(where)
        await after.send(REQUESTS, QueueMessage("c", b"again"))
        received = dict[str, tuple[bytes, int]]()
        async with asyncio.timeout(20):
            while len(received) < 2:  # one is still locked
                for one in await after.receive(REQUESTS, limit=10):
                    received[one.message.id] = (one.message.body, one.delivery_count)
                    await after.complete(one)
                await asyncio.sleep(0.05)
        assert received == {"c": (b"{}", 1), held.message.id: (b"{}", 2)}
        await after.close()
        await queue.close()


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"AMQP\x00\x01\x00\x00" + b"\xff" * 64,
        b"AMQP\x00\x01\x00\x00" + b"\x00\x00\x00\x0b\x02\x00\x00\x00\x00\x53\x14",
        b"AMQP\x00\x01\x00\x00" + b"\x00\x00\x00\x0d\x02\x00\x00\x00\x00\x53\x12\xc0\x00",
    ],
)
async def test_noise_ends_its_own_connection_only(noise):
    with ServiceBusEmulator({REQUESTS: QueueOptions()}) as emulator:
        queue = ServiceBusTicketQueue(emulator.connection_string)
        await queue.ping()
        port = int(emulator.connection_string.split(";")[0].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(noise)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1000):
                pass
        await queue.ping()
        await queue.close()
