"""Conversations as they are stored, told step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

from shared.escalation.ticket import Reason, Resolution, Ticket
from shared.memory.models import (
    Conversation,
    ConversationRecord,
    Feedback,
    Message,
    Rating,
    Role,
    Scalar,
    Source,
)

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
LATER = START + timedelta(days=3)
"""When every conversation that began at START is over."""


class Story:
    """A conversation of 24 hours. Each step is a minute after the one before, or as long as `waits` says."""

    def __init__(self, session_id: str = "s1", *, start: datetime = START) -> None:
        self.at = start
        self._conversation = Conversation(session_id, f"session:{session_id}", start, start + timedelta(hours=24))
        self._messages: list[Message] = []
        self._tickets: list[Ticket] = []
        self._pause = timedelta(minutes=1)
        self._add("assistant", "Hello!", name="greeting")

    def lasts(self, **duration: float) -> Self:
        """Until it expires, from now on."""
        self._conversation = replace(self._conversation, expires_at=self.at + timedelta(**duration))
        return self

    def waits(self, **duration: float) -> Self:
        self._pause = timedelta(**duration)
        return self

    def asks(self, text: str = "How do I descale it?") -> Self:
        return self._add("user", text, name=f"m{len(self._messages)}")

    def answers(self, *documents: str, degraded: bool = False, attachment: str = "") -> Self:
        """Citing these documents; none: a courtesy."""
        about: list[dict[str, Scalar]] = [{"source": name, "title": name.upper()} for name in documents]
        if attachment:
            about.append({"source": attachment, "title": attachment, "attachment": True})
        sources = tuple(Source(f"c{i}", "Yes.", metadata, 0.2, "Yes.", 0, 4) for i, metadata in enumerate(about))
        return self._answer("Yes.", sources=sources, grounded=bool(sources), degraded=degraded)

    def abstains(self, *, degraded: bool = False) -> Self:
        return self._answer("I could not find an answer.", abstained=True, requires_escalation=True, degraded=degraded)

    def escalates(self, reason: Reason = "customer_request", *, due: timedelta | None = None) -> Self:
        """A notice with a ticket: the customer pressed the button."""
        self._add("assistant", "I have asked a colleague.", name=f"h{len(self._messages)}")
        return self._request(reason, self._messages[-1].id, due)

    def hands_over(self, reason: Reason) -> Self:
        """An answer with a ticket: because of what the customer wrote."""
        self.abstains()
        return self._request(reason, str(self._messages[-1].reply_to), None)

    def _request(self, reason: Reason, cause: str, due: timedelta | None) -> Self:
        ticket = Ticket(f"t{len(self._tickets)}", self._conversation.session_id, cause, reason, "…", self.at)
        routed = replace(ticket, status="open", due_at=self.at + due) if due is not None else ticket
        self._tickets.append(routed)
        return self

    def claims(self) -> Self:
        self._add("assistant", "Ada has joined.", name=f"n{len(self._messages)}")
        return self._change(status="claimed", claimed_at=self._tickets[-1].claimed_at or self.at)

    def replies(self, text: str = "Here is Ada.") -> Self:
        self._add("human_agent", text, name=f"r{len(self._messages)}", author="Ada")
        return self._change(replied_at=self._tickets[-1].replied_at or self.at)

    def gives_back(self) -> Self:
        self._add("assistant", "A colleague will take it.", name=f"n{len(self._messages)}")
        return self._change(status="open")

    def resolves(self, resolution: Resolution = "confirmed") -> Self:
        self._add("assistant", "Ada has closed it.", name=f"n{len(self._messages)}")
        return self._change(status="resolved", resolved_at=self.at, resolution=resolution)

    def rates(self, rating: Rating, place: int = -1) -> Self:
        """The newest message, or the one at this place."""
        self._step()
        self._messages[place] = replace(self._messages[place], feedback=Feedback(rating, "", self.at))
        return self

    def told(self) -> ConversationRecord:
        return ConversationRecord(self._conversation, tuple(self._messages), tuple(self._tickets))

    def _step(self) -> None:
        self.at += self._pause
        self._pause = timedelta(minutes=1)

    def _answer(self, text: str, **fields: object) -> Self:
        asked = next(message for message in reversed(self._messages) if message.role == "user")
        return self._add("assistant", text, name=f"a{len(self._messages)}", reply_to=asked.id, **fields)

    def _add(self, role: Role, text: str, *, name: str, **fields: object) -> Self:
        if self._messages:
            self._step()
        session_id, seq = self._conversation.session_id, len(self._messages) + 1
        self._messages.append(Message(name, session_id, role, text, self.at, seq=seq, **fields))  # pyright: ignore[reportArgumentType]
        self._conversation = replace(self._conversation, last_seq=seq)
        return self

    def _change(self, **changes: object) -> Self:
        self._tickets[-1] = replace(self._tickets[-1], **changes)  # pyright: ignore[reportArgumentType]
        return self
