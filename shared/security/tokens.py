"""Signed tokens (JWT, HS256): a customer's for one conversation, an operator's for everything operators may do.

The audience claim keeps the two apart, so that a session's token never opens an operator's door.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from shared.errors import ConfigurationError, Forbidden, Unauthenticated
from shared.settings import MIN_SECRET

ALGORITHM = "HS256"
SESSION = "session"
OPERATOR = "operator"


class Tokens:
    """Issues and checks tokens. `now` returns an aware datetime; expiry is judged by it alone."""

    def __init__(self, secret: str, *, operator_minutes: int, now: Callable[[], datetime]) -> None:
        """Without a secret (possible with AUTH_MODE=open only) a random one is used: tokens then end with the process.

        Raises `ConfigurationError` for one of less than 32 bytes.
        """
        secret = secret or secrets.token_urlsafe(48)
        if len(secret.encode()) < MIN_SECRET:
            raise ConfigurationError(f"TOKEN_SECRET: at least {MIN_SECRET} bytes are needed to sign tokens")
        self._secret = secret
        self._operator_minutes = operator_minutes
        self._now = now

    def issue_session(self, session_id: str, expires_at: datetime) -> str:
        """A token for this one conversation."""
        return self._issue(SESSION, session_id, expires_at)

    def verify_session(self, token: str, session_id: str) -> None:
        """Raises `Unauthenticated` for a token that does not hold, `Forbidden` for one of anything else.

        The answer does not depend on whether the other conversation exists.
        """
        if self._subject(token, SESSION) != session_id:
            raise Forbidden("This token belongs to another conversation. Send the token that this one was opened with.")

    def issue_operator(self, username: str) -> tuple[str, datetime]:
        """The token, and when it expires."""
        expires_at = self._now() + timedelta(minutes=self._operator_minutes)
        return self._issue(OPERATOR, username, expires_at), expires_at

    def verify_operator(self, token: str) -> str:
        """The username. Raises `Unauthenticated` for a token that does not hold, `Forbidden` for a customer's."""
        return self._subject(token, OPERATOR)

    def _issue(self, audience: str, subject: str, expires_at: datetime) -> str:
        claims = {"aud": audience, "sub": subject, "iat": self._now(), "exp": expires_at}
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM, headers={"typ": f"{audience}+jwt"})

    def _subject(self, token: str, audience: str) -> str:
        claims = self._claims(token)
        if claims["aud"] != audience:
            raise Forbidden(f"This is not {'an operator' if audience == OPERATOR else 'a session'}'s token.")
        return claims["sub"]

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=[SESSION, OPERATOR],
                # Expiry is judged below, by the clock that was handed in.
                options={"require": ["aud", "sub", "iat", "exp"], "verify_exp": False, "verify_iat": False},
            )
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, OSError):
            raise Unauthenticated("The token is not valid. Open a new conversation, or sign in again.") from None
        if expires_at <= self._now():
            raise Unauthenticated("The token has expired. Open a new conversation, or sign in again.")
        return claims
