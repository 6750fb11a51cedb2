"""Routes of admins who look at the numbers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from functions.chat_http import schemas
from functions.chat_http.access import Admin, Provided, operators_only
from functions.chat_http.problems import documented

router = APIRouter(prefix="/analytics", tags=["operators"], dependencies=operators_only)


@router.get("/summary", operation_id="analyticsSummary", responses=documented(400, 401, 403, 422, 429, 500, 503))
async def summary(wanted: Annotated[schemas.WantedPeriod, Query()], _: Admin, services: Provided) -> schemas.Summary:
    """Volumes, resolution, escalation, response times, satisfaction, unanswered questions and the use of documents."""
    return schemas.Summary.model_validate(await services.analytics.summary(wanted.since, wanted.until))
