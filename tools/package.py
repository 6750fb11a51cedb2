"""Pack the app, with its dependencies, into the zip file that Azure runs.

python -m tools.package --build ID            dist/app.zip
python -m tools.package --build ID --output X

The same commit and the same requirements make the same bytes, so that a file can be told from another by its hash. The
dependencies are those of Linux on x64, whatever this machine is; nothing is left to be installed in Azure, nor to be
compiled: each new instance would do that again, and take more than twice the processor time to start.
"""

from __future__ import annotations

import argparse
import importlib.util
import marshal
import re
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTENTS = ("function_app.py", "host.json", "requirements.txt", "LICENSE", "functions", "shared", "models")
"""All that the app is; `.funcignore` leaves the same to azd and the Core Tools."""
PACKAGES = ".python_packages/lib/site-packages"
"""Where the Functions host looks for dependencies."""
NOT_COMPILED = ("kubernetes",)
"""A third of what there would be to compile. Chroma wants it for clusters, nothing here imports it; space is short."""
BUILD_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip file can hold."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.package", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--build", required=True, help="what GET /health/ will tell: the commit")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "app.zip")
    options = parser.parse_args(arguments)
    if not BUILD_ID.fullmatch(options.build):
        parser.error("--build: 1 to 40 letters, digits or . _ -")

    with tempfile.TemporaryDirectory() as folder:
        try:
            install(Path(folder))
        except subprocess.CalledProcessError as error:
            print(f"The dependencies could not be installed: exit code {error.returncode}.", file=sys.stderr)
            return 1
        pack(ROOT, Path(folder), options.output, options.build)
    print(f"{options.output}: build {options.build}, {options.output.stat().st_size / 1e6:.0f} MB")
    return 0


def install(folder: Path) -> None:
    """The pinned dependencies, wheels only. Raises `CalledProcessError`."""
    subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--target", str(folder), "--requirement", str(ROOT / "requirements.txt")),
            *("--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.13"),
            *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_17_x86_64"),
            *("--platform", "manylinux2014_x86_64"),
        ],
        check=True,
    )


def pack(root: Path, packages: Path, output: Path, build: str) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w") as package:
        _add(package, "BUILD", f"{build}\n".encode())
        for name in CONTENTS:
            for path in _files(root / name):
                _add_file(package, path.relative_to(root).as_posix(), path, compile_it=True)
        for path in _files(packages):
            name = path.relative_to(packages)
            _add_file(package, f"{PACKAGES}/{name.as_posix()}", path, compile_it=name.parts[0] not in NOT_COMPILED)


def read_build(package: Path) -> str:
    """Raises `ValueError` if it is no package of this app."""
    try:
        with zipfile.ZipFile(package) as opened:
            return opened.read("BUILD").decode("ascii").strip()
    except (KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ValueError(f"{package} was not made by python -m tools.package.") from error


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)
    else:
        raise FileNotFoundError(path)


def _add_file(package: zipfile.ZipFile, name: str, path: Path, *, compile_it: bool) -> None:
    """A module with what Python makes of it, if it is to be compiled."""
    content = path.read_bytes()
    _add(package, name, content)
    if compile_it and path.suffix == ".py" and (compiled := _compiled(name, content)):
        _add(package, importlib.util.cache_from_source(name), compiled)


def _compiled(name: str, source: bytes) -> bytes | None:
    """A module as Python keeps it in `__pycache__`, never compared with its source (PEP 552); None if it is none.

    Version 2 of `marshal` has no references: whether there are any depends on what else this process holds.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):  # a template, or what another version of Python is meant to read
        return None
    unchecked = (0b01).to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source) + marshal.dumps(code, 2)


def _add(package: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    package.writestr(entry, content)


if __name__ == "__main__":
    sys.exit(main())
