"""Whether the app runs, can answer, and how its parts are; and its metrics.

Many monitors ask with HEAD, for the status alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import PurePath
from typing import Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from functions.chat_http.access import Provided, limit_health
from functions.chat_http.problems import documented
from functions.chat_http.version import BUILD, VERSION
from shared import telemetry
from shared.errors import Unavailable
from shared.services import Services

logger = logging.getLogger(__name__)

router = APIRouter(tags=["operation"], dependencies=[Depends(limit_health)])

TIMEOUT = 5
"""Seconds until a part that does not answer counts as not answering."""
RETRY_AFTER = 10

Status = Literal["healthy", "unhealthy"]


class Health(BaseModel):
    status: Literal["healthy"]
    version: str = Field(examples=["0.1.0"])
    build: str = Field(examples=["7e3ce0a4b1c2"], description="The commit that was packed; `source` if nothing was.")


class Component(BaseModel):
    status: Status


class Knowledge(Component):
    documents: int | None = Field(description="Documents that can be found; null if the index does not answer.")
    chunks: int | None = Field(description="Passages of these documents.")
    embedding_model: str


class ChatModel(BaseModel):
    provider: str


class Components(BaseModel):
    store: Component
    queue: Component
    documents: Component
    knowledge: Knowledge
    chat_model: ChatModel


class DetailedHealth(BaseModel):
    status: Literal["healthy", "degraded"]
    version: str
    components: Components


class Readiness(BaseModel):
    status: Literal["ready"]


class Liveness(BaseModel):
    status: Literal["alive"]


@router.head("/health", include_in_schema=False)
@router.head("/health/", include_in_schema=False)
@router.get("/health", include_in_schema=False)
@router.get("/health/", operation_id="health", responses=documented(429, 500))
async def health() -> Health:
    """The app answers."""
    return Health(status="healthy", version=VERSION, build=BUILD)


@router.head("/health/liveness", include_in_schema=False)
@router.get("/health/liveness", operation_id="liveness", responses=documented(429, 500))
async def liveness() -> Liveness:
    """The process works. Asks nothing else, so that a failing store does not restart the app."""
    return Liveness(status="alive")


@router.head("/health/readiness", include_in_schema=False)
@router.get("/health/readiness", operation_id="readiness", responses=documented(429, 500, 503))
async def readiness(services: Provided) -> Readiness:
    """Customers can be answered: store and knowledge are there.

    Not the queue, for tickets wait in the store until it is back; and not the documents, for the index has their text.
    """
    needed = ("store", "index")
    answers = await asyncio.gather(*(_pings(services, part) for part in needed))
    if missing := [part for part, answered in zip(needed, answers, strict=True) if not answered]:
        raise Unavailable(f"Not ready: {' and '.join(missing)} can not be used.", retry_after=RETRY_AFTER)
    return Readiness(status="ready")


@router.get("/health/detailed", operation_id="detailedHealth", responses=documented(429, 500))
async def detailed(services: Provided) -> DetailedHealth:
    """Each part by itself. `degraded`: at least one does not answer."""
    store, queue, documents, knowledge = await asyncio.gather(
        _pings(services, "store"),
        _pings(services, "queue"),
        _pings(services, "documents"),
        _knowledge(services),
    )
    components = Components(
        store=Component(status=_status(store)),
        queue=Component(status=_status(queue)),
        documents=Component(status=_status(documents)),
        knowledge=knowledge,
        chat_model=ChatModel(provider=services.settings.chat_provider),
    )
    healthy = store and queue and documents and knowledge.status == "healthy"
    return DetailedHealth(status="healthy" if healthy else "degraded", version=VERSION, components=components)


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}} | documented(429, 500),
)
async def metrics() -> Response:
    """The metrics of this process, in Prometheus' text format."""
    return Response(telemetry.prometheus_text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _pings(services: Services, part: Literal["store", "queue", "documents", "index"]) -> bool:
    async def ping() -> None:
        await getattr(services, part).ping()  # the first use builds it, which may fail too

    return await _answers(part, ping)


async def _answers(part: str, check: Callable[[], Awaitable[None]]) -> bool:
    """Whether a part answers in time. Why not is for the log, not for the caller."""
    try:
        async with asyncio.timeout(TIMEOUT):
            await check()
    except Exception:
        logger.exception("health check failed", extra={"component": part})
        return False
    return True


async def _knowledge(services: Services) -> Knowledge:
    counts: dict[str, int] = {}

    async def count() -> None:
        from shared.knowledge.index import DocumentStatus  # brings numpy, which a process may never need

        records = await services.index.records()
        counts["documents"] = sum(record.status is DocumentStatus.INDEXED for record in records)
        counts["chunks"] = await services.index.count()

    answered = await _answers("index", count)
    return Knowledge(
        status=_status(answered),
        documents=counts.get("documents"),
        chunks=counts.get("chunks"),
        # The name alone: a folder's path is of no use to a caller.
        embedding_model=PurePath(services.settings.embedding_model).name,
    )


def _status(answered: bool) -> Status:
    return "healthy" if answered else "unhealthy"
