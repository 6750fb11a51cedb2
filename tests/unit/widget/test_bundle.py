"""The committed widget is what its source builds, small, and tied to no registry."""

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from functions.chat_http.widget import FOLDER
from shared.settings import ROOT
from tests.node import need_packages
from tools import widget_tag

SOURCE = ROOT / "widget"
MOST = 35_000
"""Bytes, gzipped."""


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_source_builds_what_is_committed(tmp_path: Path) -> None:
    if not (node := shutil.which("node")):
        pytest.skip("Node is not installed")
    need_packages()
    subprocess.run([node, "node_modules/typescript/bin/tsc", "--noEmit"], cwd=SOURCE, check=True)
    subprocess.run([node, "build.mjs", str(tmp_path)], cwd=SOURCE, check=True, capture_output=True)
    assert files(tmp_path) == files(FOLDER)


def test_the_script_is_small() -> None:
    assert len(gzip.compress((FOLDER / "widget.js").read_bytes(), 9)) <= MOST


def test_no_text_becomes_html_or_code() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (SOURCE / "src").rglob("*.ts*"))
    assert not re.search(
        r"dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source
    )


def test_versions_are_exact_and_the_lock_names_hashes_and_no_hosts() -> None:
    package = json.loads((SOURCE / "package.json").read_text("utf-8"))
    wanted = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    lock = json.loads((SOURCE / "package-lock.json").read_text("utf-8"))
    locked = {name: entry for name, entry in lock["packages"].items() if name}
    assert {f"node_modules/{name}" for name in wanted} <= set(locked)
    assert all("resolved" not in entry and entry["integrity"].startswith("sha512-") for entry in locked.values())


def test_every_language_has_every_text() -> None:
    english = (SOURCE / "src" / "i18n" / "en.ts").read_text("utf-8")
    names = re.findall(r"^  (\w+): ", english, re.MULTILINE)
    values = dict(zip(names, re.findall(r'^  \w+: "(.*)",$', english, re.MULTILINE), strict=True))
    for path in (FOLDER / "texts").glob("*.json"):
        texts = json.loads(path.read_text("utf-8"))
        assert list(texts) == names, path.name
        for name, text in texts.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", values[name])), (path.name, name)


def test_the_documentation_pins_this_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = (ROOT / "docs" / "widget.md").read_text("utf-8")
    assert widget_tag.pinned(widget_tag.HOST) in document
    copy = tmp_path / "widget.md"
    copy.write_text(re.sub(r"/widget/\w{16}/", "/widget/0000000000000000/", document), "utf-8")
    assert widget_tag.main(["--write", str(copy)]) == 0
    assert copy.read_text("utf-8") == document
    assert widget_tag.pinned(widget_tag.HOST) in capsys.readouterr().out
    assert widget_tag.main(["--write", str(SOURCE / "README.md")]) == 1
