"""`python -m emulators.webpubsub --port 8082`: run the hub until it is stopped."""

from __future__ import annotations

import argparse
import logging

import uvicorn

from emulators.webpubsub.server import EMULATOR_KEY, configuration, connection_string
from local.hub import Hub

logger = logging.getLogger("emulators.webpubsub")


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m emulators.webpubsub", description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1", help="address to listen on; it is no service for a network")
    arguments.add_argument("--port", type=int, default=8082)
    chosen = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logger.info("WEB_PUBSUB_CONNECTION_STRING='%s'", connection_string(chosen.host, chosen.port))
    uvicorn.Server(configuration(Hub(EMULATOR_KEY), host=chosen.host, port=chosen.port)).run()


if __name__ == "__main__":
    main()
