"""A running turn as server-sent events, in AG-UI's words (https://docs.ag-ui.com/concepts/events).

A strict subset: RUN_STARTED, then TEXT_MESSAGE_START, _CONTENT (one for each verified sentence) and _END, CUSTOM
`sources`, CUSTOM `escalation`, and RUN_FINISHED; RUN_ERROR ends a turn that failed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import orjson
from starlette.responses import StreamingResponse

from functions.chat_http import problems
from functions.chat_http.schemas import Answer
from shared import ag_ui
from shared.ag_ui import Event
from shared.conversation.events import AnswerSentence, TurnAnswered, TurnFailed, TurnHandedToHuman
from shared.conversation.running import RunningTurn

logger = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"


def stream(turn: RunningTurn) -> StreamingResponse:
    """The turn's events, each sent as soon as it happens."""
    # A proxy that collects chunks (nginx does by default) would make a stream pointless.
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_encoded(turn), media_type=MEDIA_TYPE, headers=headers)


async def _encoded(turn: RunningTurn) -> AsyncIterator[bytes]:
    try:
        async for event in _events(turn):
            yield _line(event)
    except Exception:
        # The status was sent long ago: an error can only be told as an event.
        logger.exception("stream failed")
        yield _line(_error(RuntimeError()))


async def _events(turn: RunningTurn) -> AsyncIterator[Event]:
    thread_id, run_id, message_id = turn.message.session_id, turn.message.id, turn.answer_id
    yield ag_ui.run_started(thread_id, run_id)
    writing = False
    async for event in turn.events():
        match event:
            case AnswerSentence(text):
                if not writing:
                    writing = True
                    yield ag_ui.text_start(message_id, "assistant")
                yield ag_ui.text_content(message_id, text)
            case TurnAnswered(message):
                answer = Answer.of(message, turn.message)
                if writing:
                    yield ag_ui.text_end(message_id)
                if answer.sources:
                    yield ag_ui.custom("sources", [source.model_dump() for source in answer.sources])
                if answer.ticket_id:
                    yield ag_ui.custom("escalation", {"ticket_id": answer.ticket_id})
                yield _finished(thread_id, run_id, answer)
            case TurnHandedToHuman():
                if writing:
                    yield ag_ui.text_end(message_id)
                yield _finished(thread_id, run_id, Answer.by_a_person(turn.message))
            case TurnFailed(error):
                if writing:
                    yield ag_ui.text_end(message_id)
                yield _error(error)
            case _:
                pass  # sources and ticket are told with the answer, once it is stored


def _finished(thread_id: str, run_id: str, answer: Answer) -> Event:
    """`result` is the JSON answer without what was streamed before it."""
    result = answer.model_dump(exclude={"message", "sources", "usage"})
    return ag_ui.run_finished(thread_id, run_id, result, **answer.usage.model_dump())


def _error(error: Exception) -> Event:
    return ag_ui.run_error(problems.detail_of(error), problems.kind_of(error).name)


def _line(event: Event) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(event)
