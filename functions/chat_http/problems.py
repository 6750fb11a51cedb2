"""Errors as clients see them: RFC 9457 `application/problem+json`, always saying what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Mount

from shared import telemetry
from shared.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NoPushChannel,
    NotFound,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    RetryLater,
    SupportAgentError,
    TurnInProgress,
    Unauthenticated,
    Unavailable,
    UnsupportedFile,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """`name` identifies the kind of problem for programs: the end of its `type`, and the code of a RUN_ERROR."""

    status: int
    name: str
    title: str

    @property
    def type(self) -> str:
        return f"urn:support-agent:problem:{self.name}"


INVALID = Kind(422, "validation-failed", "The request does not fit the API")
INTERNAL = Kind(500, "internal", "Something went wrong on our side")

ERRORS: dict[type[SupportAgentError], Kind] = {
    InvalidInput: Kind(400, "invalid-input", "The request can not succeed as sent"),
    PayloadTooLarge: Kind(413, "too-large", "Something is over its limit"),
    UnsupportedFile: Kind(415, "unsupported-file", "This kind of file is not accepted"),
    Unauthenticated: Kind(401, "unauthenticated", "A valid token is needed"),
    Forbidden: Kind(403, "forbidden", "This token does not allow it"),
    NotFound: Kind(404, "not-found", "It does not exist"),
    NoPushChannel: Kind(404, "no-push-channel", "Nothing is pushed here"),
    Conflict: Kind(409, "conflict", "Not possible in the present state"),
    TurnInProgress: Kind(409, "turn-in-progress", "An earlier message is still being answered"),
    RateLimited: Kind(429, "rate-limited", "Too many requests"),
    Overloaded: Kind(503, "overloaded", "More is asked than can be answered right now"),
    Unavailable: Kind(503, "unavailable", "A part of the service does not answer"),
}
"""Errors that are not here are our own fault: 500, and nothing is told."""

PROTOCOL = {
    400: (Kind(400, "malformed", "The request can not be read"), "The body can not be read. Check its format."),
    404: (ERRORS[NotFound], "There is nothing at this path. See /docs for what there is."),
    405: (Kind(405, "method-not-allowed", "Not with this method"), "Use one of the methods in the Allow header."),
    413: (ERRORS[PayloadTooLarge], "The body is too large."),
    415: (Kind(415, "unsupported-media-type", "This media type is not accepted"), "See /docs for what is."),
}
"""What HTTP itself refuses, by status, with the text used where nothing better is known."""


class FieldError(BaseModel):
    """One wrong part of a request."""

    place: str = Field(description="Where it stands: `body`, `query` or `path`.", examples=["body"])
    field: str = Field(description="Its name; parts of a path are joined by dots.", examples=["rating"])
    detail: str = Field(description="What is expected.", examples=["Input should be 'up' or 'down'"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(
        description="Identifies the kind of problem.", examples=["urn:support-agent:problem:rate-limited"]
    )
    title: str = Field(description="The kind of problem in words.", examples=["Too many requests"])
    status: int = Field(description="The HTTP status.", examples=[429])
    detail: str = Field(description="What happened and what to do.", examples=["Try again in 42 s."])
    errors: list[FieldError] | None = Field(default=None, description="The wrong fields, if the request has some.")


def kind_of(error: Exception) -> Kind:
    """The nearest entry of the table, `INTERNAL` if there is none."""
    return next((ERRORS[cls] for cls in type(error).__mro__ if cls in ERRORS), INTERNAL)


def detail_of(error: Exception) -> str:
    """What may be told of an error."""
    if kind_of(error) is INTERNAL:
        return "The request could not be answered. Please try again later."
    return str(error)


def response(
    kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None, errors: Sequence[FieldError] | None = None
) -> Response:
    telemetry.rejected_requests.add(1, {"status": str(kind.status)})
    problem = Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=detail,
        errors=list(errors) if errors else None,
    )
    return Response(
        problem.model_dump_json(exclude_none=True), kind.status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def response_to(error: SupportAgentError) -> Response:
    kind = kind_of(error)
    if kind.status >= 500 and not isinstance(error, Overloaded):  # a line for each would be a load of its own
        logger.error("request failed", extra={"status": kind.status}, exc_info=error)
        telemetry.errors.add(1, {"place": "http", "error": type(error).__name__})
    headers: dict[str, str] = {}
    if isinstance(error, RetryLater):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return response(kind, detail_of(error), headers=headers)


def internal_error() -> Response:
    return response(INTERNAL, "The request could not be answered. Please try again later.")


def install(app: FastAPI) -> None:
    """Make every error of the app a problem."""

    @app.exception_handler(SupportAgentError)
    async def domain_error(_: Request, error: SupportAgentError) -> Response:
        return response_to(error)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        kind, text = PROTOCOL.get(error.status_code, (INTERNAL, ""))
        if kind is INTERNAL:
            return internal_error()
        if isinstance(error, ProtocolError):
            text = error.detail
        headers = {"Allow": ", ".join(_allowed_methods(request))} if kind.status == 405 else {}
        return response(kind, text, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def validation_error(_: Request, error: RequestValidationError) -> Response:
        problems = error.errors()
        if any(problem["type"] == "json_invalid" for problem in problems):
            return response(PROTOCOL[400][0], "The body is not valid JSON.")
        # Neither the input nor the context is told: both may hold what was sent.
        errors = [
            FieldError(
                place=str(problem["loc"][0]),
                field=".".join(str(part) for part in problem["loc"][1:]),
                detail=problem["msg"],
            )
            for problem in problems
        ]
        named = ", ".join(dict.fromkeys(e.field or e.place for e in errors))
        return response(INVALID, f"Check and correct: {named}.", errors=errors)


class ProtocolError(HTTPException):
    """An HTTP error with a text of our own, which is told; texts of libraries are not, as they may quote the input."""


def _allowed_methods(request: Request) -> list[str]:
    """The methods of all routes at this path: the router itself names those of the first only."""
    routes = [route for route in request.app.routes if not isinstance(route, Mount)]
    allowed = [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return allowed or ["GET", "HEAD"]  # of a mounted folder of files


_EXAMPLES = {kind.status: kind for kind in (*ERRORS.values(), INVALID, INTERNAL)}
_HEADERS = {
    401: {"WWW-Authenticate": "Always `Bearer`."},
    409: {"Retry-After": "Seconds to wait; only while an earlier message is being answered."},
    429: {"Retry-After": "Seconds until the next request is allowed."},
    503: {"Retry-After": "Seconds to wait."},
}
_MEANINGS = {
    400: "The request can not be read, or can not succeed as sent.",
    401: "No token, or one that is forged or expired.",
    403: "A valid token, but not for this.",
    404: "No such thing.",
    409: "Not possible in the present state.",
    413: "The body, a field or a file is over its limit.",
    415: "The body or a file is of a kind that is not accepted.",
    422: "A field is missing or wrong; `errors` says which.",
    429: "Too many requests from this client.",
    500: "Something went wrong on our side.",
    503: "A part of the service does not answer, or more is asked than can be answered.",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses for these statuses."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _example(_EXAMPLES[status])}
            },
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in _HEADERS.get(status, {}).items()
            },
        }
        for status in statuses
    }


def _example(kind: Kind) -> dict[str, Any]:
    example = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": _MEANINGS[kind.status]}
    if kind is INVALID:
        example["errors"] = [{"place": "body", "field": "rating", "detail": "Input should be 'up' or 'down'"}]
    return example
