"""Back up all conversations, documents and long transcripts into a folder, while the app goes on.

python -m tools.backup FOLDER

The folder must be new or empty. It then holds personal data: keep it where only its owner can read it. The search index
is not in it, because `tools.reindex` makes it from the documents.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.backup import Stores, back_up
from shared.clock import utc_now
from shared.errors import SupportAgentError
from shared.services import get_services


async def run(folder: Path) -> Mapping[str, int]:
    """Raises `InvalidInput`, `Unavailable`."""
    async with get_services() as services:
        stores = Stores(services.store, services.documents, services.transcripts)
        return await back_up(stores, folder, utc_now())


def summary(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {number}" for kind, number in sorted(counts.items())) or "nothing"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.backup", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    try:
        counts = asyncio.run(run(options.folder))
    except (SupportAgentError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"backed up: {summary(counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
