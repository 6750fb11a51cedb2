"""Routes of operators who work on tickets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from functions.chat_http import schemas
from functions.chat_http.access import Provided, SignedIn, operators_only
from functions.chat_http.bodies import json_only
from functions.chat_http.problems import documented
from shared.escalation.events.event import Transcript

router = APIRouter(prefix="/helpdesk/tickets", tags=["helpdesk"], dependencies=operators_only)

TicketId = Annotated[str, Path(max_length=64, description="A ticket's `id`.")]
_READING = documented(401, 403, 404, 422, 429, 500, 503)
_CHANGING = documented(401, 403, 404, 409, 422, 429, 500, 503)
_WRITING = documented(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)


@router.get("", operation_id="listTickets", responses=documented(401, 403, 422, 429, 500, 503))
async def list_tickets(wanted: Annotated[schemas.WantedTickets, Query()], services: Provided) -> schemas.Tickets:
    """Tickets, oldest first."""
    found = await services.helpdesk.tickets(
        statuses=wanted.status, team=wanted.team, assignee=wanted.assignee, after=wanted.after, limit=wanted.limit
    )
    return schemas.Tickets(tickets=[schemas.Ticket.model_validate(ticket) for ticket in found])


@router.get("/{ticket_id}", operation_id="readTicket", responses=_READING)
async def read_ticket(ticket_id: TicketId, services: Provided) -> schemas.TicketFile:
    """A ticket with its conversation and what is remembered about the customer."""
    return schemas.TicketFile.of(await services.helpdesk.open(ticket_id))


@router.get("/{ticket_id}/transcript", operation_id="readTranscript", responses=_READING)
async def read_transcript(ticket_id: TicketId, services: Provided) -> Transcript:
    """The whole conversation of a ticket: as it was when it was handed over, if it was too long for the ticket's event;
    else as it is now."""
    return await services.escalation.transcript(ticket_id)


@router.post("/{ticket_id}/claim", operation_id="claimTicket", responses=_CHANGING)
async def claim_ticket(ticket_id: TicketId, operator: SignedIn, services: Provided) -> schemas.Ticket:
    """Take a ticket and its conversation: the bot is silent from now on, and the customer is told who came.

    409 with Retry-After while the bot finishes an answer.
    """
    return schemas.Ticket.model_validate(await services.helpdesk.claim(operator, ticket_id))


@router.post(
    "/{ticket_id}/replies", status_code=201, operation_id="reply", dependencies=[json_only], responses=_WRITING
)
async def reply(
    ticket_id: TicketId, body: schemas.SendReply, operator: SignedIn, services: Provided
) -> schemas.Message:
    """Answer the customer, who sees it in the chat with your display name. Claim the ticket first."""
    message = await services.helpdesk.reply(operator, ticket_id, body.message, client_message_id=body.client_message_id)
    return schemas.Message.of(message)


@router.post("/{ticket_id}/negotiate", operation_id="negotiateTicket", responses=_READING)
async def negotiate(ticket_id: TicketId, services: Provided) -> schemas.Negotiated:
    """Where to connect with a WebSocket, to hear at once what happens in a ticket's conversation.

    404 of the type `no-push-channel` where there is none.
    """
    return schemas.Negotiated.model_validate(await services.helpdesk.client_url(ticket_id))


@router.post("/{ticket_id}/typing", status_code=204, operation_id="operatorTypes", responses=_CHANGING)
async def operator_types(ticket_id: TicketId, operator: SignedIn, services: Provided) -> None:
    """You are writing: call it every few seconds meanwhile. The customer sees it. Claim the ticket first."""
    await services.helpdesk.typing(operator, ticket_id)


@router.put("/{ticket_id}/status", operation_id="setTicketStatus", dependencies=[json_only], responses=_WRITING)
async def set_status(
    ticket_id: TicketId, body: schemas.SetStatus, operator: SignedIn, services: Provided
) -> schemas.Ticket:
    """Wait for the customer, give the ticket back, or resolve it. 409 for a step that is not possible."""
    return schemas.Ticket.model_validate(await services.helpdesk.set_status(operator, ticket_id, body.status))


@router.post("/{ticket_id}/resolve", operation_id="resolveTicket", responses=_CHANGING)
async def resolve_ticket(ticket_id: TicketId, operator: SignedIn, services: Provided) -> schemas.Ticket:
    """The customer is helped: the bot answers again. Doing it twice is no error."""
    return schemas.Ticket.model_validate(await services.helpdesk.resolve(operator, ticket_id))
