"""Data flows one way: trigger → service → port → adapter. What may import what, read from the source."""

import ast
import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from emulators.cosmos.auth import EMULATOR_KEY
from emulators.cosmos.server import CosmosEmulator
from shared.memory import cosmos_schema
from shared.settings import ROOT

FORBIDDEN = {
    "shared": ("azure.functions", "azurefunctions", "fastapi", "starlette", "functions", "local", "tools", "emulators"),
    "functions": ("local", "tools", "emulators"),
    "tools": ("local", "functions", "emulators"),
}
NOT_AT_START = (
    *("torch", "transformers", "sentence_transformers", "pandas", "markitdown", "openai", "agent_framework"),
    *("chromadb", "onnxruntime", "tokenizers", "numpy", "semantic_text_splitter", "Stemmer", "yaml"),
    *("bs4", "lxml", "openpyxl", "pptx", "pypdfium2", "jwt", "cryptography", "httpx", "aiohttp", "grpc"),
    "ag_ui",
    *("opentelemetry.sdk", "opentelemetry.exporter", "prometheus_client"),
    *(
        "azure.core",
        "azure.identity",
        "azure.messaging",
        "azure.monitor",
        "azure.cosmos",
        "azure.servicebus",
        "azure.storage",
    ),
)
"""An instance that only indexes the app, or answers a health check, needs none of them."""
NOT_BY_A_TURN = (
    *("torch", "transformers", "sentence_transformers", "pandas", "markitdown", "openai", "aiohttp", "ag_ui"),
    *("bs4", "lxml", "openpyxl", "pptx", "pypdfium2", "azure.monitor", "opentelemetry.exporter.otlp.proto.http"),
    *("shared.knowledge.formats", "shared.knowledge.parsing", "shared.knowledge.ingestion", "httpx", "rich"),
    *("azure.core", "azure.identity", "azure.cosmos", "azure.messaging", "azure.servicebus", "azure.storage"),
    *("chromadb", "grpc", "pydantic_settings"),
)
"""Nor does a laptop's keyless answer need these, also where it could be pushed."""
NOT_BY_A_TURN_IN_AZURE = (
    *("azure.servicebus", "azure.storage", "azure.identity", "requests", "httpx", "rich", "chromadb"),
    *("shared.knowledge.formats", "shared.knowledge.parsing", "shared.knowledge.ingestion", "sqlite3"),
)
"""And until there is a ticket or a document, the adapters for Azure need none of these for what a turn uses of them."""


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_no_layer_reaches_upwards(layer: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in (ROOT / layer).rglob("*.py")
        for module in imported(file)
        if any(module == name or module.startswith(f"{name}.") for name in FORBIDDEN[layer])
    ]
    assert wrong == []


def test_the_parts_of_the_product_import_what_the_architecture_says() -> None:
    rows = re.findall(
        r"^\| `shared/(\w+)/` \| .* \| ?(.*) \|$", (ROOT / "docs/architecture.md").read_text("utf-8"), re.MULTILINE
    )
    parts = {folder.name for folder in (ROOT / "shared").iterdir() if (folder / "__init__.py").exists()}
    told = {part: set(re.findall(r"`(\w+)`", may_import)) & parts for part, may_import in rows}
    found = {
        part: {
            module.split(".")[1]
            for file in (ROOT / "shared" / part).rglob("*.py")
            for module in imported(file)
            if module.startswith("shared.") and module.split(".")[1] in parts - {part}
        }
        for part in parts
    }
    assert told == found


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        str(file.relative_to(ROOT))
        for layer in ("shared", "functions")
        for file in (ROOT / layer).rglob("*.py")
        if re.search(r"os\.(environ|getenv)", file.read_text("utf-8"))
    ]
    # The parsers' process is given its PATH, and none of the settings; pydantic hears no other way.
    assert sorted(readers) == ["shared/knowledge/parsing.py", "shared/process.py", "shared/settings.py"]


