"""Identity tokens: the company's own site says, signed, which of its customers is talking.

A JWT (RFC 7519) with `sub` (the customer's id), `aud`, `exp` and `jti`, and the signing key's `kid` in its header. Its
audience differs from those of `tokens.py`, and so do its keys: none of the three kinds of token does another's work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

import jwt

from shared.errors import ConfigurationError, Unauthenticated

KEY_TYPES = {"HS256": "oct", "RS256": "RSA", "ES256": "EC"}
"""The algorithms that a key may be for, with the `kty` that each needs (RFC 7518 §3.1 and §6.1)."""
MIN_HMAC_KEY = 32
"""Bytes; RFC 7518 §3.2."""
MIN_RSA_KEY = 2048
"""Bits; RFC 7518 §3.3."""
LEEWAY = timedelta(seconds=60)
"""How far the clocks of the site and of this app may be apart."""
MAX_SUBJECT = 200
MAX_TOKEN_ID = 200
MAX_TOKEN = 4096
"""Characters of a token."""

_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth"}


class Claims(Protocol):
    """What is needed of the `ConversationStore`."""

    async def claim(self, key: str, *, until: datetime) -> bool: ...


def read_keys(text: str) -> Mapping[str, jwt.PyJWK]:
    """The keys of a JWK Set (RFC 7517 §5) by their `kid`. Raises `ConfigurationError` that quotes no key."""
    try:
        entries: object = cast("dict[str, object]", json.loads(text))["keys"]
    except (ValueError, TypeError, KeyError):
        entries = None
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError('IDENTITY_KEYS: not a JSON Web Key Set: {"keys": [{"kid": …, "alg": …, "kty": …}]}')
    keys: dict[str, jwt.PyJWK] = {}
    for number, entry in enumerate(cast("list[object]", entries), 1):
        kid, key = _read_key(entry, f"IDENTITY_KEYS, key {number}")
        if kid in keys:
            raise ConfigurationError(f"IDENTITY_KEYS, key {number}: its kid is that of an earlier key")
        keys[kid] = key
    return keys


def _read_key(entry: object, where: str) -> tuple[str, jwt.PyJWK]:
    key = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    kid, algorithm = key.get("kid"), key.get("alg")
    if not isinstance(kid, str) or not kid:
        raise ConfigurationError(f"{where}: `kid` is missing")
    if not isinstance(algorithm, str) or KEY_TYPES.get(algorithm) != key.get("kty"):
        kinds = ", ".join(f"{name} with kty {kind}" for name, kind in KEY_TYPES.items())
        raise ConfigurationError(f"{where}: `alg` and `kty` must be one of {kinds}")
    if _PRIVATE & key.keys():
        raise ConfigurationError(f"{where}: this is a private key; the app needs its public part only")
    try:
        read = jwt.PyJWK(key, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise ConfigurationError(f"{where}: not a usable {algorithm} key") from None
    if algorithm == "HS256" and len(read.key) < MIN_HMAC_KEY:
        raise ConfigurationError(f"{where}: at least {MIN_HMAC_KEY} bytes are needed")
    if algorithm == "RS256" and read.key.key_size < MIN_RSA_KEY:
        raise ConfigurationError(f"{where}: at least {MIN_RSA_KEY} bits are needed")
    return kid, read


class IdentityTokens:
    """Checks the site's tokens, each of which holds once. `now` returns an aware datetime; time is judged by it alone.

    `claims` is shared by all instances of the app, so that a token used at one is used at all.
    """

    def __init__(
        self,
        keys: Mapping[str, jwt.PyJWK],
        *,
        audience: str,
        max_minutes: int,
        claims: Claims,
        now: Callable[[], datetime],
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._longest = timedelta(minutes=max_minutes)
        self._claims = claims
        self._now = now

    async def verify(self, token: str) -> str:
        """The customer's id. Raises `Unauthenticated`, saying what is wrong, or `Unavailable` without the store."""
        key_id, claims = self._read(token)
        expires_at, now = _time(claims, "exp"), self._now()
        if expires_at <= now - LEEWAY:
            raise _refused("it has expired")
        if expires_at > now + self._longest + LEEWAY:
            raise _refused(
                f"it expires too late; `exp` may be {int(self._longest.total_seconds() // 60)} minutes ahead"
            )
        for name in ("nbf", "iat"):
            if name in claims and _time(claims, name) > now + LEEWAY:
                raise _refused(f"its `{name}` is in the future")
        subject = _text(claims, "sub", MAX_SUBJECT)
        token_id = _text(claims, "jti", MAX_TOKEN_ID)
        used = hashlib.sha256(json.dumps([key_id, token_id]).encode()).hexdigest()
        if not await self._claims.claim(f"identity:{used}", until=expires_at + LEEWAY):
            raise _refused("it was used before")
        return subject

    def _read(self, token: str) -> tuple[str, dict[str, Any]]:
        """The id of the key that signed it, and the claims. The algorithm is the key's, whatever the token says."""
        try:
            header = jwt.get_unverified_header(token) if len(token) <= MAX_TOKEN else {}
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise _refused("it is no signed JWT") from None
        key_id = header.get("kid")
        key = self._keys.get(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise _refused("its header names no `kid` of IDENTITY_KEYS")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                # Times are judged by the clock that was handed in.
                options={
                    "require": ["sub", "aud", "exp", "jti"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.MissingRequiredClaimError as missing:
            raise _refused(f"it has no `{missing.claim}`") from None
        except jwt.InvalidAudienceError:
            raise _refused(f"its `aud` is not {self._audience}") from None
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise _refused("its signature does not hold") from None
        return cast("str", key_id), claims


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims[name]
    try:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        return datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise _refused(f"its `{name}` is no time in seconds since 1970") from None


def _text(claims: Mapping[str, Any], name: str, longest: int) -> str:
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value.strip()) <= longest or not value.isprintable():
        raise _refused(f"its `{name}` must be 1 to {longest} printable characters")
    return value.strip()


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"The identity token does not hold: {why}. Get a new one from the site and try again.")
