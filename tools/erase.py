"""Erase one conversation, or all of a customer, and print the receipt as JSON.

python -m tools.erase --session ID    a conversation with its messages and tickets
python -m tools.erase --user ID       every conversation, ticket and remembered fact of a customer

Tickets that a helpdesk has already received are that helpdesk's to erase.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from shared.errors import SupportAgentError
from shared.memory.models import Erasure
from shared.services import get_services, utc_now


async def erase(*, session: str | None, user: str | None) -> Erasure:
    """One of the two is given. All counts are 0 if there was nothing (any more). Raises `Unavailable`."""
    services = get_services()
    try:
        if session is not None:
            return await services.conversations.erase(session)
        return await services.conversations.erase_customer(user or "")
    finally:
        await services.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="erase", description=__doc__.splitlines()[0] if __doc__ else None)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--session", metavar="ID", help="the conversation's session_id")
    which.add_argument("--user", metavar="ID", help="the customer's user_id")
    options = parser.parse_args(arguments)

    try:
        erasure = asyncio.run(erase(session=options.session, user=options.user))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    subject = {"session": options.session} if options.session is not None else {"user": options.user}
    print(json.dumps({"erased": subject, "at": utc_now().isoformat(timespec="seconds"), **asdict(erasure)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
