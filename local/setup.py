"""Makes a laptop ready: default settings, a folder of documents, a port to listen on."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from shared.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples" / "documents"
SAMPLE_COMPANY = "Kavendry"


def set_defaults(environ: MutableMapping[str, str]) -> None:
    """Fill in what is not set, so that `make run` needs no settings; what is set stays.

    The key that signs tokens is made once and kept in DATA_DIR, so that tokens outlive a restart. Raises
    `ConfigurationError` if that is no folder to write to.
    """
    data_dir = Path(environ.get("DATA_DIR") or ".data").resolve()
    _make_writable(data_dir)
    environ["DATA_DIR"] = str(data_dir)
    # The front door adds the client's address as App Service does: one proxy to believe.
    defaults = {"AUTH_MODE": "open", "TRUSTED_PROXIES": "1"}
    if SAMPLES.is_dir():
        defaults["COMPANY_NAME"] = SAMPLE_COMPANY
    for name, value in defaults.items():
        if not environ.get(name):
            environ[name] = value
    if not environ.get("TOKEN_SECRET"):
        environ["TOKEN_SECRET"] = _kept_secret(data_dir / "token-secret")


def offer_hub(environ: MutableMapping[str, str], url: str) -> str | None:
    """Let the app push through a hub at this address, unless it has another. Returns the hub's new key."""
    if environ.get("WEB_PUBSUB_ENDPOINT") or environ.get("WEB_PUBSUB_CONNECTION_STRING"):
        return None
    key = secrets.token_urlsafe(48)
    environ["WEB_PUBSUB_CONNECTION_STRING"] = f"Endpoint={url};AccessKey={key};Version=1.0;"
    return key


@contextlib.contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Keep every other app away from the search index in this folder: each has its own copy in memory, and does not
    learn what another writes. Raises `ConfigurationError` if one is there already.

    A lock of SQLite, because it ends with its process, however that ends, on every system.
    """
    with contextlib.closing(sqlite3.connect(data_dir / "in-use.db", timeout=0)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise ConfigurationError(
                f"DATA_DIR={data_dir} is in use: the app runs already. Stop it, or give this one a folder and a port of"
                " its own: DATA_DIR=.data-2 PORT=8080 make run"
            ) from None
        yield


def _make_writable(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds what customers write
        tempfile.TemporaryFile(dir=data_dir).close()
    except OSError as error:
        raise ConfigurationError(
            f"DATA_DIR={data_dir} cannot be written to: {error.strerror}."
            " Choose another folder: DATA_DIR=FOLDER make run"
        ) from None


def _kept_secret(path: Path) -> str:
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii").strip()


def lay_out_documents(folder: Path, samples: Path = SAMPLES) -> bool:
    """On the first run, make the folder of documents, with the samples in it. True if that was done now.

    Raises `ConfigurationError` if there is something else in its place.
    """
    if folder.exists():
        if not folder.is_dir():
            raise ConfigurationError(f"DOCUMENTS_DIR={folder} is not a folder.")
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    if samples.is_dir():
        # Under another name first: a copy that is interrupted must not pass for a folder that is complete.
        half = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(samples, half)
        half.rename(folder)
    else:
        folder.mkdir()
    return True


def listen(host: str, port: str) -> socket.socket:
    """A socket bound to the address. Raises `ConfigurationError` if there is none to be had."""
    if not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ConfigurationError(f"PORT: {port!r} is not a port number")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches off Nagle's algorithm only where the protocol is named, which costs 40 ms a chunk otherwise.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, int(port)))
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"HOST={host} PORT={port} cannot be used: {error.strerror}. Choose another port: PORT=8080 make run"
        ) from None
    return listening
