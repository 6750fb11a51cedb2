"""Copy Chroma's folder while the server works on it: `backup.py DATA BACKUPS`. Keeps the last three copies.

Runs by itself in a stock Python image. SQLite gives a consistent copy of its file at any time, and holds every write
until it is in the vectors' files too. Those are written now and then: a copy during which one changed is made again.
Restore by copying a folder back while no server runs. Exit code 1: no quiet moment was found.
"""

import shutil
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

DATABASE = "chroma.sqlite3"
KEPT = 3
ATTEMPTS = 5
PAUSE = 30.0
"""Seconds between two attempts."""


def main(data: Path, backups: Path, *, pause: float = PAUSE) -> int:
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    unfinished = backups / f"{name}.part"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause)
        shutil.rmtree(unfinished, ignore_errors=True)
        if copy(data, unfinished):
            break
    else:
        shutil.rmtree(unfinished)
        print(f"{data}: its files change all the time; nothing was copied", file=sys.stderr)
        return 1
    unfinished.rename(backups / name)
    finished = sorted(path for path in backups.iterdir() if path.is_dir() and not path.suffix)
    for old in finished[:-KEPT]:
        shutil.rmtree(old)
    print(f"copied to {backups / name}")
    return 0


def copy(data: Path, target: Path) -> bool:
    """Whether the vectors' files stayed as they were meanwhile."""
    target.mkdir(parents=True)
    before = _state(data)
    with (
        closing(sqlite3.connect(f"file:{data / DATABASE}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(target / DATABASE)) as copied,
    ):
        source.backup(copied)
    try:
        for folder in sorted(path for path in data.iterdir() if path.is_dir()):
            shutil.copytree(folder, target / folder.name)
    except (FileNotFoundError, shutil.Error):  # one was removed meanwhile
        return False
    return _state(data) == before


def _state(data: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file of vectors."""
    files = [path for path in data.rglob("*") if path.is_file() and path.parent != data]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
