"""The FastAPI app: REST and server-sent events, over the services that every trigger shares."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI
from starlette.middleware import Middleware

from functions.chat_http import analytics, facts, health, helpdesk, openapi, operators, pages, problems, sessions
from functions.chat_http.middleware import (
    AllowedOrigins,
    BodyLimit,
    LastResort,
    MessageLimit,
    SecurityHeaders,
    Traced,
)
from functions.chat_http.version import VERSION
from shared.clock import utc_now
from shared.security.ratelimits import LocalHits, RateLimiter
from shared.services import Services, get_services
from shared.settings import Settings


def create_app(services: Services | None = None, *, now: Callable[[], datetime] = utc_now) -> FastAPI:
    """The app on these services; without any, on the process's own, which are made with the first request.

    The app closes the services it made itself when its lifespan ends; others are their maker's.
    """

    def provide() -> Services:
        return services or get_services()

    def settings() -> Settings:
        return provide().settings

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        provide()  # wrong settings are told at once
        yield
        if services is None:
            await provide().close()

    app = FastAPI(
        title="Support Agent",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # From the outermost to the innermost.
        middleware=[
            Middleware(Traced),
            Middleware(SecurityHeaders),
            Middleware(AllowedOrigins, settings=settings),
            Middleware(LastResort),
            Middleware(MessageLimit, settings=settings),
            Middleware(BodyLimit, settings=settings),
        ],
    )
    app.state.services = provide
    app.state.local_limiter = RateLimiter(LocalHits(), now)
    problems.install(app)
    app.include_router(sessions.router)
    app.include_router(facts.router)
    app.include_router(operators.router)
    app.include_router(helpdesk.router)
    app.include_router(analytics.router)
    app.include_router(health.router)
    pages.install(app)
    app.openapi = lambda: openapi.build(app)  # the hook that FastAPI documents for this
    return app
