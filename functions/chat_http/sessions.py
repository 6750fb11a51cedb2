"""Routes of a conversation: everything a customer's client calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from functions.chat_http import schemas, sse
from functions.chat_http.access import Provided, known_customer, limited, session_call
from functions.chat_http.bodies import JSON, MULTIPART, URLENCODED, json_only, read_message
from functions.chat_http.problems import documented
from shared.escalation.ticket import Status
from shared.memory.models import Conversation
from shared.services import Services
from shared.telemetry import log_context

router = APIRouter(prefix="/chat/sessions", tags=["conversations"])

# What a client does in a conversation is counted apart, so that polling does not use up its messages.
MessageCall = Annotated[str, session_call("messages")]
ReadCall = Annotated[str, session_call("reads")]
ActionCall = Annotated[str, session_call("actions")]
NegotiationCall = Annotated[str, session_call("negotiations")]
TypingCall = Annotated[str, session_call("typing")]

MessageId = Annotated[str, Path(description="An answer's `message_id`.")]
After = Annotated[int, Query(ge=0, le=2**53 - 1, description="The `seq` of the newest message you have.")]

_EVENTS = """data: {"type":"RUN_STARTED","threadId":"4f0c…","runId":"m-01"}

data: {"type":"TEXT_MESSAGE_START","messageId":"a-01","role":"assistant"}

data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"a-01","delta":"Choose Forgot password on the sign-in page. [1]"}

data: {"type":"TEXT_MESSAGE_END","messageId":"a-01"}

data: {"type":"CUSTOM","name":"sources","value":[{"id":"…","quote":"Choose Forgot password on the sign-in page."}]}

data: {"type":"RUN_FINISHED","threadId":"4f0c…","runId":"m-01","result":{"message_id":"a-01","seq":3}}

