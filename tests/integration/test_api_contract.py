"""Hostile and friendly requests made from the OpenAPI document, against the app with its real, embedded services.

No answer may be a server error, have a status or media type that is not documented, or not fit its schema.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as limits
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.python.asgi import ASGIClient, shutdown_lifespans
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions.chat_http.app import create_app
from shared.clock import utc_now
from shared.memory.models import Operator
from shared.services import Services
from shared.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
PLENTY = 10**9
HERE = "http://testserver"

DOCUMENT = create_app().openapi()
every_case = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig())
# Strangers get no further than the door of most calls: there, going through every case again would find nothing new.
random_cases = schemathesis.openapi.from_dict(
    DOCUMENT, config=SchemathesisConfig.from_dict({"phases": {"coverage": {"enabled": False}}})
)
bounded = limits(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    services = Services(
        Settings(
            data_dir=tmp_path_factory.mktemp("data"),
            token_secret="0123456789abcdef0123456789abcdef",
            sessions_per_minute=PLENTY,
            messages_per_minute=PLENTY,
            health_per_minute=PLENTY,
            logins_per_minute=PLENTY,
        )
    )  # pyright: ignore[reportCallIssue]
    asyncio.run(services.store.save_operator(Operator("ada", "Ada L.", "", utc_now(), role="admin")))
    asyncio.run(services.index.ping())  # else the first readiness check may be too early on a slow machine
    return services


@pytest.fixture(scope="module")
def app(services: Services) -> Iterator[FastAPI]:
    yield create_app(services)
    shutdown_lifespans()


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[ASGIClient]:
    with ASGIClient(app, HERE) as client:
        yield client


@random_cases.parametrize()
@bounded
def test_requests_of_strangers(case: schemathesis.Case, client: ASGIClient) -> None:
    """Ids and tokens as they are made up."""
    case.call_and_validate(HERE, client, checks=CHECKS)


@every_case.parametrize()
@bounded
def test_requests_of_customers_and_operators(case: schemathesis.Case, client: ASGIClient, services: Services) -> None:
    """Real conversations with their own tokens, real tickets: what comes after the door is reached."""
    token = services.tokens.issue_operator("ada")[0]
    if "session_id" in case.path_parameters:
        started = client.post("/chat/sessions").json()
        token = started["token"]
        case.path_parameters["session_id"] = started["session_id"]
        if "message_id" in case.path_parameters:
            case.path_parameters["message_id"] = "greeting"
    if "ticket_id" in case.path_parameters:
        started = client.post("/chat/sessions").json()
        headers = {"Authorization": f"Bearer {started['token']}"}
        asked = client.post(f"/chat/sessions/{started['session_id']}/escalate", headers=headers).json()
        case.path_parameters["ticket_id"] = asked["ticket_id"]
    case.call_and_validate(HERE, client, checks=CHECKS, headers={"Authorization": f"Bearer {token}"})
