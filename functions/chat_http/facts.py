"""Routes of a customer's facts: what they asked to have remembered, to be read, corrected and forgotten by them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from functions.chat_http import schemas
from functions.chat_http.access import Provided, session_call
from functions.chat_http.bodies import json_only
from functions.chat_http.problems import documented
from shared.telemetry import log_context

router = APIRouter(prefix="/chat/sessions/{session_id}/facts", tags=["customer facts"])

FactCall = Annotated[str, session_call("actions")]
FactId = Annotated[str, Path(min_length=1, max_length=64, description="A fact's `id`.")]


@router.get("", operation_id="facts", responses=documented(401, 403, 404, 429, 500, 503))
async def facts(session_id: FactCall, services: Provided) -> schemas.Facts:
    """What is remembered about this customer, oldest first."""
    remembered = await services.conversations.facts(session_id)
    return schemas.Facts(facts=[schemas.Fact.model_validate(fact) for fact in remembered])


@router.put(
    "/{fact_id}",
    operation_id="correctFact",
    dependencies=[json_only],
    responses=documented(400, 401, 403, 404, 413, 415, 422, 429, 500, 503),
)
async def correct_fact(
    session_id: FactCall, fact_id: FactId, body: schemas.CorrectFact, services: Provided
) -> schemas.Fact:
    """Let a fact say something else."""
    with log_context(session_id=session_id):
        corrected = await services.conversations.correct_fact(session_id, fact_id, body.text)
    return schemas.Fact.model_validate(corrected)


@router.delete(
    "/{fact_id}", status_code=204, operation_id="forgetFact", responses=documented(401, 403, 404, 422, 429, 500, 503)
)
async def forget_fact(session_id: FactCall, fact_id: FactId, services: Provided) -> None:
    """Forget one fact. Doing it again is no error."""
    with log_context(session_id=session_id):
        await services.conversations.forget_fact(session_id, fact_id)
