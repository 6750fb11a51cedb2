import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import islice

import pytest

from benchmarks.load import is_saturated, recovery, saturation
from benchmarks.open_loop import Customers, Stage, Turn, questions


def stage(*turns: Turn, rate: float = 2, seconds: float = 2) -> Stage:
    return Stage(rate, seconds, list(turns))


def answered(begun: float, seconds: float = 0.1) -> Turn:
    return Turn(begun, seconds, "answered")


def shed(begun: float) -> Turn:
    return Turn(begun, 0.01, "shed")


def test_only_answers_that_came_in_time_are_throughput() -> None:
    assert stage(answered(0), answered(1), answered(1.9, 0.2), shed(1)).throughput == 1


def test_refusals_are_no_errors_and_everything_else_is() -> None:
    assert stage(answered(0), shed(1), Turn(1, 0, "500"), Turn(1, 0, "TimeoutError")).errors == 2


def test_percentiles_are_of_answers_alone() -> None:
    assert stage(*(answered(0, n / 10) for n in range(1, 11)), Turn(0, 60, "TimeoutError")).latency(0.9) == 0.9
    assert stage(shed(0)).latency(0.5) == float("inf")


@pytest.mark.parametrize(
    ("turns", "saturated"),
    [
        ([answered(0), answered(0.5), answered(1), answered(1.5)], False),
        ([answered(0), answered(0.5), answered(1), shed(1.5)], True),
        ([answered(0), answered(0.5), answered(1, 5), answered(1.5, 5)], True),
        ([answered(0), answered(1)], True),
    ],
)
def test_saturated_is_what_falls_behind_refuses_or_is_slow(turns: list[Turn], saturated: bool) -> None:
    assert is_saturated(stage(*turns)) is saturated


def test_saturation_is_the_most_that_was_answered() -> None:
    assert saturation([stage(answered(0)), stage(answered(0), answered(1)), stage(shed(0))]) == 1


def test_recovered_is_when_three_seconds_in_a_row_are_calm() -> None:
    turns = [answered(0, 3), shed(1), answered(2), answered(3), answered(4, 3), *map(answered, (5, 6, 7, 8))]
    assert recovery(turns, calm=0.5) == 5
    assert recovery(turns[:5], calm=0.5) == float("inf")


def test_questions_repeat_after_thousands() -> None:
    first = list(islice(questions(), 2_000))
    assert len(set(first)) == 2_000


type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(*answers: bytes) -> Handler:
    """A server that opens conversations, and gives these answers to messages, the last one for good."""
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(size)
                if b"/messages" in head:
                    assert b"Authorization: Bearer t" in head
                    writer.write(left.pop(0) if len(left) > 1 else left[0])
                else:
                    body = json.dumps({"session_id": "s", "token": "t"}).encode()
                    writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        except asyncio.IncompleteReadError:
            writer.close()

    return handle


STREAMED = (
    b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\n16\r\n{"type":"RUN_FINISHED"\r\n0\r\n\r\n'
)
FAILED = b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n13\r\n{"type":"RUN_ERROR"\r\n0\r\n\r\n'
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\ncontent-length: 0\r\n\r\n"
WITHOUT = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


async def test_what_becomes_of_each_turn_is_told() -> None:
    answers = (STREAMED, REFUSED, WITHOUT, BROKEN, FAILED, STREAMED)
    server = await asyncio.start_server(answering(*answers), "127.0.0.1", 0)
    customers = Customers([server.sockets[0].getsockname()[1]])
    await customers.open_conversations(2)
    stage = await customers.offer(rate=400, seconds=0.1)
    customers.close()
    server.close()

    told = stage.outcomes
    assert told.pop("answered") == len(stage.turns) - 4
    assert told == {"shed": 1, "503 without Retry-After": 1, "500": 1, "RUN_ERROR": 1}
