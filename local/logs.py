"""Where log lines go on a laptop: all of them to a file, warnings in short also to the terminal."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path


class ShortLines(logging.StreamHandler):
    """`warning: what happened (logger)` on standard error, whatever formatter the app gives to its handlers."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.lower()}: {record.getMessage()} ({record.name})"


def set_up(data_dir: Path) -> Path:
    """Add the handlers to the root logger; the app formats the file's lines. Returns the file."""
    path = data_dir / "logs" / "app.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    short = ShortLines()
    short.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(RotatingFileHandler(path, maxBytes=5_000_000, backupCount=3, encoding="utf-8"))
    root.addHandler(short)
    return path
