"""Messages through the genuine runtime: what a function is told, and what becomes of one it cannot handle."""

from datetime import UTC, datetime
from pathlib import Path

from shared.escalation.queue import QueueMessage, TicketQueue
from shared.escalation.sqlite import SqliteTicketQueue
from tests.integration.runtime.hosted import eventually


async def send(queue: TicketQueue, body: bytes) -> None:
    await queue.send(
        "jobs",
        QueueMessage(
            id=f"id-{body.decode()}", body=body, subject="a job", correlation_id="c-1", properties={"team": "x", "n": 3}
        ),
    )


async def test_a_message_is_delivered_with_its_metadata_and_is_gone(host, tmp_path: Path) -> None:
    queue = SqliteTicketQueue(tmp_path / "q.db")
    await send(queue, "ä good one".encode())
    with host("queues", "-", tmp_path / "q.db") as app:
        (entry,) = eventually(app.record)
        assert "failed" not in app.stop()
    enqueued = datetime.fromisoformat(entry.pop("enqueued"))
    assert abs((datetime.now(UTC) - enqueued).total_seconds()) < 60
    assert entry == {
        "body": "ä good one",
        "id": "id-ä good one",
        "delivery": 1,
        "properties": {"team": "x", "n": 3},
        "correlation": "c-1",
        "subject": "a job",
    }
    assert await queue.receive("jobs") == []
    await queue.close()


async def test_what_fails_is_delivered_again_and_in_the_end_set_aside(host, tmp_path: Path) -> None:
    queue = SqliteTicketQueue(tmp_path / "q.db", max_delivery_count=4)
    await send(queue, b"bad")
    await send(queue, b"once")
    with host("queues", "-", tmp_path / "q.db") as app:
        eventually(lambda: len(app.record()) == 6)
        assert "work failed: ValueError" in app.stop()
        deliveries = [(entry["body"], entry["delivery"]) for entry in app.record()]
    assert sorted(deliveries) == [("bad", 1), ("bad", 2), ("bad", 3), ("bad", 4), ("once", 1), ("once", 2)]
    assert await queue.receive("jobs") == []
    (dead,) = await queue.dead_letters("jobs")
    assert (dead.message.body, dead.reason) == (b"bad", "MaxDeliveryCountExceeded")
    assert dead.description.endswith("The last time: ValueError: cannot be worked on")
    await queue.close()
