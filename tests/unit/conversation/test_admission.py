"""Who is let in, who waits and who is sent away."""

import asyncio

import pytest

from shared.conversation.admission import Admission
from shared.errors import Overloaded

LONG = 3600
"""Seconds of patience that no test uses up."""


async def test_as_many_as_there_are_places_are_let_in_at_once() -> None:
    admission = Admission(2, LONG)
    await admission.enter()
    await admission.enter()


async def test_who_waits_gets_the_place_that_becomes_free() -> None:
    admission = Admission(1, LONG)
    await admission.enter()
    order: list[int] = []

    async def enter(number: int) -> None:
        await admission.enter()
        order.append(number)
        admission.leave()

    waiting = asyncio.create_task(enter(1))
    await asyncio.sleep(0)
    assert order == []
    admission.leave()
    await waiting
    await enter(2)
    assert order == [1, 2]


async def test_beyond_those_that_wait_nobody_waits() -> None:
    admission = Admission(1, LONG)
    await admission.enter()
    waiting = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)

    with pytest.raises(Overloaded) as refused:
        await admission.enter()

    assert refused.value.retry_after >= 1
    admission.leave()
    await waiting


async def test_nobody_waits_without_end_and_then_it_goes_on() -> None:
    admission = Admission(1, 0)
    await admission.enter()
    for _ in range(3):
        with pytest.raises(Overloaded):
            await admission.enter()
    admission.leave()
    await admission.enter()


async def test_who_gives_up_waiting_takes_no_place() -> None:
    admission = Admission(1, LONG)
    await admission.enter()
    waiting = asyncio.create_task(admission.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    admission.leave()
    await admission.enter()
