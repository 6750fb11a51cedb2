"""What a network and a busy service do to the Service Bus adapter: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
import pytest_asyncio

from emulators.servicebus.auth import connection_string
from emulators.servicebus.broker import DEAD_LETTERS, QueueOptions
from emulators.servicebus.faults import Fault
from emulators.servicebus.server import ServiceBusEmulator
from shared.errors import ConfigurationError, Conflict, NotFound, PayloadTooLarge, Unavailable
from shared.escalation.queue import ESCALATIONS, REQUESTS, DeadLetter, QueueMessage, ReceivedMessage, TicketQueue
from shared.escalation.servicebus import ServiceBusTicketQueue
from tests.contract.servicebus import RealClock

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUSY = "com.microsoft:server-busy"


@pytest.fixture
def clock() -> RealClock:
    return RealClock()


@pytest.fixture
def queue(servicebus_queue: Callable[[], TicketQueue]) -> TicketQueue:
    return servicebus_queue()


@pytest_asyncio.fixture(loop_scope="module")
async def hasty(servicebus: ServiceBusEmulator):
    """One that gives up after a second and a half."""
    queue = ServiceBusTicketQueue(servicebus.connection_string, operation_seconds=1.5, wait_seconds=0.1)
    yield queue
    await queue.close()


def message(name: str, body: bytes = b"{}") -> QueueMessage:
    return QueueMessage(id=name, body=body)


def lose_locks(servicebus: ServiceBusEmulator) -> None:
    servicebus.run(servicebus.broker.lose_locks)


def cut(servicebus: ServiceBusEmulator) -> None:
    servicebus.run(servicebus.server.cut)


async def received_by(queue: TicketQueue) -> list[str]:
    """All there is, completed."""
    names = list[str]()
    while batch := await queue.receive(REQUESTS, limit=10):
        for one in batch:
            names.append(one.message.id)
            await queue.complete(one)
    return names


async def until_done[T](attempt: Callable[[], Awaitable[T]]) -> T:
    """As the outbox does: again until it works."""
    for _ in range(20):
        try:
            return await attempt()
        except Unavailable:
            await asyncio.sleep(0.05)
    raise AssertionError("never")


# ---- senders
async def test_an_answer_that_was_lost_makes_no_second_message(queue, servicebus):
    servicebus.faults.add(Fault("send", REQUESTS, applied=True, cut=True))
    await queue.send(REQUESTS, message("a"))
    assert await received_by(queue) == ["a"]


async def test_who_was_told_that_it_failed_can_send_again(hasty, servicebus):
    servicebus.faults.add(Fault("send", REQUESTS, applied=True, cut=True))
    servicebus.faults.add(Fault("attach", times=100, cut=True))
    with pytest.raises(Unavailable):
        await hasty.send(REQUESTS, message("a"))
    servicebus.faults.clear()
    await hasty.send(REQUESTS, message("a"))
    assert await received_by(hasty) == ["a"]


async def test_a_message_that_was_refused_is_not_there(hasty, servicebus):
    servicebus.faults.add(Fault("send", REQUESTS, times=100, error=BUSY))
    with pytest.raises(Unavailable):
        await hasty.send(REQUESTS, message("a"))
    servicebus.faults.clear()
    assert await received_by(hasty) == []


async def test_a_service_that_dawdles_holds_nobody_up(hasty, servicebus):
    await hasty.send(REQUESTS, message("a"))
    servicebus.faults.add(Fault("send", REQUESTS, delay=4, applied=True))
    async with asyncio.timeout(3):
        with pytest.raises(Unavailable):
            await hasty.send(REQUESTS, message("b"))
        await hasty.send(REQUESTS, message("b"))
    assert await received_by(hasty) == ["a", "b"]
    cut(servicebus)  # what is still delayed never happens


async def test_who_waits_behind_a_slow_one_waits_no_longer(hasty, servicebus):
    await hasty.send(REQUESTS, message("a"))
    servicebus.faults.add(Fault("send", REQUESTS, delay=4, times=100))
    sending = (hasty.send(REQUESTS, message(f"m{n}")) for n in range(8))
    async with asyncio.timeout(3):
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
    assert {type(one) for one in outcomes} == {Unavailable}
    cut(servicebus)


async def test_a_cancelled_sender_leaves_the_queue_in_order(queue, servicebus):
    await queue.send(REQUESTS, message("a"))
    servicebus.faults.add(Fault("send", REQUESTS, delay=5, applied=True))
    sending = asyncio.create_task(queue.send(REQUESTS, message("b")))
    while len(servicebus.faults) and not sending.done():  # noqa: ASYNC110 - it happens on the emulator's thread
        await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await queue.send(REQUESTS, message("b"))
    await queue.send(REQUESTS, message("c"))
    assert await received_by(queue) == ["a", "b", "c"]


async def test_too_big_a_message_breaks_nothing(queue, servicebus):
    await queue.send(REQUESTS, message("a"))
    with pytest.raises(PayloadTooLarge):
        await queue.send(REQUESTS, message("big", b"x" * 300_000))
    await queue.send(REQUESTS, message("b"))
    assert servicebus.server.opened[REQUESTS] <= 2, "sender and receiver, each opened once at most"
    assert await received_by(queue) == ["a", "b"]


# ---- consumers
async def test_a_message_lost_on_its_way_comes_again(queue, servicebus):
    await queue.send(REQUESTS, message("a"))
    servicebus.faults.add(Fault("deliver", REQUESTS, cut=True))
    with contextlib.suppress(Unavailable):
        assert await queue.receive(REQUESTS) == []
    lose_locks(servicebus)
    (received,) = await until_done(lambda: queue.receive(REQUESTS))
    assert (received.message.id, received.delivery_count) == ("a", 2)
    await queue.complete(received)


async def test_a_lock_that_the_service_lost_is_a_conflict_and_the_message_comes_again(queue, servicebus):
    await queue.send(REQUESTS, message("a"))
    (received,) = await queue.receive(REQUESTS)
    lose_locks(servicebus)
    with pytest.raises(Conflict):
        await queue.complete(received)
    (again,) = await queue.receive(REQUESTS)
    assert again.delivery_count == 2
    await queue.complete(again)


@pytest.mark.parametrize("settle", ["complete", "abandon", "dead_letter"])
async def test_a_message_can_be_settled_over_a_new_connection(queue, servicebus, settle):
    await queue.send(REQUESTS, message("a"))
    (received,) = await queue.receive(REQUESTS)
    cut(servicebus)
    more = {"reason": "late"} if settle == "dead_letter" else {}
    await until_done(lambda: getattr(queue, settle)(received, **more))
    assert await received_by(queue) == (["a"] if settle == "abandon" else [])
    assert await queue.count_dead_letters(REQUESTS) == (1 if settle == "dead_letter" else 0)


async def test_a_message_completed_without_an_answer_does_not_come_again(queue, servicebus):
    await queue.send(REQUESTS, message("a"))
    (received,) = await queue.receive(REQUESTS)
    servicebus.faults.add(Fault("settle", REQUESTS, applied=True, cut=True))
    with pytest.raises(Conflict):
        await until_done(lambda: queue.complete(received))
    lose_locks(servicebus)
    assert await received_by(queue) == []
    assert await queue.dead_letters(REQUESTS) == []


async def test_a_settlement_that_was_refused_can_be_tried_again(hasty, servicebus):
    await hasty.send(REQUESTS, message("a"))
    (received,) = await hasty.receive(REQUESTS)
    servicebus.faults.add(Fault("settle", times=100, error=BUSY))
    with pytest.raises(Unavailable):
        await hasty.complete(received)
    servicebus.faults.clear()
    await hasty.complete(received)
    lose_locks(servicebus)
    assert await received_by(hasty) == []


# ---- dead letters
async def dead_letter(queue: TicketQueue, name: str) -> DeadLetter:
    await queue.send(REQUESTS, message(name))
    (received,) = await queue.receive(REQUESTS)
    await queue.dead_letter(received, reason="bad")
    return next(one for one in await queue.dead_letters(REQUESTS) if one.message.id == name)


async def test_a_replay_that_fails_half_way_can_be_repeated(hasty, servicebus):
    letter = await dead_letter(hasty, "a")
    servicebus.faults.add(Fault("settle", REQUESTS + DEAD_LETTERS, times=100, error=BUSY))
    with pytest.raises(Unavailable):
        await hasty.replay(letter)
    servicebus.faults.clear()
    lose_locks(servicebus)
    await hasty.replay(letter)
    assert await hasty.count_dead_letters(REQUESTS) == 0
    assert len(await received_by(hasty)) == 1


async def test_a_dead_letter_is_found_behind_others_which_stay(queue, servicebus):
    letters = [await dead_letter(queue, name) for name in "abc"]
    await queue.discard(letters[2])
    await queue.replay(letters[1])
    (left,) = await queue.dead_letters(REQUESTS)
    assert left.message.id == "a"
    await queue.replay(left)
    assert [name[0] for name in await received_by(queue)] == ["b", "a"]


async def test_a_dead_letter_that_somebody_else_has_is_not_taken(queue, servicebus_queue, servicebus):
    letter, other = await dead_letter(queue, "a"), servicebus_queue()
    async with other._taken(letter):
        with pytest.raises(Unavailable):
            await queue.replay(letter)
    await queue.replay(letter)


# ---- all of it
async def test_every_operation_of_a_service_that_is_away_raises_unavailable():
    queue = ServiceBusTicketQueue(connection_string("127.0.0.1", 9), operation_seconds=0.5)
    away = "127.0.0.1:9"
    moment = RealClock().now
    letter = DeadLetter(message("a"), REQUESTS, 1, 1, moment, "", "")
    for attempt in (
        queue.ping,
        lambda: queue.send(REQUESTS, message("a")),
        lambda: queue.receive(REQUESTS),
        lambda: queue.dead_letters(REQUESTS),
        lambda: queue.count_dead_letters(REQUESTS),
        lambda: queue.replay(letter),
        lambda: queue.discard(letter),
    ):
        with pytest.raises(Unavailable) as raised:
            await attempt()
        assert raised.value.retry_after >= 1
        assert away not in str(raised.value)
    await queue.close()


async def test_what_was_never_received_cannot_be_settled(queue):
    moment = RealClock().now
    with pytest.raises(Conflict):
        await queue.complete(ReceivedMessage(message("a"), REQUESTS, "nobody's", 1, 1, moment, moment))


@pytest.mark.parametrize("wrong", ["key", "queue"])
async def test_a_wrong_key_or_queue_is_unavailable(servicebus, wrong):
    good = servicebus.connection_string
    queue = ServiceBusTicketQueue(good.replace("=SAS", "=NO") if wrong == "key" else good, operation_seconds=2)
    with pytest.raises(Unavailable):
        await queue.send("nowhere" if wrong == "queue" else REQUESTS, message("a"))
    await queue.close()


async def test_no_connection_string_is_told_at_once():
    with pytest.raises(ConfigurationError, match="SERVICE_BUS") as raised:
        ServiceBusTicketQueue("Endpoint=sb://host;SharedAccessKey=secret")
    assert "secret" not in str(raised.value)


async def test_links_are_opened_once(queue, servicebus):
    before = Counter(servicebus.server.opened)
    for name in "abcd":
        await queue.send(ESCALATIONS, message(name))
        (received,) = await queue.receive(ESCALATIONS)
        await queue.complete(received)
        assert await queue.receive(ESCALATIONS) == []
    opened = servicebus.server.opened - before
    assert opened[ESCALATIONS] <= 2, "a sender and a receiver"


async def test_a_closed_queue_says_so(servicebus):
    queue = ServiceBusTicketQueue(servicebus.connection_string)
    await queue.ping()
    await queue.close()
    await queue.close()
    with pytest.raises(Unavailable):
        await queue.send(REQUESTS, message("a"))


async def test_a_consumer_whose_service_breaks_all_the_time_loses_nothing(hasty, servicebus):
    """Ten messages, a seeded mess of cuts, refusals and lost answers: each is stored once and handled."""
    queue = hasty
    chance = random.Random(7)
    for step in ("send", "settle", "deliver", "peek"):
        for _ in range(2):
            cuts = step == "deliver" or chance.random() < 0.6
            error = None if cuts else "amqp:internal-error"
            applied = chance.random() < 0.5
            servicebus.faults.add(Fault(step, skip=chance.randrange(4), cut=cuts, error=error, applied=applied))
    names = [f"m{n}" for n in range(10)]
    stored: dict[str, set[int]] = {name: set() for name in names}
    handled = set[str]()

    async def handle() -> None:
        for one in await until_done(lambda: queue.receive(REQUESTS, limit=4)):
            stored[one.message.id].add(one.sequence_number)
            handled.add(one.message.id)
            with contextlib.suppress(Conflict):  # it was completed, or it comes again
                await until_done(lambda one=one: queue.complete(one))
        lose_locks(servicebus)

    async with asyncio.timeout(60):
        for name in names:
            await until_done(lambda name=name: queue.send(REQUESTS, message(name)))
        while left := servicebus.run(lambda: servicebus.broker.peek(REQUESTS, 1, 100)):
            await handle()
    assert left == []
    buried = {one.message.id for one in await until_done(lambda: queue.dead_letters(REQUESTS))}
    assert handled | buried == set(names)
    assert all(len(numbers) <= 1 for numbers in stored.values())


async def test_without_duplicate_detection_a_resend_is_a_second_message():
    """Why the queues need it."""
    with ServiceBusEmulator({REQUESTS: QueueOptions(duplicate_window_seconds=0)}) as emulator:
        queue = ServiceBusTicketQueue(emulator.connection_string, wait_seconds=0.1)
        emulator.faults.add(Fault("send", REQUESTS, applied=True, cut=True))
        await queue.send(REQUESTS, message("a"))
        assert await received_by(queue) == ["a", "a"]
        await queue.close()


async def test_a_removal_that_was_not_acknowledged_is_found_done(queue, servicebus):
    letter = await dead_letter(queue, "a")
    servicebus.faults.add(Fault("settle", REQUESTS + DEAD_LETTERS, applied=True, cut=True))
    with pytest.raises(Unavailable):
        await queue.discard(letter)
    with pytest.raises(NotFound):
        await queue.discard(letter)
