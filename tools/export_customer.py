"""Print all that is kept about a customer as JSON: conversations, messages with files, tickets, facts, transcripts.

python -m tools.export_customer USER > user.json

What helpdesks have received is theirs to hand out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from shared.clock import utc_now
from shared.errors import SupportAgentError
from shared.services import get_services


async def export(user: str) -> dict[str, list[Any]]:
    """Empty if there is nothing. Raises `Unavailable`."""
    async with get_services() as services:
        data = services.personal_data
        return await data.export(await data.customer(user))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.export_customer", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("user", metavar="USER", help="the customer's user_id")
    options = parser.parse_args(arguments)
    try:
        found = asyncio.run(export(options.user))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    at = utc_now().isoformat(timespec="seconds")
    print(json.dumps({"customer": options.user, "at": at, **found}, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
