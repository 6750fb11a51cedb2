import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.errors import ConfigurationError, Forbidden, Unauthenticated
from shared.security.tokens import Tokens

SECRET = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLAIMS = {"aud": "session", "sub": "ses-1", "iat": NOW, "exp": NOW + timedelta(hours=1)}


def tokens(now: datetime = NOW, secret: str = SECRET) -> Tokens:
    return Tokens(secret, operator_minutes=60, now=lambda: now)


def session_token() -> str:
    return tokens().issue_session("ses-1", NOW + timedelta(hours=1))


def test_a_session_token_opens_its_conversation() -> None:
    tokens().verify_session(session_token(), "ses-1")


def test_it_opens_no_other_conversation() -> None:
    with pytest.raises(Forbidden):
        tokens().verify_session(session_token(), "ses-2")


def test_an_operators_token_names_the_operator_until_it_expires() -> None:
    token, expires_at = tokens().issue_operator("ada")

    assert expires_at == NOW + timedelta(minutes=60)
    assert tokens(expires_at - timedelta(seconds=1)).verify_operator(token) == "ada"
    with pytest.raises(Unauthenticated, match="expired"):
        tokens(expires_at).verify_operator(token)


def test_neither_kind_of_token_does_the_others_work() -> None:
    operator, _ = tokens().issue_operator("ses-1")
    with pytest.raises(Forbidden):
        tokens().verify_session(operator, "ses-1")
    with pytest.raises(Forbidden):
        tokens().verify_operator(session_token())


def test_an_expired_session_token_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        tokens(NOW + timedelta(hours=1)).verify_session(session_token(), "ses-1")


def unsigned(claims: dict[str, object]) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value, default=lambda d: int(d.timestamp())).encode()).decode()

    return f"{part({'alg': 'none'}).rstrip('=')}.{part(claims).rstrip('=')}."


@pytest.mark.parametrize(
    "token",
    [
        "",
        "abc",
        "a.b.c",
        tokens(secret="x" * 32).issue_session("ses-1", NOW + timedelta(hours=1)),
        unsigned(CLAIMS),
        jwt.encode(CLAIMS, SECRET * 2, algorithm="HS512"),
        *(jwt.encode({k: v for k, v in CLAIMS.items() if k != gone}, SECRET) for gone in CLAIMS),
        jwt.encode(CLAIMS | {"aud": "something else"}, SECRET),
        jwt.encode(CLAIMS | {"exp": 10**30}, SECRET),
        jwt.encode(CLAIMS | {"exp": "soon"}, SECRET),
        session_token()[:-2],
    ],
)
def test_forged_and_broken_tokens_are_refused(token: str) -> None:
    with pytest.raises(Unauthenticated, match="not valid"):
        tokens().verify_session(token, "ses-1")


@given(position=st.integers(0, len(session_token()) - 2), character=st.sampled_from("AZaz09-_."))
def test_no_change_of_a_token_survives(position: int, character: str) -> None:
    token = session_token()
    changed = token[:position] + character + token[position + 1 :]
    assume(changed != token)

    with pytest.raises(Unauthenticated):
        tokens().verify_session(changed, "ses-1")


@given(text=st.text(max_size=200))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens().verify_operator(text)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TOKEN_SECRET"):
        tokens(secret="short")


def test_without_a_secret_tokens_hold_for_the_process_that_made_them() -> None:
    first, second = tokens(secret=""), tokens(secret="")
    token = first.issue_session("ses-1", NOW + timedelta(hours=1))

    first.verify_session(token, "ses-1")
    with pytest.raises(Unauthenticated):
        second.verify_session(token, "ses-1")
