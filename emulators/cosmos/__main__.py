"""`python -m emulators.cosmos --port 8081`: run the emulator until it is stopped."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from aiohttp import web

from emulators.cosmos.auth import EMULATOR_KEY
from emulators.cosmos.server import CosmosServer
from emulators.cosmos.storage import Storage

logger = logging.getLogger("emulators.cosmos")


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m emulators.cosmos", description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1", help="address to listen on; it is no service for a network")
    arguments.add_argument("--port", type=int, default=8081)
    arguments.add_argument("--data", type=Path, help="SQLite file that keeps the data; default: memory")
    chosen = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    endpoint = f"http://{chosen.host}:{chosen.port}/"
    logger.info("COSMOS_CONNECTION_STRING='AccountEndpoint=%s;AccountKey=%s;'", endpoint, EMULATOR_KEY)
    web.run_app(CosmosServer(Storage(chosen.data)).application(), host=chosen.host, port=chosen.port, print=None)


if __name__ == "__main__":
    main()
