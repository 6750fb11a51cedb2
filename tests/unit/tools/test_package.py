import os
import re
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

from functions.chat_http import version
from tools.package import CONTENTS, PACKAGES, ROOT, main, pack, read_build


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    (folder / "library" / "__pycache__").mkdir(parents=True)
    (folder / "library" / "__init__.py").write_text("")
    (folder / "library" / "__pycache__" / "x.pyc").write_text("")
    return folder


def test_a_package_is_the_app_with_its_dependencies(tmp_path: Path, packages: Path) -> None:
    pack(ROOT, packages, tmp_path / "out" / "app.zip", "abc123")

    with zipfile.ZipFile(tmp_path / "out" / "app.zip") as package:
        names = set(package.namelist())
        package.extractall(tmp_path / "app")
    assert {"function_app.py", "host.json", "BUILD", "models/all-MiniLM-L6-v2/config.json"} <= names
    assert f"{PACKAGES}/library/__init__.py" in names
    assert f"{PACKAGES}/library/__pycache__/x.pyc" not in names
    assert not any(name.startswith(("tests/", "tools/", "local/", ".git")) for name in names)
    assert version.read_build(tmp_path / "app") == read_build(tmp_path / "out" / "app.zip") == "abc123"

    # … and nothing that it imports stayed at home.
    code = "import function_app; print(sorted(f.get_function_name() for f in function_app.app.get_functions()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "app",
        env={"PATH": os.environ["PATH"], "AUTH_MODE": "open"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {"chat_http", "ingest_blob", "forget_blob", "escalation_queue"} <= set(eval(done.stdout))


def test_modules_come_compiled(tmp_path: Path, packages: Path) -> None:
    (packages / "library" / "template.py").write_text("{{ no Python }}")
    pack(ROOT, packages, tmp_path / "app.zip", "abc123")
    with zipfile.ZipFile(tmp_path / "app.zip") as package:
        names = package.namelist()
        package.extractall(tmp_path / "app")
    assert not any("template.cpython" in name for name in names)

    # Python reads what was compiled, and compiles nothing of the app itself.
    done = subprocess.run(
        [sys.executable, "-v", "-c", "import function_app"],
        cwd=tmp_path / "app",
        env={"PATH": os.environ["PATH"], "AUTH_MODE": "open", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    read = re.findall(rf"code object from '?{re.escape(str(tmp_path / 'app'))}/(\S+?)'?$", done.stderr, re.MULTILINE)
    assert any("services" in name for name in read)
    assert [name for name in read if not name.endswith(".pyc")] == []


def test_the_same_content_makes_the_same_bytes(tmp_path: Path, packages: Path) -> None:
    app = tmp_path / "app"
    for name in CONTENTS:
        (app / name).parent.mkdir(exist_ok=True)
        (app / name).write_text(name)
    pack(app, packages, tmp_path / "1.zip", "abc123")
    os.utime(app / "host.json", (0, 0))
    (app / "host.json").chmod(0o600)
    pack(app, packages, tmp_path / "2.zip", "abc123")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_azd_packs_the_same() -> None:
    """`.funcignore` leaves what `CONTENTS` names, and nothing else that is in the repository."""
    lines = (ROOT / ".funcignore").read_text().splitlines()
    patterns = [line.lstrip("/") for line in lines if line.startswith("/")]
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    there = {name.partition("/")[0] for name in done.stdout.splitlines()}
    left = {name for name in there if not any(fnmatch(name, pattern) for pattern in patterns)}
    assert left == set(CONTENTS)


@pytest.mark.parametrize("build", ["", "a b", "../x", "x" * 41])
def test_a_build_s_name_can_be_that_of_a_file(build: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--build", build])
    assert "--build" in capsys.readouterr().err


def test_another_file_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"tools\.package"):
        read_build(tmp_path / "x.zip")
