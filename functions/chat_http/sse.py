"""A running turn as server-sent events, in AG-UI's words (https://docs.ag-ui.com/concepts/events).

A strict subset: RUN_STARTED, then TEXT_MESSAGE_START, _CONTENT (one for each verified sentence) and _END, CUSTOM
`sources`, CUSTOM `escalation`, and RUN_FINISHED; RUN_ERROR ends a turn that failed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from ag_ui.core import (
    BaseEvent,
    CustomEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
)
from ag_ui.encoder import EventEncoder
from starlette.responses import StreamingResponse

from functions.chat_http import problems
from functions.chat_http.schemas import Answer
from shared.conversation.events import AnswerSentence, TurnAnswered, TurnFailed, TurnHandedToHuman
from shared.conversation.running import RunningTurn

logger = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"


def stream(turn: RunningTurn) -> StreamingResponse:
    """The turn's events, each sent as soon as it happens."""
    # A proxy that collects chunks (nginx does by default) would make a stream pointless.
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_encoded(turn), media_type=MEDIA_TYPE, headers=headers)


async def _encoded(turn: RunningTurn) -> AsyncIterator[str]:
    encoder = EventEncoder()
    try:
        async for event in _events(turn):
            yield encoder.encode(event)
    except Exception:
        # The status was sent long ago: an error can only be told as an event.
        logger.exception("stream failed")
        yield encoder.encode(_error(RuntimeError()))


async def _events(turn: RunningTurn) -> AsyncIterator[BaseEvent]:
    thread_id, run_id, message_id = turn.message.session_id, turn.message.id, turn.answer_id
    yield RunStartedEvent(thread_id=thread_id, run_id=run_id)
    writing = False
    async for event in turn.events():
        match event:
            case AnswerSentence(text):
                if not writing:
                    writing = True
                    yield TextMessageStartEvent(message_id=message_id, role="assistant")
                yield TextMessageContentEvent(message_id=message_id, delta=text)
            case TurnAnswered(message):
                answer = Answer.of(message, turn.message)
                if writing:
                    yield TextMessageEndEvent(message_id=message_id)
                if answer.sources:
                    yield CustomEvent(name="sources", value=[source.model_dump() for source in answer.sources])
                if answer.ticket_id:
                    yield CustomEvent(name="escalation", value={"ticket_id": answer.ticket_id})
                yield _finished(thread_id, run_id, answer)
            case TurnHandedToHuman():
                if writing:
                    yield TextMessageEndEvent(message_id=message_id)
                yield _finished(thread_id, run_id, Answer.by_a_person(turn.message))
            case TurnFailed(error):
                if writing:
                    yield TextMessageEndEvent(message_id=message_id)
                yield _error(error)
            case _:
                pass  # sources and ticket are told with the answer, once it is stored


def _finished(thread_id: str, run_id: str, answer: Answer) -> RunFinishedEvent:
    """`result` is the JSON answer without what was streamed before it."""
    return RunFinishedEvent(
        thread_id=thread_id,
        run_id=run_id,
        result=answer.model_dump(exclude={"message", "sources", "usage"}),
        usage=[TokenUsage(**answer.usage.model_dump())],
    )


def _error(error: Exception) -> RunErrorEvent:
    return RunErrorEvent(message=problems.detail_of(error), code=problems.kind_of(error).name)
