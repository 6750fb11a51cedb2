"""What the commands of all suites have in common."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

type Report = Mapping[str, Any]


def main(
    name: str,
    run: Callable[[Path], Coroutine[Any, Any, Report]],
    table: Callable[[Report], str],
    arguments: Sequence[str] | None = None,
) -> None:
    """`python -m evaluation.NAME DIR --json OUT`: measure DIR, print the table, write the figures."""
    parser = argparse.ArgumentParser(prog=f"python -m evaluation.{name}", description=f"Suite `{name}`: see README.md.")
    parser.add_argument("folder", metavar="DIR", type=Path, help="the set: README.md has its format")
    parser.add_argument("--json", metavar="OUT", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    try:
        report = asyncio.run(run(options.folder.resolve()))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
