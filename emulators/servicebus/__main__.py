"""`python -m emulators.servicebus --port 5672`: run the emulator until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
from pathlib import Path

from emulators.servicebus.auth import connection_string
from emulators.servicebus.broker import Broker, QueueOptions
from emulators.servicebus.server import Server

QUEUES = ("escalation-requests", "escalations", "webhook-deliveries")

logger = logging.getLogger("emulators.servicebus")


async def run(chosen: argparse.Namespace) -> None:
    options = QueueOptions(chosen.lock_seconds, chosen.max_delivery_count, chosen.duplicate_window_seconds)
    server = Server(Broker(dict.fromkeys(chosen.queue or QUEUES, options), chosen.data))
    port = await server.serve(chosen.host, chosen.port)
    logger.info("SERVICE_BUS='%s'", connection_string(chosen.host, port))
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m emulators.servicebus", description=__doc__)
    default = QueueOptions()
    arguments.add_argument("--host", default="127.0.0.1", help="address to listen on; it is no service for a network")
    arguments.add_argument("--port", type=int, default=5672)
    arguments.add_argument("--data", type=Path, help="SQLite file that keeps the messages; default: memory")
    arguments.add_argument("--queue", action="append", help=f"name of a queue, again for another; default: {QUEUES}")
    arguments.add_argument("--lock-seconds", type=float, default=default.lock_seconds)
    arguments.add_argument("--max-delivery-count", type=int, default=default.max_delivery_count)
    arguments.add_argument(
        "--duplicate-window-seconds", type=float, default=default.duplicate_window_seconds, help="0: duplicates stay"
    )
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(arguments.parse_args()))


if __name__ == "__main__":
    main()
