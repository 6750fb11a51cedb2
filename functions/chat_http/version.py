"""The version that the app tells, the same as in pyproject.toml, which is not deployed; and the build."""

from pathlib import Path

VERSION = "0.1.0"


def read_build(root: Path) -> str:
    """Which build lies in this folder: what packing wrote into the file BUILD, `source` if nobody packed it.

    It is in the package and not a setting, so that a package that is deployed again tells its own build.
    """
    try:
        return (root / "BUILD").read_text("ascii").strip()
    except FileNotFoundError:
        return "source"


BUILD = read_build(Path(__file__).resolve().parents[2])
