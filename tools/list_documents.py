"""List what the agent knows: each document with its status, its passages, and why it cannot be read.

python -m tools.list_documents
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence

from shared.errors import SupportAgentError
from shared.knowledge.index import DocumentRecord
from shared.services import get_services


async def records() -> Sequence[DocumentRecord]:
    """By name. Raises `Unavailable`, `IndexModelMismatch`."""
    async with get_services() as services:
        return await services.ingestion.records()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.list_documents", description=(__doc__ or "").splitlines()[0])
    parser.parse_args(arguments)

    try:
        found = asyncio.run(records())
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    for record in found:
        print(
            f"{record.status.value:<12}{record.chunks:>6}  {record.name}"
            + (f": {record.reason}" if record.reason else "")
        )
    counts = Counter(record.status.value for record in found)
    summary = ", ".join(f"{number} {status}" for status, number in counts.most_common())
    print(f"{len(found)} documents" + (f": {summary}" if summary else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
