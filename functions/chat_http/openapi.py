"""The OpenAPI document: FastAPI's, plus the schema of problems, minus the validation errors that FastAPI assumes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from functions.chat_http.problems import Problem

DESCRIPTION = """
Chat with a customer-support agent that cites its sources, and hands over to people.

Errors are `application/problem+json` (RFC 9457). Streams are AG-UI events. See `docs/api.md` for both.
"""


def build(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=DESCRIPTION,
            routes=app.routes,
            tags=[
                {"name": "conversations", "description": "What a customer's client calls, with the session's token."},
                {
                    "name": "customer facts",
                    "description": "What a customer asked to have remembered; with the same token.",
                },
                {"name": "helpdesk", "description": "For people of the company who answer, with an operator's token."},
                {"name": "operators", "description": "For people of the company: their token, and what admins do."},
                {"name": "operation", "description": "For probes and monitoring."},
            ],
        )
        schemas = document["components"]["schemas"]
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= problem.pop("$defs") | {"Problem": problem}
        _drop_assumed_errors(document)
        app.openapi_schema = document
    return app.openapi_schema


def _drop_assumed_errors(document: dict[str, Any]) -> None:
    """FastAPI documents its own 422 wherever there is a parameter, also one that any text fits."""
    for path in document["paths"].values():
        for operation in path.values():
            assumed = operation["responses"].get("422", {}).get("content", {}).get("application/json")
            if assumed:
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
