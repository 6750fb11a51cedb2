"""Events of AG-UI 1.0 (https://docs.ag-ui.com/concepts/events), as far as they are used here, as JSON objects.

`ag-ui-protocol` has types for all that there are, which take a seventh of a second to import. The tests read with them
what is told here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

type Event = Mapping[str, Any]


def run_started(thread_id: str, run_id: str) -> Event:
    return {"type": "RUN_STARTED", "threadId": thread_id, "runId": run_id}


def text_start(message_id: str, role: Literal["user", "assistant"], name: str | None = None) -> Event:
    event = {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": role}
    return event if name is None else event | {"name": name}


def text_content(message_id: str, delta: str) -> Event:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta}


def text_end(message_id: str) -> Event:
    return {"type": "TEXT_MESSAGE_END", "messageId": message_id}


def custom(name: str, value: Any) -> Event:
    """`value` is JSON."""
    return {"type": "CUSTOM", "name": name, "value": value}


def run_finished(
    thread_id: str, run_id: str, result: Mapping[str, Any], *, input_tokens: int, output_tokens: int, total_tokens: int
) -> Event:
    usage = {"inputTokens": input_tokens, "outputTokens": output_tokens, "totalTokens": total_tokens}
    return {"type": "RUN_FINISHED", "threadId": thread_id, "runId": run_id, "result": result, "usage": [usage]}


def run_error(message: str, code: str) -> Event:
    return {"type": "RUN_ERROR", "message": message, "code": code}
