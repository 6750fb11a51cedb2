import json
from datetime import UTC, datetime

from local.queues import body_of, message_metadata
from shared.escalation.queue import QueueMessage, ReceivedMessage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def received(body: bytes) -> ReceivedMessage:
    return ReceivedMessage(
        message=QueueMessage(id="m1", body=body, properties={"team": "billing"}),
        queue="q",
        lock_token="lock",
        delivery_count=3,
        sequence_number=7,
        enqueued_at=NOON,
        locked_until=NOON,
    )


def test_a_message_comes_with_the_metadata_of_the_host() -> None:
    metadata = message_metadata(received(b"{}"))
    assert metadata["MessageId"].string == "m1"
    assert json.loads(metadata["DeliveryCount"].json) == 3
    assert json.loads(metadata["ApplicationProperties"].json) == {"team": "billing"}
    assert json.loads(metadata["EnqueuedTimeUtc"].json) == NOON.isoformat()
    assert "CorrelationId" not in metadata


def test_a_body_is_text_where_it_can_be() -> None:
    assert body_of(received("ä".encode())).string == "ä"
    assert body_of(received(b"\xff")).bytes == b"\xff"
