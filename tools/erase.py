"""Erase one conversation, or all of a customer, look for what is left, and print the receipt as JSON.

python -m tools.erase --session ID                 a conversation with its messages and tickets
python -m tools.erase --user ID                    every conversation, ticket and remembered fact of a customer
python -m tools.erase --verify RECEIPT [--user ID]  whether this app signed it (for this customer), and what it says

`receipt` is signed with TOKEN_SECRET; without one it is null. Exit code 1 if anything was left, or could not be looked
for. Tickets that a helpdesk has already received are that helpdesk's to erase.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from shared.erasure import Receipt, session_subject, user_subject
from shared.errors import ConfigurationError, SupportAgentError
from shared.security import receipts
from shared.services import get_services


async def erase(*, session: str | None, user: str | None) -> Receipt:
    """One of the two is given. All counts are 0 if there was nothing (any more). Raises `Unavailable`."""
    async with get_services() as services:
        if session is not None:
            return await services.erasure.session(session)
        return await services.erasure.customer(user or "")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.erase", description=(__doc__ or "").splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--session", metavar="ID", help="the conversation's session_id")
    which.add_argument("--user", metavar="ID", help="the customer's user_id")
    parser.add_argument("--verify", metavar="RECEIPT", help="check a receipt instead")
    options = parser.parse_args(arguments)
    session, user = options.session, options.user
    if options.verify is None and session is None and user is None:
        parser.error("one of --session, --user and --verify is needed")

    try:
        if options.verify is not None:
            secret = get_services().settings.token_secret.get_secret_value()
            if not secret:
                raise ConfigurationError(
                    "TOKEN_SECRET: set it to the app's; `make run` has it in DATA_DIR/token-secret"
                )
            subject = session_subject(session) if session is not None else user_subject(user) if user else None
            print(json.dumps(receipts.read(secret, options.verify, subject)))
            return 0
        receipt = asyncio.run(erase(session=session, user=user))
    except SupportAgentError as error:
        print(error, file=sys.stderr)
        return 1
    outcome = {
        "erased": {"session": session} if session is not None else {"user": user},
        "at": receipt.at.isoformat(timespec="seconds"),
        **asdict(receipt.erased),
        "left": dict(receipt.left),
        "unchecked": list(receipt.unchecked),
        "receipt": receipt.signed,
    }
    print(json.dumps(outcome))
    return 0 if receipt.complete else 1


if __name__ == "__main__":
    sys.exit(main())
