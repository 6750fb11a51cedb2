"""Hosts one of the apps beside it until standard input closes: `serve.py APP [DOCUMENTS] [QUEUE]`, `-` for none.

The first line of its output is JSON: where it listens, or what was wrong with the app.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

from local.host import Host
from local.runtime import HostError
from local.setup import listen


class Silent:
    def reading(self, name: str) -> None: ...

    def forgetting(self, name: str) -> None: ...

    def gave_up(self, name: str) -> None:
        logging.getLogger("test").warning("gave up %s", name)


async def serve(app: str, documents: str = "-", queue: str = "-") -> None:
    try:
        host = await Host.start(Path(app))
    except HostError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    listening = listen("127.0.0.1", "0")
    await host.serve(listening)
    if documents != "-":
        from shared.knowledge.folder import FolderDocumentStore

        host.watch(FolderDocumentStore(Path(documents)), Silent(), known={})
    if queue != "-":
        from shared.escalation.sqlite import SqliteTicketQueue

        host.pump(SqliteTicketQueue(Path(queue), max_delivery_count=4))
    host.run_timers()
    port = listening.getsockname()[1]
    print(json.dumps({"port": port, "functions": [function.name for function in host.runtime.functions]}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await host.stop()


asyncio.run(serve(*sys.argv[1:]))
