from __future__ import annotations

from datetime import UTC, datetime

from shared.escalation.events.handoff import Story, hand_off
from shared.escalation.ticket import Ticket

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TICKET = Ticket(
    "tkt-1",
    "s1",
    "m1",
    "customer_request",
    "Where is it?",
    NOON,
    user_id="ada",
    status="open",
    category="delivery",
    priority="normal",
    team="support",
    due_at=NOON,
)


def test_of_a_conversation_that_was_erased_meanwhile_only_its_ticket_is_told() -> None:
    packet = hand_off(TICKET, Story())
    assert (packet.customer.id, packet.customer.user_id, packet.customer.verified) == ("session:s1", "ada", False)
    assert (packet.transcript, packet.customer_facts, packet.sources_tried, packet.attachments) == ((), (), (), ())
    assert packet.transcript_truncated
