"""Fill a new search index from the documents, for the embedding model that is set now, and switch to it.

python -m tools.reindex

Needed after a change of EMBEDDING_MODEL, EMBEDDING_BACKEND or EMBEDDING_DIMENSIONS. The index in use answers until the
new one is complete, and stays if this is interrupted; the next run removes what was left. A running app goes on with
the new index by itself, with another embedding model once it is restarted with the same settings. Where the index is a
folder, stop the app first: two processes must not write to it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.errors import SupportAgentError
from shared.knowledge.ingestion import Reconciliation
from shared.services import get_services


async def reindex() -> Reconciliation:
    """Raises `Unavailable`; then the index stays as it was."""
    async with get_services() as services:
        return await services.ingestion.rebuild(_show)


def _show(number: int, total: int, name: str) -> None:
    print(f"reading {number} of {total}: {name}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.reindex", description=(__doc__ or "").splitlines()[0])
    parser.parse_args(arguments)

    try:
        outcome = asyncio.run(reindex())
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{outcome.ingested} documents indexed, {outcome.failed} could not be read")
    if outcome.failed:
        print("python -m tools.list_documents says why")
    return 0


if __name__ == "__main__":
    sys.exit(main())
