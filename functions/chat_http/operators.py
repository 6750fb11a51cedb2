"""Routes of operators: signing in, and erasing a customer."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path

from functions.chat_http import schemas
from functions.chat_http.access import Admin, Provided, limited, operators_only
from functions.chat_http.bodies import json_only
from functions.chat_http.problems import documented
from shared.errors import Unauthenticated
from shared.security.passwords import DUMMY_HASH, verify_password

logger = logging.getLogger(__name__)

router = APIRouter(tags=["operators"])


@router.post(
    "/auth/login",
    operation_id="login",
    dependencies=[limited("logins", lambda settings: settings.logins_per_minute), json_only],
    responses=documented(400, 401, 413, 415, 422, 429, 500, 503),
)
async def login(body: schemas.Login, services: Provided) -> schemas.OperatorToken:
    """Sign in. `python -m tools.create_operator` makes the account."""
    operator = await services.store.operator(body.username)
    password_hash = operator.password_hash if operator else DUMMY_HASH
    matches = await asyncio.to_thread(verify_password, password_hash, body.password)
    if not (operator and matches):
        logger.warning("login refused")
        raise Unauthenticated("The username or the password is wrong.")
    token, expires_at = services.tokens.issue_operator(operator.username)
    logger.info("login", extra={"operator": operator.username})
    return schemas.OperatorToken(
        access_token=token, expires_at=expires_at, display_name=operator.display_name, role=operator.role
    )


@router.delete(
    "/customers/{user_id:path}",
    operation_id="eraseCustomer",
    dependencies=operators_only,
    responses=documented(401, 403, 422, 429, 500, 503),
)
async def erase_customer(
    user_id: Annotated[str, Path(min_length=1, description="As in `POST /chat/sessions`.")],
    operator: Admin,
    services: Provided,
) -> schemas.Erasure:
    """Erase every conversation, ticket and remembered fact of a customer. Every store is asked afterwards what is left;
    the answer is the receipt."""
    receipt = await services.erasure.customer(user_id)
    logger.info("customer erased", extra={"operator": operator.username, **asdict(receipt.erased)})
    return schemas.Erasure.of(receipt)