"""

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; as AG-UI events if the request accepts `text/event-stream`.",
        "content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EVENTS}},
    },
    202: {
        "model": schemas.Answer,
        "description": "A person owns the conversation: the message is stored, and answered by them.",
    },
}

_MESSAGE = schemas.SendMessage.model_json_schema()
_FILES = {
    "type": "array",
    "items": {"type": "string", "contentMediaType": "application/octet-stream"},
    "description": "PDF, Word, Excel, PowerPoint, text, Markdown, HTML or CSV files. `attachments[]` is accepted too.",
}
_MESSAGE_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": _MESSAGE},
        URLENCODED: {"schema": _MESSAGE},
        MULTIPART: {"schema": _MESSAGE | {"properties": _MESSAGE["properties"] | {"attachments": _FILES}}},
    },
}


@router.post(
    "",
    status_code=201,
    operation_id="startSession",
    dependencies=[limited("sessions", lambda settings: settings.sessions_per_minute), json_only],
    responses=documented(400, 401, 403, 413, 415, 422, 429, 500, 503),
)
async def start_session(
    services: Provided, body: Annotated[schemas.StartSession | None, Body()] = None
) -> schemas.SessionStarted:
    """Open a conversation. The body may be left out."""
    opening = body or schemas.StartSession()
    customer, verified = await known_customer(services, opening.user_id, opening.identity_token)
    conversation, greeting = await services.conversations.start(
        customer,
        verified=verified,
        filters=opening.filters.model_dump(exclude_none=True) if opening.filters else None,
    )
    return schemas.SessionStarted(
        session_id=conversation.session_id,
        thread_id=conversation.session_id,
        token=services.tokens.issue_session(conversation.session_id, conversation.expires_at),
        expires_at=conversation.expires_at,
        message=greeting.text,
    )


@router.post(
    "/{session_id}/messages",
    operation_id="sendMessage",
    response_model=schemas.Answer,
    responses=_ANSWERS | documented(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503),
    openapi_extra={"requestBody": _MESSAGE_BODY},
)
async def send_message(
    session_id: MessageCall, request: Request, response: Response, services: Provided
) -> schemas.Answer | StreamingResponse:
    """Say something, and get the answer: as JSON, or sentence by sentence with `Accept: text/event-stream`.

    The answer is stored also when the client goes away before it has it.
    """
    incoming, uploads = await read_message(request)
    with log_context(session_id=session_id):
        turn = await services.conversations.begin_turn(
            session_id, incoming.message, uploads=uploads, client_message_id=incoming.client_message_id
        )
        if sse.MEDIA_TYPE in request.headers.get("accept", "").lower():
            return sse.stream(turn)
        answer = await turn.result()
    if answer is None:
        response.status_code = 202
        return schemas.Answer.by_a_person(turn.message)
    return schemas.Answer.of(answer, turn.message)


@router.get(
    "/{session_id}/messages",
    operation_id="newMessages",
    responses=documented(401, 403, 404, 422, 429, 500, 503),
)
async def new_messages(session_id: ReadCall, services: Provided, after: After = 0) -> schemas.NewMessages:
    """What is new: replies of a person, or the answer that a cut stream did not bring."""
    conversation, messages = await services.conversations.history(session_id, after=after)
    return schemas.NewMessages(
        owner=conversation.owner,
        ticket_id=conversation.ticket_id,
        ticket_status=await _ticket_status(services, conversation),
        messages=[schemas.Message.of(m) for m in messages],
    )


@router.get("/{session_id}/history", operation_id="history", responses=documented(401, 403, 404, 429, 500, 503))
async def history(session_id: ReadCall, services: Provided) -> schemas.History:
    """The whole conversation."""
    conversation, messages = await services.conversations.history(session_id)
    return schemas.History(
        session_id=conversation.session_id,
        user_id=conversation.user_id,
        created_at=conversation.created_at,
        expires_at=conversation.expires_at,
        owner=conversation.owner,
        ticket_id=conversation.ticket_id,
        ticket_status=await _ticket_status(services, conversation),
        messages=[schemas.Message.of(m) for m in messages],
    )


async def _ticket_status(services: Services, conversation: Conversation) -> Status | None:
    if conversation.ticket_id is None:
        return None
    return (await services.store.ticket(conversation.ticket_id, conversation.session_id)).status


@router.post("/{session_id}/negotiate", operation_id="negotiate", responses=documented(401, 403, 404, 429, 500, 503))
async def negotiate(session_id: NegotiationCall, services: Provided) -> schemas.Negotiated:
    """Where to connect with a WebSocket: what `GET …/messages` would find is pushed there as soon as it is stored.

    404 of the type `no-push-channel` where there is none: poll then, as while the connection is lost.
    """
    return schemas.Negotiated.model_validate(await services.conversations.client_url(session_id))


@router.post(
    "/{session_id}/typing",
    status_code=204,
    operation_id="customerTypes",
    responses=documented(401, 403, 404, 429, 500, 503),
)
async def customer_types(session_id: TypingCall, services: Provided) -> None:
    """The customer is writing: call it every few seconds meanwhile. People of the company see it, if they look."""
    await services.conversations.typing(session_id)


@router.post(
    "/{session_id}/escalate",
    operation_id="escalate",
    dependencies=[json_only],
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503),
)
async def escalate(
    session_id: ActionCall, services: Provided, body: Annotated[schemas.Escalate | None, Body()] = None
) -> schemas.Message:
    """Ask for a person. The answer is the notice that the customer sees, with its `ticket_id`."""
    with log_context(session_id=session_id):
        notice = await services.conversations.escalate(session_id, comment=body.comment if body else "")
    return schemas.Message.of(notice)


@router.post(
    "/{session_id}/messages/{message_id}/feedback",
    operation_id="giveFeedback",
    dependencies=[json_only],
    responses=documented(400, 401, 403, 404, 413, 415, 422, 429, 500, 503),
)
async def give_feedback(
    session_id: ActionCall, message_id: MessageId, body: schemas.GiveFeedback, services: Provided
) -> schemas.Message:
    """Rate an answer. A later rating replaces an earlier one."""
    with log_context(session_id=session_id):
        rated = await services.conversations.give_feedback(session_id, message_id, body.rating, body.comment)
    return schemas.Message.of(rated)


@router.post("/{session_id}/token", operation_id="refreshToken", responses=documented(401, 403, 404, 429, 500, 503))
async def refresh_token(session_id: ActionCall, services: Provided) -> schemas.SessionToken:
    """A new token for the same conversation, valid as long as the conversation is."""
    conversation = await services.store.get(session_id)
    token = services.tokens.issue_session(session_id, conversation.expires_at)
    return schemas.SessionToken(token=token, expires_at=conversation.expires_at)


@router.delete("/{session_id}", operation_id="eraseSession", responses=documented(401, 403, 404, 429, 500, 503))
async def erase_session(session_id: ActionCall, services: Provided) -> schemas.Erasure:
    """Erase the conversation with all it holds. Doing it again is no error, and erases nothing. Every store is asked
    afterwards what is left; the answer is the receipt."""
    with log_context(session_id=session_id):
        return schemas.Erasure.of(await services.erasure.session(session_id))
