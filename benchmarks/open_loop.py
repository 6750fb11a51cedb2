"""Customers who come at a rate, however long others have to wait.

Each turn has a moment at which it is meant to begin, and its time counts from there: a server that falls behind is not
spared the requests that it keeps waiting ("coordinated omission", https://www.scylladb.com/2021/04/22/on-coordinated-omission/).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import percentile

QUESTIONS = Path(__file__).resolve().parents[1] / "samples" / "questions.jsonl"
OPENERS = ("", "Just wondering, ", "Quick question: ", "Before I order, ", "For a friend: ", "I could not find this, ")
CLOSERS = ("", " Thank you.", " Thanks!", " Please be brief.", " I am in a hurry.", " Kind regards, Ada.")
PER_CONVERSATION = 5
PATIENCE = 60
"""Seconds until a turn without an answer is an error."""
KEPT_OPEN = 20
"""Seconds that an idle connection is used again; the server closes it after 60."""
SEED = 20_260_301


@dataclass(frozen=True, slots=True)
class Turn:
    """`begun` in seconds since the stage began, as meant; `seconds` from there to the last byte. `outcome` is
    `answered`, `shed` (429 or 503 with Retry-After), or what went wrong."""

    begun: float
    seconds: float
    outcome: str


@dataclass(slots=True)
class Stage:
    """Turns offered at one rate for so many seconds, in the order of their beginning once all have ended."""

    rate: float
    seconds: float
    turns: list[Turn] = field(default_factory=list[Turn])

    @property
    def answered(self) -> list[Turn]:
        return [turn for turn in self.turns if turn.outcome == "answered"]

    @property
    def throughput(self) -> float:
        """Answers a second, as far as they came while turns were offered."""
        return sum(turn.begun + turn.seconds <= self.seconds for turn in self.answered) / self.seconds

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(turn.outcome for turn in self.turns)

    @property
    def errors(self) -> int:
        return sum(turn.outcome not in ("answered", "shed") for turn in self.turns)

    def latency(self, share: float) -> float:
        """That percentile of the answers, in seconds; infinite if there are none."""
        return percentile((turn.seconds for turn in self.answered), share) if self.answered else float("inf")


def questions() -> Iterator[str]:
    """Without end. They repeat after thousands, long after the app's caches have dropped them."""
    asked = [json.loads(line)["question"] for line in QUESTIONS.read_text("utf-8").splitlines()]
    return itertools.cycle(
        f"{opener}{question}{closer}" for closer in CLOSERS for opener in OPENERS for question in asked
    )


class Customers:
    """Of the apps on these ports, one after the other. A conversation has so many turns, one at a time."""

    def __init__(self, ports: Sequence[int], *, per_conversation: int = PER_CONVERSATION) -> None:
        self._per_conversation = per_conversation
        self._ports = itertools.cycle(ports)
        self._lines: dict[int, list[_Line]] = {port: [] for port in ports}
        self._conversations: list[_Conversation] = []
        self._questions = questions()
        self._chance = random.Random(SEED)  # noqa: S311 - no secret

    async def offer(self, rate: float, seconds: float) -> Stage:
        """Returns when all of them have ended."""
        stage, running = Stage(rate, seconds), set[asyncio.Task[None]]()
        start, due = time.perf_counter(), 0.0
        while (due := due + self._chance.expovariate(rate)) < seconds:
            if (early := due - (time.perf_counter() - start)) > 0:
                await asyncio.sleep(early)
            task = asyncio.create_task(self._turn(stage, start, due))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        stage.turns.sort(key=lambda turn: turn.begun)
        return stage

    async def open_conversations(self, count: int) -> None:
        for _ in range(count):
            self._conversations.append(await self._opened())

    def close(self) -> None:
        for line in itertools.chain.from_iterable(self._lines.values()):
            line.close()

    async def _turn(self, stage: Stage, start: float, due: float) -> None:
        conversation = None
        try:
            async with asyncio.timeout(PATIENCE):
                conversation = self._conversations.pop(0) if self._conversations else await self._opened()
                outcome = await self._ask(conversation, next(self._questions))
        except _Refused:
            outcome = "shed"
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            outcome = type(error).__name__
        stage.turns.append(Turn(due, time.perf_counter() - start - due, outcome))
        if conversation and outcome in ("answered", "shed"):
            conversation.turns += outcome == "answered"
            if conversation.turns < self._per_conversation:
                self._conversations.append(conversation)

    async def _ask(self, conversation: _Conversation, question: str) -> str:
        path = f"/chat/sessions/{conversation.id}/messages"
        status, head, body = await self._post(path, {"message": question}, conversation.token)
        if status in (429, 503):
            return "shed" if b"\r\nretry-after:" in head.lower() else f"{status} without Retry-After"
        if status != 200:
            return str(status)
        return "answered" if b'"RUN_FINISHED"' in body else "RUN_ERROR" if b'"RUN_ERROR"' in body else "cut off"

    async def _opened(self) -> _Conversation:
        status, head, body = await self._post("/chat/sessions", {}, "")
        if status in (429, 503) and b"\r\nretry-after:" in head.lower():
            raise _Refused
        if status != 201:
            raise ValueError(f"no conversation: {status}")
        told = json.loads(body)
        return _Conversation(told["session_id"], told["token"])

    async def _post(self, path: str, body: object, token: str) -> tuple[int, bytes, bytes]:
        port = next(self._ports)
        line = self._idle(port) or await _Line.open(port)
        try:
            answer = await line.post(path, json.dumps(body).encode(), token)
        except BaseException:
            line.close()
            raise
        self._lines[port].append(line)
        return answer

    def _idle(self, port: int) -> _Line | None:
        """One that the server will not close in this moment, because it was not used for long."""
        lines = self._lines[port]
        while lines and time.perf_counter() - lines[0].used > KEPT_OPEN:
            lines.pop(0).close()
        return lines.pop() if lines else None


class _Refused(Exception):
    """No conversation now, but later."""


@dataclass(slots=True)
class _Conversation:
    id: str
    token: str
    turns: int = 0


class _Line:
    """One connection, and as little as HTTP/1.1 needs: it takes its processor time from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.used = time.perf_counter()

    @classmethod
    async def open(cls, port: int) -> _Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, path: str, body: bytes, token: str) -> tuple[int, bytes, bytes]:
        """Status, head and body."""
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Accept: text/event-stream\r\n{authorization}Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answered = await self._reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in answered.split(b"\r\n")[1:] if b": " in line)
        if b"content-length" in fields:
            content = await self._reader.readexactly(int(fields[b"content-length"]))
        else:
            chunks: list[bytes] = []
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                chunks.append((await self._reader.readexactly(size + 2))[:-2])
            await self._reader.readexactly(2)
            content = b"".join(chunks)
        self.used = time.perf_counter()
        return int(answered[9:12]), answered, content

    def close(self) -> None:
        self._writer.close()
