"""What every `TicketQueue` must do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from shared.errors import Conflict, InvalidInput, NotFound
from shared.escalation.queue import ESCALATIONS, REQUESTS, DeadLetter, QueueMessage, ReceivedMessage, TicketQueue
from tests.contract.servicebus import FUTURE, NAMESPACE, SLACK, RealClock

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def clock(clock):
    clock.now = FUTURE
    return RealClock() if NAMESPACE else clock


def message(name: str, body: bytes = b"{}") -> QueueMessage:
    return QueueMessage(id=name, body=body)


def ids(received: Sequence[ReceivedMessage | DeadLetter]) -> list[str]:
    return [one.message.id for one in received]


async def test_a_message_arrives_as_it_was_sent(queue, clock):
    sent = QueueMessage(
        id="tkt-1",
        body='{"text":"grüße"}'.encode(),
        content_type="application/cloudevents+json",
        subject="ticket",
        correlation_id="session-1",
        properties={"team": "billing", "attempts": 2, "share": 0.5, "vip": True},
    )
    await queue.send(ESCALATIONS, sent)
    (received,) = await queue.receive(ESCALATIONS)
    assert received.message == sent
    assert received.queue == ESCALATIONS
    assert received.delivery_count == 1
    assert abs(received.enqueued_at - clock.now) <= SLACK
    assert abs((received.locked_until - clock.now) - timedelta(seconds=5)) <= SLACK


async def test_an_empty_queue_answers_at_once(queue):
    assert await queue.receive(REQUESTS, limit=10) == []
    assert await queue.dead_letters(REQUESTS) == []
    assert await queue.count_dead_letters(REQUESTS) == 0


async def test_oldest_first_and_no_more_than_asked_for(queue):
    for name in "abcde":
        await queue.send(REQUESTS, message(name))
    first, rest = await queue.receive(REQUESTS, limit=2), await queue.receive(REQUESTS, limit=10)
    assert ids(first) == ["a", "b"]
    assert ids(rest) == ["c", "d", "e"]
    numbers = [one.sequence_number for one in [*first, *rest]]
    assert numbers == sorted(set(numbers))
    assert len({one.lock_token for one in [*first, *rest]}) == 5


async def test_queues_are_apart(queue):
    await queue.send(REQUESTS, message("same"))
    await queue.send(ESCALATIONS, message("same"))
    assert ids(await queue.receive(REQUESTS, limit=5)) == ["same"]
    assert ids(await queue.receive(ESCALATIONS, limit=5)) == ["same"]


async def test_a_locked_message_is_hidden_and_a_completed_one_is_gone(queue, clock):
    await queue.send(REQUESTS, message("a"))
    (received,) = await queue.receive(REQUESTS)
    assert await queue.receive(REQUESTS) == []
    await queue.complete(received)
    await clock.sleep(6)
    assert await queue.receive(REQUESTS) == []
    assert await queue.dead_letters(REQUESTS) == []


async def test_a_lock_that_runs_out_delivers_again(queue, clock):
    await queue.send(REQUESTS, message("a"))
    (first,) = await queue.receive(REQUESTS)
    await clock.sleep(5)
    (second,) = await queue.receive(REQUESTS)
    assert second.delivery_count == 2
    assert second.lock_token != first.lock_token
    assert second.sequence_number == first.sequence_number


async def test_abandoned_comes_back_at_once_and_before_newer_ones(queue):
    await queue.send(REQUESTS, message("a"))
    await queue.send(REQUESTS, message("b"))
    (first,) = await queue.receive(REQUESTS)
    await queue.abandon(first)
    again = await queue.receive(REQUESTS, limit=2)
    assert [(one.message.id, one.delivery_count) for one in again] == [("a", 2), ("b", 1)]


@pytest.mark.parametrize("settle", ["complete", "abandon", "dead_letter"])
async def test_who_lost_the_lock_can_no_longer_settle(queue, clock, settle):
    async def try_to_settle(received: ReceivedMessage) -> None:
        more = {"reason": "late"} if settle == "dead_letter" else {}
        with pytest.raises(Conflict):
            await getattr(queue, settle)(received, **more)

    await queue.send(REQUESTS, message("a"))
    (first,) = await queue.receive(REQUESTS)
    await clock.sleep(6)
    await try_to_settle(first)  # the lock ran out
    (second,) = await queue.receive(REQUESTS)
    await try_to_settle(first)  # somebody else has it
    await queue.complete(second)
    await try_to_settle(second)  # settled before
    assert await queue.dead_letters(REQUESTS) == []


async def test_a_dead_letter_says_why_and_waits_for_a_person(queue, clock):
    sent = QueueMessage("bad", b"no json", subject="ticket", correlation_id="s1", properties={"team": "billing"})
    await queue.send(REQUESTS, sent)
    (received,) = await queue.receive(REQUESTS)
    await queue.dead_letter(received, reason="InvalidInput", description="body: json_invalid")
    await clock.sleep(600)
    for _ in range(3):  # looking changes nothing
        (dead,) = await queue.dead_letters(REQUESTS)
        assert (dead.message, dead.queue, dead.delivery_count) == (sent, REQUESTS, 1)
        assert (dead.reason, dead.description) == ("InvalidInput", "body: json_invalid")
        assert dead.enqueued_at == received.enqueued_at
    assert await queue.receive(REQUESTS) == []
    assert await queue.dead_letters(ESCALATIONS) == []


@pytest.mark.parametrize("fails_by", ["abandon", "lock"])
async def test_too_many_deliveries_make_a_dead_letter(queue, clock, fails_by):
    await queue.send(REQUESTS, message("poison"))
    await queue.send(REQUESTS, message("good"))
    counts: list[int] = []
    for _ in range(3):
        (received,) = await queue.receive(REQUESTS)
        assert received.message.id == "poison"
        counts.append(received.delivery_count)
        if fails_by == "abandon":
            await queue.abandon(received)
        else:
            await clock.sleep(6)
    assert counts == [1, 2, 3]
    assert ids(await queue.receive(REQUESTS, limit=5)) == ["good"]
    (dead,) = await queue.dead_letters(REQUESTS)
    assert (dead.message.id, dead.reason) == ("poison", "MaxDeliveryCountExceeded")
    assert "3" in dead.description


async def test_a_last_delivery_that_is_never_settled_makes_a_dead_letter_without_another_consumer(queue, clock):
    await queue.send(REQUESTS, message("poison"))
    for _ in range(3):
        await queue.receive(REQUESTS)
        assert await queue.count_dead_letters(REQUESTS) == 0  # it may still be completed
        await clock.sleep(6)
    assert await queue.count_dead_letters(REQUESTS) == 1
    assert ids(await queue.dead_letters(REQUESTS)) == ["poison"]


async def dead(queue: TicketQueue, *names: str, on: str = REQUESTS) -> list[DeadLetter]:
    for name in names:
        await queue.send(on, message(name))
        (received,) = await queue.receive(on)
        await queue.dead_letter(received, reason="why")
    return [letter for letter in await queue.dead_letters(on) if letter.message.id in names]


async def test_dead_letters_are_listed_page_by_page_and_counted_by_queue(queue):
    await dead(queue, *"abcde")
    await dead(queue, "f", on=ESCALATIONS)
    first = await queue.dead_letters(REQUESTS, limit=2)
    rest = await queue.dead_letters(REQUESTS, after=first[-1].sequence_number)
    assert (ids(first), ids(rest)) == (["a", "b"], ["c", "d", "e"])
    assert (await queue.count_dead_letters(REQUESTS), await queue.count_dead_letters(ESCALATIONS)) == (5, 1)


async def test_a_replayed_message_is_delivered_as_if_for_the_first_time_though_its_id_is_known(queue):
    (letter,) = await dead(queue, "a")
    await queue.send(REQUESTS, message("a"))
    assert await queue.receive(REQUESTS) == [], "a duplicate of it is still dropped"
    await queue.replay(letter)
    assert await queue.count_dead_letters(REQUESTS) == 0
    (received,) = await queue.receive(REQUESTS, limit=5)
    assert received.message.id.startswith("a")
    assert (received.message.body, received.delivery_count) == (letter.message.body, 1)
    await queue.complete(received)


async def test_a_replayed_message_that_fails_again_is_set_aside_again(queue):
    await queue.replay((await dead(queue, "a"))[0])
    for _ in range(3):
        (received,) = await queue.receive(REQUESTS)
        await queue.abandon(received)
    assert await queue.receive(REQUESTS) == []
    (again,) = await queue.dead_letters(REQUESTS)
    assert again.reason == "MaxDeliveryCountExceeded"


async def test_a_discarded_message_is_gone(queue):
    letter, other = await dead(queue, "a", "b")
    await queue.discard(letter)
    assert ids(await queue.dead_letters(REQUESTS)) == [other.message.id]
    assert await queue.receive(REQUESTS) == []


@pytest.mark.parametrize("first", ["replay", "discard"])
@pytest.mark.parametrize("second", ["replay", "discard"])
async def test_of_two_who_deal_with_a_dead_letter_one_is_too_late(queue, first, second):
    (letter,) = await dead(queue, "a")
    await getattr(queue, first)(letter)
    with pytest.raises(NotFound):
        await getattr(queue, second)(letter)


async def test_the_same_id_again_is_dropped_within_the_window(queue, clock):
    await queue.send(REQUESTS, message("a", b"first"))
    await queue.send(REQUESTS, message("a", b"second"))
    (received,) = await queue.receive(REQUESTS, limit=5)
    assert received.message.body == b"first"
    await queue.complete(received)
    await queue.send(REQUESTS, message("a", b"third"))  # also when the first is already done
    assert await queue.receive(REQUESTS) == []
    await clock.sleep(21)
    await queue.send(REQUESTS, message("a", b"fourth"))
    assert [one.message.body for one in await queue.receive(REQUESTS, limit=5)] == [b"fourth"]


async def test_a_message_has_a_largest_size(queue):
    await queue.send(REQUESTS, message("fits", b"x" * 200_000))
    with pytest.raises(InvalidInput, match="262144 bytes"):
        await queue.send(REQUESTS, message("too-big", b"x" * 262_144))
    assert ids(await queue.receive(REQUESTS, limit=5)) == ["fits"]


async def test_what_was_sent_survives_its_process(open_queue: Callable[[], TicketQueue], clock):
    first = open_queue()
    await first.send(REQUESTS, message("a"))
    await first.receive(REQUESTS)
    await first.close()
    second = open_queue()
    assert await second.receive(REQUESTS) == []  # still locked by the consumer that died
    await clock.sleep(6)
    (received,) = await second.receive(REQUESTS)
    assert (received.message.id, received.delivery_count) == ("a", 2)
    await second.send(REQUESTS, message("a"))
    assert await second.receive(REQUESTS) == []  # duplicates are known across processes, too


async def test_competing_consumers_never_share_a_message(open_queue: Callable[[], TicketQueue]):
    queues = [open_queue(), open_queue()]
    await asyncio.gather(*(queues[n % 2].send(REQUESTS, message(f"m{n}")) for n in range(30)))
    batches = await asyncio.gather(*(queues[n % 2].receive(REQUESTS, limit=4) for n in range(10)))
    received = Counter(name for batch in batches for name in ids(batch))
    assert received == {f"m{n}": 1 for n in range(30)}


async def test_ping(queue):
    await queue.ping()
