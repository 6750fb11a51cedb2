"""A language model that takes no time: OpenAI-compatible chat completions, streamed and not, for both sides alike.

python -m benchmarks.mock_model PORT. It answers with the last whole sentence that it was given to read before the
question, and with the number of the passage, where passages have numbers; so the answer rests on a document. For a
question it is asked to word anew, it is the question.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MODEL = "mock"
_SENTENCE = re.compile(r"[A-Z][^.!?\"\\\n|*#\[\]]{30,200}[a-z]\.(?=[\s\"\\]|$)")
_NUMBER = re.compile(r'"n": (\d+)')
NOTHING = "I do not know."


def answer(messages: list[dict[str, Any]]) -> str:
    """A sentence of what was said before the last message."""
    *before, last = [_text(message) for message in messages]
    told = "\n".join(before) or last
    found = list(_SENTENCE.finditer(told))
    if not found:
        return last.strip().splitlines()[-1][:200] if last.strip() else NOTHING
    sentence = found[-1]
    numbers = _NUMBER.findall(told, 0, sentence.start())
    return f"{sentence[0].removesuffix('.')} [{numbers[-1]}]." if numbers else sentence[0]


def _text(message: dict[str, Any]) -> str:
    """Its content may come in parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


async def completions(request: Request) -> Response:
    asked = await request.json()
    said = answer(asked["messages"])
    common = {"id": "chatcmpl-mock", "created": 0, "model": asked["model"]}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return JSONResponse({**common, "object": "chat.completion", "choices": [choice], "usage": usage})

    async def chunks() -> AsyncIterator[str]:
        # A word each, as models do.
        for delta in [
            {"role": "assistant", "content": ""},
            *({"content": word} for word in re.findall(r"\S+\s*", said)),
        ]:
            yield _event({**common, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        yield _event({**common, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (asked.get("stream_options") or {}).get("include_usage"):
            yield _event({**common, "choices": [], "usage": usage})
        yield "data: [DONE]\n\n"

    return StreamingResponse(chunks(), media_type="text/event-stream")


def _event(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps({**chunk, 'object': 'chat.completion.chunk'})}\n\n"


app = Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
