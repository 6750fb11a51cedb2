"""Read every file below a folder as the agent would, and report what became of each.

python -m tools.parse_report documents --json report.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.errors import DocumentRejected, Unavailable
from shared.knowledge.parsing import DocumentParser
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Row:
    """`seconds` of wall clock; `peak_mb` of memory, libraries included, 0 if no child process was needed."""

    file: str
    status: str
    reason: str
    seconds: float
    peak_mb: float
    characters: int


async def report(folder: Path, files: Sequence[Path]) -> list[Row]:
    """One row for each file below the folder. Raises `Unavailable` if the parser's child process does not start."""
    default = {name: field.default for name, field in Settings.model_fields.items()}
    parser = DocumentParser(
        timeout=default["parse_timeout_seconds"],
        memory_mb=default["parse_memory_mb"],
        max_bytes=default["max_document_bytes"],
    )
    rows: list[Row] = []
    try:
        for number, path in enumerate(files, 1):
            rows.append(await _row(parser, path, str(path.relative_to(folder))))
            if sys.stderr.isatty():
                print(f"\r{number} of {len(files)}\x1b[K", end="", file=sys.stderr, flush=True)
    finally:
        await parser.close()
        if sys.stderr.isatty():
            print(file=sys.stderr)
    return rows


async def _row(parser: DocumentParser, path: Path, name: str) -> Row:
    data = await asyncio.to_thread(path.read_bytes)
    status, reason, characters = "ok", "", 0
    start = time.perf_counter()
    try:
        characters = len((await parser.parse(data, name)).markdown)
    except DocumentRejected as rejected:
        status, reason = str(rejected.status), str(rejected)
    return Row(name, status, reason, round(time.perf_counter() - start, 3), parser.peak_mb, characters)


def table(rows: Sequence[Row]) -> str:
    """Numbers of files by suffix and status, with the longest time and the most memory of each."""
    statuses = [status for status, _ in Counter(row.status for row in rows).most_common()]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(Path(row.file).suffix.lower() or "(none)", []).append(row)
    lines = [f"{'type':<10}" + "".join(f"{title:>13}" for title in [*statuses, "all", "seconds", "peak MB"])]
    for suffix, group in [*sorted(groups.items()), ("all", list(rows))]:
        counts = Counter(row.status for row in group)
        numbers = [*(counts[status] for status in statuses), len(group)]
        worst = f"{max(row.seconds for row in group):>13.1f}{max(row.peak_mb for row in group):>13.0f}"
        lines.append(f"{suffix:<10}" + "".join(f"{number:>13}" for number in numbers) + worst)
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.parse_report", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="file for the rows")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")

    files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    try:
        rows = asyncio.run(report(options.folder, files))
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n")
    print(table(rows) if rows else "No files.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
