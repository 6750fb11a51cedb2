"""The broker: what the SDK cannot show, or only slowly."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulators.servicebus import message
from emulators.servicebus.amqp import Described, Symbol, Timestamp, encode
from emulators.servicebus.broker import DEAD_LETTERS, Broker, BrokerError, LockLost, QueueOptions, Stored

OPTIONS = QueueOptions(lock_seconds=10, max_delivery_count=2, duplicate_window_seconds=30)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def raw(identifier: str, *, due: float | None = None, body: bytes = b"x") -> bytes:
    annotations = {Symbol("x-opt-scheduled-enqueue-time"): Timestamp(int(due * 1000))} if due else {}
    return (
        encode(Described(message.MESSAGE_ANNOTATIONS, annotations))
        + encode(Described(message.PROPERTIES, message.padded([identifier], 13)))
        + encode(Described(message.DATA, body))
    )


def lock(broker: Broker, queue: str = "q") -> tuple[str, Stored]:
    """The next message, and the token of its lock."""
    stored = broker.lock_next(queue)
    assert stored
    assert stored.token
    return stored.token, stored


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broker(clock: Clock):
    broker = Broker({"Q": OPTIONS, "other": OPTIONS}, None)
    broker.clock = clock
    yield broker
    broker.close()


def test_a_lock_that_is_renewed_holds_longer(broker, clock):
    broker.send("q", raw("a"))
    token, _ = lock(broker)
    clock.now += 9
    assert broker.renew(token) == clock.now + 10
    clock.now += 9
    broker.complete(token)
    assert broker.peek("q", 1, 10) == []


def test_a_lock_that_ran_out_cannot_be_renewed(broker, clock):
    broker.send("q", raw("a"))
    token, _ = lock(broker)
    clock.now += 10
    with pytest.raises(LockLost):
        broker.renew(token)


def test_what_is_released_was_not_delivered(broker):
    broker.send("q", raw("a"))
    for _ in range(5):
        token, stored = lock(broker)
        assert stored.deliveries == 1
        broker.release(token)


def test_a_scheduled_message_waits_and_can_be_taken_back(broker, clock):
    first, second = broker.send("q", raw("a", due=1010)), broker.send("q", raw("b", due=1010))
    assert broker.lock_next("q") is None
    broker.cancel("q", first)
    clock.now = 1010
    assert lock(broker)[1].number == second
    with pytest.raises(BrokerError):
        broker.cancel("q", second)


def test_duplicates_are_known_by_queue_and_for_a_while(broker, clock):
    assert broker.send("q", raw("a"))
    clock.now += 29
    assert broker.send("q", raw("a")) is None
    clock.now += 1
    assert broker.send("q", raw("a"))


def test_each_queue_counts_its_own_and_no_number_twice(broker):
    assert [broker.send("q", raw("a")), broker.send("other", raw("a")), broker.send("q", raw("b"))] == [1, 1, 2]
    for _ in range(2):
        broker.complete(lock(broker)[0])
    assert broker.send("q", raw("c")) == 3


def test_dead_letters_are_never_set_aside_further(broker):
    broker.send("q", raw("a"))
    broker.dead_letter(lock(broker)[0], "bad", "")
    for _ in range(5):
        broker.abandon(lock(broker, "q" + DEAD_LETTERS)[0])
    (one,) = broker.peek("q" + DEAD_LETTERS, 1, 10)
    assert (one.reason, one.deliveries) == ("bad", 6)
    with pytest.raises(BrokerError):
        broker.send("q" + DEAD_LETTERS, raw("b"))


def test_the_limit_counts_the_whole_message(broker):
    overhead = len(raw("a", body=b"x" * 1000)) - 1000
    assert broker.send("q", raw("a", body=b"x" * (message.MAX_BYTES - overhead)))
    with pytest.raises(BrokerError, match="262144"):
        broker.send("q", raw("b", body=b"x" * (message.MAX_BYTES - overhead + 1)))


def test_a_file_keeps_messages_locks_and_what_is_a_duplicate(tmp_path: Path, clock: Clock):
    path = tmp_path / "bus.db"
    first = Broker({"q": OPTIONS}, path)
    first.clock = clock
    first.send("q", raw("a"))
    first.send("q", raw("b"))
    token, _ = lock(first)
    first.close()
    second = Broker({"q": OPTIONS}, path)
    second.clock = clock
    assert second.send("q", raw("a")) is None
    assert message.read(lock(second)[1].raw).id == "b"
    second.complete(token)
    assert len(second.peek("q", 1, 10)) == 1
    second.close()
