from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import files
from tools.parse_report import main


def test_every_file_gets_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, report = tmp_path / "documents", tmp_path / "report.json"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.docx").write_bytes(files.docx())
    (folder / "b.md").write_text("# Returns")
    (folder / "c.png").write_bytes(b"\x89PNG....")
    (folder / "d.docx").write_bytes(b"PK\x03\x04 cut off")

    assert main([str(folder), "--json", str(report)]) == 0

    rows = {row["file"]: row for row in json.loads(report.read_text())}
    assert [(name, row["status"], row["characters"]) for name, row in rows.items()] == [
        ("b.md", "ok", 9),
        ("c.png", "unsupported", 0),
        ("d.docx", "broken", 0),
        ("deep/a.docx", "ok", 27),
    ]
    assert "picture" in rows["c.png"]["reason"]
    assert [row["peak_mb"] > 5 for row in rows.values()] == [False, False, True, True]
    assert all(row["seconds"] >= 0 for row in rows.values())
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table[0] == ["type", "ok", "unsupported", "broken", "all", "seconds", "peak", "MB"]
    assert [line[:5] for line in table[1:]] == [
        [".docx", "1", "0", "1", "2"],
        [".md", "1", "0", "0", "1"],
        [".png", "0", "1", "0", "1"],
        ["all", "2", "1", "1", "4"],
    ]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "nowhere")])


def test_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "No files.\n"
