"""Data flows one way: trigger → service → port → adapter. What may import what, read from the source."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import ROOT

FORBIDDEN = {
    "shared": ("azure.functions", "azurefunctions", "fastapi", "starlette", "functions", "local", "tools", "emulators"),
    "functions": ("local", "tools", "emulators"),
    "tools": ("local", "functions", "emulators"),
}
HEAVY = (
    *("chromadb", "onnxruntime", "markitdown", "openai", "sentence_transformers", "torch"),
    *("azure.identity", "azure.monitor", "azure.cosmos", "azure.servicebus", "azure.storage.blob"),
    "azure.messaging.webpubsubservice",
)


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


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        str(file.relative_to(ROOT))
        for layer in ("shared", "functions")
        for file in (ROOT / layer).rglob("*.py")
        if re.search(r"os\.(environ|getenv)", file.read_text("utf-8"))
    ]
    # The parsers' process is given its PATH, and none of the settings.
    assert readers == ["shared/knowledge/parsing.py"]


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


def test_nothing_heavy_is_loaded_by_starting_the_app() -> None:
    program = "import function_app, sys; print('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in HEAVY if name in run.stdout.splitlines()] == []
