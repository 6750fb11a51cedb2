"""Erase one conversation, or all of a customer, look for what is left, and print the receipt as JSON.

python -m tools.erase --session ID                 a conversation with its messages and tickets
python -m tools.erase --user ID                    every conversation, ticket and remembered fact of a customer
python -m tools.erase --verify RECEIPT [--user ID]  whether this app signed it (for this customer), and what it says

`receipt` is signed with TOKEN_SECRET; without one it is null. Exit code 1 if anything was left. Tickets that a helpdesk
has already received are that helpdesk's to erase.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from shared.errors import SupportAgentError
from shared.memory.models import Erasure
from shared.personal_data import Person
from shared.security import receipts
from shared.services import get_services, utc_now


async def erase(*, session: str | None, user: str | None) -> tuple[Erasure, Mapping[str, int]]:
    """One of the two is given. What was erased, and what is left of it: nothing, or somebody wrote meanwhile. All
    counts are 0 if there was nothing (any more). Raises `Unavailable`."""
    services = get_services()
    try:
        data = services.personal_data
        if session is not None:
            person = Person({f"session:{session}"}, {session})
            return await services.conversations.erase(session), await data.left(person)
        person = await data.customer(user or "")
        return await services.conversations.erase_customer(user or ""), await data.left(person)
    finally:
        await services.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="erase", description=__doc__.splitlines()[0] if __doc__ else None)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--session", metavar="ID", help="the conversation's session_id")
    which.add_argument("--user", metavar="ID", help="the customer's user_id")
    parser.add_argument("--verify", metavar="RECEIPT", help="check a receipt instead")
    options = parser.parse_args(arguments)
    if options.verify is None and options.session is None and options.user is None:
        parser.error("one of --session, --user and --verify is needed")
    subject = {"session": options.session} if options.session is not None else {"user": options.user}

    try:
        secret = get_services().settings.token_secret.get_secret_value()
        if options.verify is not None:
            named = options.session or options.user
            print(json.dumps(receipts.read(secret, options.verify, _name(subject) if named else None)))
            return 0
        erasure, left = asyncio.run(erase(session=options.session, user=options.user))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    outcome: dict[str, Any] = {**asdict(erasure), "left": dict(left)}
    at = utc_now()
    receipt = receipts.sign(secret, _name(subject), outcome, at) if secret else None
    print(json.dumps({"erased": subject, "at": at.isoformat(timespec="seconds"), **outcome, "receipt": receipt}))
    return 1 if left else 0


def _name(subject: Mapping[str, str]) -> str:
    [(kind, name)] = subject.items()
    return f"{kind}/{name}"


if __name__ == "__main__":
    sys.exit(main())
