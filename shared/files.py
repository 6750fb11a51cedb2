"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, data: bytes, *, mode: int = 0o666) -> os.stat_result:
    """Write a file, or replace it; returns once it is on the disk. The unfinished one is hidden beside it, `.….tmp`.

    Returns the status of this file, and not that of the path later on, where by then another writer's may be. `mode`
    is less the umask. Raises `OSError`.
    """
    unfinished = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with open(unfinished, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            status = os.fstat(file.fileno())
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    return status