def test_only_the_composition_root_chooses_adapters() -> None:
    adapters = {
        f"shared.{port}.{file.stem}"
        for port, names in {
            "memory": ("sqlite", "cosmos"),
            "escalation": ("sqlite", "folder", "blob", "servicebus"),
            "push": ("webpubsub",),
            "knowledge": ("folder", "blob", "chroma", "cosmos", "onnx", "sentence_transformers"),
        }.items()
        for file in [ROOT / "shared" / port / f"{name}.py" for name in names]
        if file.exists()
    }
    choosers = {
        str(file.relative_to(ROOT))
        for layer in ("shared", "functions")
        for file in (ROOT / layer).rglob("*.py")
        if adapters & set(imported(file))
    }
    assert choosers == {"shared/services.py"}


def loaded_by(program: str, names: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Those of these modules, or packages, that a fresh process has loaded after the program."""
    program += "\nimport sys; print('\\n'.join(['', *sys.modules]))"
    command, inherited = [sys.executable, "-c", program], {"PATH": os.environ["PATH"]}
    run = subprocess.run(command, cwd=ROOT, env=inherited | environ, capture_output=True, text=True, check=True)
    return [name for name in names if name in run.stdout.splitlines()]


def test_nothing_heavy_is_loaded_by_starting_the_app() -> None:
    assert loaded_by("import function_app", NOT_AT_START, {}) == []


A_TURN = """
import asyncio, function_app
from shared.services import get_services

async def ask():
    services = get_services()
    conversation, _ = await services.conversations.start(None)
    turn = await services.conversations.begin_turn(conversation.session_id, "How long does delivery take?")
    assert (await turn.result()).text
    await services.close()

asyncio.run(ask())
"""


def test_a_turn_on_a_laptop_loads_nothing_of_azure_nor_any_parser(tmp_path: Path) -> None:
    hub = "Endpoint=http://127.0.0.1:9;AccessKey=key;Version=1.0;"
    settings = {
        "AUTH_MODE": "open",
        "DATA_DIR": str(tmp_path),
        "LOG_LEVEL": "ERROR",
        "WEB_PUBSUB_CONNECTION_STRING": hub,
    }
    assert loaded_by(A_TURN, NOT_BY_A_TURN, settings) == []


def test_a_turn_in_azure_loads_neither_queues_nor_documents(tmp_path: Path) -> None:
    with CosmosEmulator() as cosmos:
        asyncio.run(cosmos_schema.create(cosmos.url, EMULATOR_KEY, "support-agent"))
        settings = {
            "AUTH_MODE": "open",
            "DATA_DIR": str(tmp_path),
            "LOG_LEVEL": "ERROR",
            "COSMOS_CONNECTION_STRING": f"AccountEndpoint={cosmos.url};AccountKey={EMULATOR_KEY};",
            "SERVICE_BUS": "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=app;SharedAccessKey=key;",
            "DOCUMENTS_STORAGE": "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;",
        }
        assert loaded_by(A_TURN, (*NOT_BY_A_TURN_IN_AZURE, "azure.cosmos"), settings) == ["azure.cosmos"]


def test_a_search_on_a_chroma_server_does_not_load_chroma() -> None:
    program = """
import asyncio, contextlib
from shared.errors import Unavailable
from shared.services import get_services

async def search():
    services = get_services()
    with contextlib.suppress(Unavailable):
        await services.retriever.retrieve("How long does delivery take?")
    await services.close()

asyncio.run(search())
"""
    nobody_listens = {"AUTH_MODE": "open", "LOG_LEVEL": "ERROR", "CHROMA_URL": "http://127.0.0.1:9"}
    clients = ("httpcore", "httpx", "chromadb", "chromadb_rust_bindings")
    assert loaded_by(program, clients, nobody_listens) == ["httpcore"]


def test_the_test_would_see_what_is_loaded() -> None:
    assert loaded_by("import numpy, json", ("numpy", "json", "yaml"), {}) == ["numpy", "json"]
