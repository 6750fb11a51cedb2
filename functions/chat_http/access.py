"""Who calls, whether they may, and how often: the dependencies of the routes."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from shared.memory.models import Operator
from shared.services import Services
from shared.settings import Settings

SESSION_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
IPV6_CLIENT = 64
"""Bits of an IPv6 address that tell one client from another: a home is given a whole /64 (RFC 6177)."""

_session_token = HTTPBearer(
    auto_error=False,
    scheme_name="SessionToken",
    bearerFormat="JWT",
    description="From `POST /chat/sessions`; opens that one conversation. Not needed with AUTH_MODE=open.",
)
_operator_token = HTTPBearer(
    auto_error=False, scheme_name="OperatorToken", bearerFormat="JWT", description="From `POST /auth/login`."
)
Credentials = HTTPAuthorizationCredentials | None


async def services_of(request: Request) -> Services:
    return request.app.state.services()


Provided = Annotated[Services, Depends(services_of)]


def client_address(request: Request, *, trusted_proxies: int) -> str:
    """The client's IP address (IPv6: its /64), `unknown` if the server knows none.

    Each proxy appends the address of its peer to X-Forwarded-For, so with n trusted ones the n-th entry from the right
    is the last that was not written by the client. Some append a port too.
    """
    peer = request.client.host if request.client else ""
    lines = request.headers.getlist("x-forwarded-for") if trusted_proxies else []
    entries = [entry for line in lines for entry in line.split(",")]
    claimed = entries[-min(trusted_proxies, len(entries))] if entries else peer
    return _network(claimed) or _network(peer) or "unknown"


def _network(address: str) -> str | None:
    host = address.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, IPV6_CLIENT), strict=False))


def _key(kind: str, request: Request, services: Services) -> str:
    return f"{kind}:{client_address(request, trusted_proxies=services.settings.trusted_proxies)}"


def limited(kind: str, per_minute: Callable[[Settings], int]) -> Any:
    """A dependency that counts one call of this kind for the client. Raises `RateLimited`."""

    async def check(request: Request, services: Provided) -> None:
        await services.rate_limiter.check(_key(kind, request, services), per_minute=per_minute(services.settings))

    return Depends(check)


async def limit_health(request: Request, services: Provided) -> None:
    """Counted in this process: a health call must be answered also when the store is not there."""
    limiter = request.app.state.local_limiter
    await limiter.check(_key("health", request, services), per_minute=services.settings.health_per_minute)


async def authorised_session(
    session_id: Annotated[str, Path(description="From `POST /chat/sessions`.")],
    services: Provided,
    credentials: Annotated[Credentials, Depends(_session_token)],
) -> str:
    """The id of a conversation that this caller may see, whether or not it exists.

    Raises `Unauthenticated`, `Forbidden`; `NotFound` for what can be no conversation's id.
    """
    if credentials:
        services.tokens.verify_session(credentials.credentials, session_id)
    elif services.settings.auth_mode == "token":
        raise Unauthenticated("Send the token that this conversation was opened with: Authorization: Bearer <token>.")
    if not SESSION_ID.fullmatch(session_id):
        raise NotFound("There is no such conversation.")
    return session_id


async def known_customer(
    services: Services, user_id: str | None, identity_token: str | None
) -> tuple[str | None, bool]:
    """The customer who opens a conversation, and whether the company's site vouches for them.

    Raises `Unauthenticated` for a token that does not hold, or a bare user_id where tokens are to be had; `Forbidden`
    for a token of somebody else; `InvalidInput` for a token that nobody here can check.
    """
    identity = services.identity
    if identity_token is None:
        if identity and user_id is not None:
            raise Unauthenticated("A user_id needs the site's identity_token. Send one, or leave the user_id out.")
        return user_id, False
    if identity is None:
        raise InvalidInput("Identity tokens are not checked here: set IDENTITY_KEYS, or leave the token out.")
    customer = await identity.verify(identity_token)
    if user_id is not None and user_id.strip() != customer:
        raise Forbidden("The identity token is of another customer than the user_id. Leave the user_id out.")
    return customer, True


def session_call(kind: str) -> Any:
    """A dependency: the id of the caller's conversation, after its token and the client's allowance were checked."""

    async def check(
        session_id: Annotated[str, Depends(authorised_session)], request: Request, services: Provided
    ) -> str:
        allowance = services.settings.messages_per_minute
        await services.rate_limiter.check(_key(kind, request, services), per_minute=allowance)
        return session_id

    return Depends(check)


async def signed_in_operator(
    services: Provided, credentials: Annotated[Credentials, Depends(_operator_token)]
) -> Operator:
    """Raises `Unauthenticated`, also for an account that is gone since; `Forbidden` for a customer's token."""
    if not credentials:
        raise Unauthenticated("Sign in with POST /auth/login and send its token: Authorization: Bearer <token>.")
    operator = await services.store.operator(services.tokens.verify_operator(credentials.credentials))
    if operator is None:
        raise Unauthenticated("This account does not exist any more.")
    return operator


SignedIn = Annotated[Operator, Depends(signed_in_operator)]


async def admin(operator: SignedIn) -> Operator:
    """Raises what `signed_in_operator` raises, `Forbidden` for an operator who is no admin."""
    if operator.role != "admin":
        raise Forbidden("This is for admins: python -m tools.create_operator NAME --role admin.")
    return operator


Admin = Annotated[Operator, Depends(admin)]

operators_only = [
    limited("operators", lambda settings: settings.operator_calls_per_minute),
    Depends(signed_in_operator),
]
"""Dependencies of a router whose every call is an operator's."""
