"""`tools.backup` and `tools.restore` as an operator runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from shared.settings import ROOT


def run(module: str, data_dir: Path, *arguments: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"tools.{module}", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATA_DIR": str(data_dir), "DOCUMENTS_DIR": "", "AUTH_MODE": "open"},
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_backup_is_made_refused_and_put_back(tmp_path: Path) -> None:
    one, other, backup = tmp_path / "one", tmp_path / "other", str(tmp_path / "backup")
    made = tmp_path / "mine"
    made.mkdir()
    (made / "returns.md").write_text("# Returns\n\nWithin 30 days.\n")
    assert run("upload_documents", one, str(made)).returncode == 0
    assert run("create_operator", one, "ada", "--stdin", typed="a long password\n").returncode == 0
    done = run("backup", one, backup)
    assert (done.returncode, done.stdout) == (0, "backed up: Document 1, Operator 1\n")
    again = run("backup", one, backup)
    assert again.returncode == 1
    assert "folder of its own" in again.stderr
    done = run("restore", other, backup)
    assert (done.returncode, done.stdout) == (0, "put back: Document 1, Operator 1\n")
    assert (other / "documents" / "returns.md").read_text().startswith("# Returns")
    again = run("restore", other, backup)
    assert again.returncode == 1
    assert "--into-existing" in again.stderr
