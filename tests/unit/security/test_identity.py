"""Identity tokens, signed here with keys of each kind as a company's site would."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.errors import ConfigurationError, Unauthenticated
from shared.memory.sqlite import SqliteConversationStore
from shared.security.identity import IdentityTokens, read_keys

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SECRET = b"the site's own key, 32 bytes long"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC = ec.generate_private_key(ec.SECP256R1())


def octets(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def shared_secret(kid: str = "old", secret: bytes = SECRET) -> dict[str, Any]:
    return {"kty": "oct", "kid": kid, "alg": "HS256", "k": octets(secret)}


RSA_KEY = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "rsa", "alg": "RS256"}
EC_KEY = ECAlgorithm.to_jwk(EC.public_key(), as_dict=True) | {"kid": "ec", "alg": "ES256"}
ALL_KEYS = [shared_secret(), shared_secret("new", b"n" * 32), RSA_KEY, EC_KEY]


def key_set(*keys: Any) -> str:
    return json.dumps({"keys": list(keys)})


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


class Claimed:
    def __init__(self) -> None:
        self.keys: set[str] = set()

    async def claim(self, key: str, *, until: datetime) -> bool:
        fresh = key not in self.keys
        self.keys.add(key)
        return fresh


def checker(clock: Clock | None = None, claims: Any = None) -> IdentityTokens:
    return IdentityTokens(
        read_keys(key_set(*ALL_KEYS)),
        audience="support-agent",
        max_minutes=10,
        claims=claims or Claimed(),
        now=clock or Clock(),
    )


def claims_of(**changes: Any) -> dict[str, Any]:
    claims = {"sub": "user123", "aud": "support-agent", "exp": NOW + timedelta(minutes=5), "jti": "one"} | changes
    return {name: value for name, value in claims.items() if value is not None}


def token(*, key: Any = SECRET, kid: str | None = "old", algorithm: str = "HS256", **changes: Any) -> str:
    headers = {"kid": kid} if kid is not None else {}
    return jwt.encode(claims_of(**changes), key, algorithm=algorithm, headers=headers)


def pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed_by_hand(secret: bytes, *, kid: str) -> str:
    """HS256 with a secret that PyJWT would not sign with."""
    claims = claims_of(exp=int((NOW + timedelta(minutes=5)).timestamp()))
    signed = ".".join(octets(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": kid}, claims))
    return f"{signed}.{octets(hmac.digest(secret, signed.encode(), 'sha256'))}"


async def test_signing_by_hand_makes_good_tokens() -> None:
    assert await checker().verify(signed_by_hand(SECRET, kid="old")) == "user123"


@pytest.mark.parametrize(
    ("kid", "key", "algorithm"),
    [("old", SECRET, "HS256"), ("new", b"n" * 32, "HS256"), ("rsa", RSA, "RS256"), ("ec", EC, "ES256")],
)
async def test_each_configured_key_vouches(kid: str, key: Any, algorithm: str) -> None:
    assert await checker().verify(token(kid=kid, key=key, algorithm=algorithm)) == "user123"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "no signed JWT"),
        ("a.b.c", "no signed JWT"),
        ("x" * 5000, "kid"),
        (token(kid=None), "kid"),
        (token(kid="gone"), "kid"),
        (token(key=b"x" * 32), "signature"),
        (token(key=b"n" * 32), "signature"),
        (token(algorithm="HS512", key=SECRET * 2), "signature"),
        (jwt.encode(claims_of(), None, algorithm="none", headers={"kid": "old"}), "signature"),
        (jwt.encode(claims_of(), None, algorithm="none", headers={"kid": "rsa"}), "signature"),
        # The public key, which everybody has, used as a shared secret.
        (signed_by_hand(json.dumps(RSA_KEY).encode(), kid="rsa"), "signature"),
        (signed_by_hand(pem(RSA), kid="rsa"), "signature"),
        (signed_by_hand(pem(EC), kid="ec"), "signature"),
        (token(kid="ec", key=RSA, algorithm="RS256"), "signature"),
        (jwt.encode(claims_of(), SECRET, headers={"kid": "old", "crit": ["b64"]}), "no signed JWT"),
        (token(aud="session"), "aud"),
        (token(aud=["operator", "session"]), "aud"),
        (token(aud=None), "aud"),
        (token(sub=None), "sub"),
        (token(sub=""), "sub"),
        (token(sub=" "), "sub"),
        (token(sub="a\nb"), "sub"),
        (token(sub="x" * 201), "sub"),
        (token(jti=None), "jti"),
        (token(jti=""), "jti"),
        (token(exp=None), "exp"),
        (token(exp=NOW - timedelta(seconds=60)), "expired"),
        (token(exp=NOW + timedelta(minutes=11, seconds=1)), "too late"),
        (token(nbf=NOW + timedelta(seconds=61)), "future"),
        (token(iat=NOW + timedelta(seconds=61)), "future"),
    ],
)
async def test_what_does_not_hold_is_refused_and_told_why(bad: str, why: str) -> None:
    with pytest.raises(Unauthenticated, match=why) as refused:
        await checker().verify(bad)
    assert "Get a new one" in str(refused.value)
    assert "user123" not in str(refused.value)


async def test_clocks_may_be_a_minute_apart() -> None:
    identity = checker()
    assert await identity.verify(token(jti="late", exp=NOW - timedelta(seconds=59)))
    assert await identity.verify(token(jti="early", iat=NOW + timedelta(seconds=59), exp=NOW + timedelta(minutes=11)))


@pytest.mark.parametrize("exp", ["soon", True, 1e300, [], {}])
async def test_a_strange_time_is_refused(exp: Any) -> None:
    with pytest.raises(Unauthenticated):
        await checker().verify(token(exp=exp))


async def test_a_token_holds_once_at_all_instances_together(tmp_path: Path) -> None:
    clock = Clock()
    stores = [SqliteConversationStore(tmp_path / "conversations.db", now=clock) for _ in range(2)]
    first, second = (checker(clock, store) for store in stores)
    given_out = token()
    assert await first.verify(given_out) == "user123"
    for identity in (first, second):
        with pytest.raises(Unauthenticated, match="used before"):
            await identity.verify(given_out)
    # Until its very last second, and also with another end.
    clock.now = NOW + timedelta(minutes=5, seconds=59)
    with pytest.raises(Unauthenticated, match="used before"):
        await second.verify(given_out)
    with pytest.raises(Unauthenticated, match="used before"):
        await second.verify(token(exp=NOW + timedelta(minutes=9)))
    assert await second.verify(token(jti="two", exp=NOW + timedelta(minutes=9))) == "user123"
    for store in stores:
        await store.close()


async def test_a_refused_token_is_not_used_up() -> None:
    identity = checker()
    with pytest.raises(Unauthenticated):
        await identity.verify(token(key=b"x" * 32))
    assert await identity.verify(token()) == "user123"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, len(token()) - 2), character=st.sampled_from("AZaz09-_."))
async def test_no_change_of_a_token_survives(position: int, character: str) -> None:
    good = token()
    changed = good[:position] + character + good[position + 1 :]
    assume(changed != good)
    with pytest.raises(Unauthenticated):
        await checker().verify(changed)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "Key Set"),
        ("[]", "Key Set"),
        ("{}", "Key Set"),
        (key_set(), "Key Set"),
        (key_set("text"), "kid"),
        (key_set(shared_secret() | {"kid": ""}), "kid"),
        (key_set(shared_secret(), shared_secret()), "key 2.*earlier"),
        (key_set(shared_secret() | {"alg": "none"}), "alg"),
        (key_set(shared_secret() | {"alg": "RS256"}), "alg"),
        (key_set({"kty": "oct", "kid": "a", "k": octets(SECRET)}), "alg"),
        (key_set(RSA_KEY | {"alg": "HS256"}), "alg"),
        (key_set(shared_secret(secret=b"short")), "32 bytes"),
        (key_set(shared_secret() | {"k": "%"}), "usable|bytes"),
        (key_set(RSA_KEY | {"n": "AQAB"}), "bits|usable"),
        (key_set(RSAAlgorithm.to_jwk(SMALL_RSA.public_key(), as_dict=True) | {"kid": "s", "alg": "RS256"}), "bits"),
        (key_set(EC_KEY | {"x": "AA"}), "usable"),
        (key_set(RSAAlgorithm.to_jwk(RSA, as_dict=True) | {"kid": "rsa", "alg": "RS256"}), "private"),
    ],
)
def test_unusable_keys_are_told_at_the_start(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"IDENTITY_KEYS.*(?:{why})") as refused:
        read_keys(text)
    assert octets(SECRET) not in str(refused.value)
