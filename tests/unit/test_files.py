from __future__ import annotations

import stat
from pathlib import Path

import pytest

from shared.files import write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"before")
    with path.open("rb") as reading:
        status = write_whole(path, b"after", mode=0o600)
        assert reading.read() == b"before"
    assert path.read_bytes() == b"after"
    assert (status.st_ino, status.st_size) == (path.stat().st_ino, 5)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder" / "a.txt").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder" / "a.txt", b"in the way of a folder")
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["a.txt"]
