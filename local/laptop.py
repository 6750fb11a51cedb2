"""The app on this machine, from the first line on the terminal to the last."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sys

from local import logs
from local.console import Console
from local.host import Host
from local.hub import Hub
from local.setup import ROOT, held, lay_out_documents, listen, offer_hub, set_defaults
from shared.errors import ConfigurationError, SupportAgentError, Unavailable
from shared.knowledge.index import DocumentRecord, DocumentStatus
from shared.services import Services, get_services
from shared.settings import load_settings

WRONG_SETTINGS = 2
"""Exit code."""


def run() -> int:
    """Until SIGINT or SIGTERM. Returns the exit code."""
    address, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "7071"
    try:
        set_defaults(os.environ)
        settings = load_settings()
        if settings.auth_mode == "open" and not _is_loopback(address):
            print(f"Anyone who reaches {address} can read every conversation: AUTH_MODE is `open`.", file=sys.stderr)
        alone = held(settings.data_dir) if settings.index_in_folder else contextlib.nullcontext()
        with alone, listen(address, port) as listening:
            logs.set_up(settings.data_dir)
            if not settings.documents_in_blobs:
                lay_out_documents(settings.documents)
            key = offer_hub(os.environ, _url(listening))
            asyncio.run(_serve(listening, Hub(key) if key else None))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return WRONG_SETTINGS if isinstance(error, ConfigurationError) else 1
    return 0


async def _serve(listening: socket.socket, hub: Hub | None) -> None:
    stopping = _stop_signal()

    async def look_up(name: str) -> DocumentRecord | None:
        return await get_services().index.record(name)

    console = Console(look_up)
    host = await Host.start(ROOT, hub)
    services = get_services()

    async def work() -> None:
        """The whole life of the app; ends only if something breaks."""
        await host.serve(listening)
        await host.answered()
        host.pump(services.queue)
        host.run_timers()
        await _reconcile(services, console)
        records = await services.ingestion.records()
        host.watch(services.documents, console, known={record.name: record.etag for record in records})
        unreadable = sum(record.status is not DocumentStatus.INDEXED for record in records)
        console.ready(_url(listening), services.settings, unreadable=unreadable)
        await host.broken()

    working, stop = asyncio.create_task(work()), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        console.stopping()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await host.stop()
        await services.close()


async def _reconcile(services: Services, console: Console) -> None:
    """As soon as documents and index can be reached: they may be servers that start together with the app."""
    while True:
        try:
            await services.ingestion.reconcile(console.progress)
        except Unavailable as error:
            console.waiting(error)
            await asyncio.sleep(error.retry_after)
        else:
            return


def _stop_signal() -> asyncio.Event:
    """Set by SIGINT and SIGTERM. More of them change nothing: a terminal and `make` may both send one."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopping


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _url(listening: socket.socket) -> str:
    address, port = listening.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        address = "localhost"
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
