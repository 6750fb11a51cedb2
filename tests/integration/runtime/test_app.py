"""The app itself, indexed by the genuine runtime: an import that fails in Azure shows as nothing but zero functions."""

import json
import os
import subprocess
import sys
from pathlib import Path

from shared.settings import ROOT

INDEX = """
import asyncio, json
from pathlib import Path
from local.runtime import Runtime

async def index() -> None:
    runtime = await Runtime.start(Path.cwd())
    print(json.dumps({function.name: function.trigger for function in runtime.functions}))
    runtime.close()

asyncio.run(index())
"""

REMEMBER = """
import asyncio, gc, httpx
from pathlib import Path
from azure_functions_runtime.http_v2 import AsyncContextReference
from local.host import Host
from local.setup import listen

async def ask() -> None:
    host, listening = await Host.start(Path.cwd()), listen("127.0.0.1", "0")
    await host.serve(listening)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", trust_env=False) as client:
        for path in ("/health/liveness", "/nowhere", "/chat/sessions/none/history") * 5:
            await client.get(path)
    print(sum(isinstance(thing, AsyncContextReference) for thing in gc.get_objects()))
    await host.stop()

asyncio.run(ask())
"""


def test_every_function_is_indexed_with_its_trigger(tmp_path: Path) -> None:
    indexed = subprocess.run(
        [sys.executable, "-c", INDEX],
        cwd=ROOT,
        env=os.environ | {"AUTH_MODE": "open", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert indexed.returncode == 0, indexed.stderr
    triggers = json.loads(indexed.stdout)
    for trigger in triggers.values():
        del trigger["name"], trigger["direction"]
    assert triggers == {
        "chat_http": {
            "type": "httpTrigger",
            "authLevel": "ANONYMOUS",
            "route": "{*path}",
            "methods": ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
        },
        "ingest_blob": {
            "type": "blobTrigger",
            "path": "documents/{name}",
            "connection": "DOCUMENTS_STORAGE",
            "source": "EventGrid",
        },
        "forget_blob": {"type": "eventGridTrigger"},
        "reconcile_documents": {"type": "timerTrigger", "schedule": "30 */15 * * * *"},
        "escalation_queue": {
            "type": "serviceBusTrigger",
            "queueName": "escalation-requests",
            "connection": "SERVICE_BUS",
        },
        "deliver_webhook": {
            "type": "serviceBusTrigger",
            "queueName": "webhook-deliveries",
            "connection": "SERVICE_BUS",
        },
        "relay_tickets": {"type": "timerTrigger", "schedule": "0 * * * * *"},
        "return_silent_conversations": {"type": "timerTrigger", "schedule": "30 * * * * *"},
        "erase_leftovers": {"type": "timerTrigger", "schedule": "15 7 * * * *"},
    }
    assert list(tmp_path.iterdir()) == [], "indexing opens nothing"


def test_the_runtime_keeps_nothing_of_a_request_that_was_answered(tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", REMEMBER],
        cwd=ROOT,
        env=os.environ | {"AUTH_MODE": "open", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.stdout == "0\n", asked.stderr
