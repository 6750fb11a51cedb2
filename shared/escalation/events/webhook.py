"""Posts events to a URL of the company, signed as https://www.standardwebhooks.com describes it.

The queue before it keeps what could not be delivered, brings it again, and sets it aside in the end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from shared.errors import NotFound, Unavailable
from shared.escalation.events.event import parse_event
from shared.escalation.events.formats import FORMATS, Format
from shared.memory.store import ConversationStore
from shared.security.signatures import sign
from shared.telemetry import webhook_deliveries

logger = logging.getLogger(__name__)

TIMEOUT = 15
"""Seconds for one delivery, from the first connection to the answer's head."""
MAX_RETRY_AFTER = 3600
"""Seconds of a wait that are believed."""

Outcome = Literal["delivered", "skipped", "erased"]


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """`key` signs (None: nothing is signed); `authorization` is the whole header of that name."""

    url: str
    format: Format = "cloudevents"
    key: bytes | None = None
    authorization: str | None = None


class Webhook:
    """One URL. Every delivery stands for itself: what comes twice is told apart by the receiver, by its id."""

    def __init__(self, target: WebhookTarget, store: ConversationStore, *, now: Callable[[], datetime]) -> None:
        self._target = target
        self._store = store
        self._now = now
        # Redirects would carry a customer's words to where nobody sent them.
        self._http = httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False)

    async def deliver(self, body: bytes) -> Outcome:
        """Post one published event. `skipped`: this format has no shape for it. `erased`: its conversation is gone, and
        what was erased is not passed on.

        Raises `Unavailable` for any answer but a 2xx, with the wait that it asks for; `InvalidInput` for what is no
        event.
        """
        event = parse_event(body)
        content = FORMATS[self._target.format](event, body)
        outcome: Outcome = "delivered"
        if content is None:
            outcome = "skipped"
        elif await self._erased(event.subject):
            outcome = "erased"
        else:
            await self._post(event.id, content.media_type, content.body)
        webhook_deliveries.add(1, {"outcome": outcome})
        logger.info("webhook", extra={"event_id": event.id, "outcome": outcome})
        return outcome

    async def close(self) -> None:
        await self._http.aclose()

    async def _erased(self, session_id: str) -> bool:
        try:
            await self._store.get(session_id, expired=True)
        except NotFound:
            return True
        return False

    async def _post(self, identifier: str, media_type: str, body: bytes) -> None:
        headers = self._headers(identifier, body) | {"Content-Type": media_type}
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                # The answer's body is never read: it is of no use, and of any length.
                self._http.stream("POST", self._target.url, content=body, headers=headers) as response,
            ):
                status, retry_after = response.status_code, response.headers.get("Retry-After", "")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            webhook_deliveries.add(1, {"outcome": "failed"})
            raise Unavailable(f"The webhook does not answer: {type(error).__name__}.") from error
        if not 200 <= status < 300:
            webhook_deliveries.add(1, {"outcome": "failed"})
            raise Unavailable(f"The webhook answered {status}.", retry_after=self._seconds(retry_after))

    def _headers(self, identifier: str, body: bytes) -> dict[str, str]:
        timestamp = int(self._now().timestamp())
        headers = {
            "User-Agent": "support-agent",
            # Zendesk makes no second ticket of a key: https://developer.zendesk.com/api-reference/ticketing/introduction
            "Idempotency-Key": identifier,
            "webhook-id": identifier,
            "webhook-timestamp": str(timestamp),
        }
        if self._target.key is not None:
            headers["webhook-signature"] = sign(self._target.key, identifier, timestamp, body)
        if self._target.authorization is not None:
            headers["Authorization"] = self._target.authorization
        return headers

    def _seconds(self, retry_after: str) -> float:
        """`Retry-After` is seconds or a date (RFC 9110 §10.2.3); 0 if it is neither."""
        if retry_after.isascii() and retry_after.isdigit():
            return min(float(retry_after), MAX_RETRY_AFTER)
        try:
            return min((parsedate_to_datetime(retry_after) - self._now()).total_seconds(), MAX_RETRY_AFTER)
        except (ValueError, TypeError, OverflowError):
            return 0
