"""Receipts of erasures (JWT, HS256): what was erased, and that nothing was found afterwards.

A receipt must not keep what it says is gone: the person's id is in it only as a keyed hash, by which it can be checked
for somebody who is named, and not be read from it. Its audience keeps it from being taken for a token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt

from shared.errors import InvalidInput

ALGORITHM, AUDIENCE = "HS256", "erasure"


def sign(secret: str, subject: str, outcome: Mapping[str, Any], at: datetime) -> str:
    claims = {"aud": AUDIENCE, "sub": _hashed(secret, subject), "iat": at, "outcome": dict(outcome)}
    return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"typ": "erasure+jwt"})


def read(secret: str, receipt: str, subject: str | None = None) -> dict[str, Any]:
    """The claims. Raises `InvalidInput` for a receipt that this secret did not sign, or that is another `subject`'s."""
    try:
        claims: dict[str, Any] = jwt.decode(
            receipt,
            secret,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            options={"require": ["aud", "sub", "iat"], "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        raise InvalidInput("The receipt was not signed with this TOKEN_SECRET, or has been changed.") from None
    if subject is not None and not hmac.compare_digest(claims["sub"], _hashed(secret, subject)):
        raise InvalidInput("The receipt is of somebody else's erasure.")
    return claims


def _hashed(secret: str, subject: str) -> str:
    return hmac.new(secret.encode(), f"erasure/{subject}".encode(), hashlib.sha256).hexdigest()
