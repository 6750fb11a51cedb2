"""Who is at the other end of the Service Bus adapter: a helpdesk that has nothing but `azure-servicebus`, the helpdesk
in the terminal, and another event loop."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from azure.servicebus.aio import ServiceBusClient

from emulators.servicebus.broker import QueueOptions
from emulators.servicebus.server import ServiceBusEmulator
from shared.escalation.queue import ESCALATIONS, REQUESTS, QueueMessage
from shared.escalation.servicebus import ServiceBusTicketQueue
from tools.helpdesk import Api, Desk, watch

EVENT = {
    "specversion": "1.0",
    "id": "tkt-1",
    "type": "support.customer.message.v1",
    "data": {"ticket_id": "tkt-1", "message": {"seq": 4, "text": "Wo bleibt mein Päckchen?"}},
}
TICKET = QueueMessage(
    id="tkt-1",
    body=json.dumps(EVENT, ensure_ascii=False).encode(),
    content_type="application/cloudevents+json",
    subject=EVENT["type"],
    correlation_id="session-1",
    properties={"team": "billing", "priority": "high"},
)


@pytest.fixture
def emulator():
    with ServiceBusEmulator({REQUESTS: QueueOptions(), ESCALATIONS: QueueOptions()}) as emulator:
        yield emulator


def left(emulator: ServiceBusEmulator) -> int:
    return len(emulator.run(lambda: emulator.broker.peek(ESCALATIONS, 1, 10)))


async def test_a_helpdesk_needs_nothing_but_the_sdk(emulator):
    queue = ServiceBusTicketQueue(emulator.connection_string)
    await queue.send(ESCALATIONS, TICKET)
    async with (
        ServiceBusClient.from_connection_string(emulator.connection_string) as client,
        client.get_queue_receiver(ESCALATIONS, max_wait_time=5) as receiver,
    ):
        async for message in receiver:
            assert json.loads(str(message)) == EVENT
            assert (message.message_id, message.subject, message.correlation_id) == (
                "tkt-1",
                EVENT["type"],
                "session-1",
            )
            assert message.content_type == "application/cloudevents+json"
            assert message.application_properties == {b"team": b"billing", b"priority": b"high"}
            await receiver.renew_message_lock(message)
            await receiver.complete_message(message)
            break
    assert left(emulator) == 0
    await queue.close()


async def test_the_helpdesk_in_the_terminal_shows_and_settles_what_comes(emulator):
    queue, screen = ServiceBusTicketQueue(emulator.connection_string), list[str]()
    watching = asyncio.create_task(watch(queue, Desk(Api(httpx.AsyncClient(), "ada", ""), "ada", screen.append)))
    await queue.send(ESCALATIONS, TICKET)
    await queue.send(ESCALATIONS, QueueMessage("noise", b"no json"))
    async with asyncio.timeout(10):
        while left(emulator):
            await asyncio.wait({watching}, timeout=0.05)
    watching.cancel()
    assert screen == ["#1 customer: Wo bleibt mein Päckchen?"]
    assert [one.message.id for one in await queue.dead_letters(ESCALATIONS)] == ["noise"]
    await queue.close()


async def test_what_is_held_of_one_queue_hides_nothing_of_another(emulator):
    """Each queue numbers its own messages."""
    queue = ServiceBusTicketQueue(emulator.connection_string)
    await queue.send(REQUESTS, TICKET)
    await queue.send(ESCALATIONS, TICKET)
    held = [*await queue.receive(REQUESTS), *await queue.receive(ESCALATIONS)]
    assert [one.sequence_number for one in held] == [1, 1]
    await queue.close()


def test_one_instance_serves_one_loop_after_another(emulator):
    queue = ServiceBusTicketQueue(emulator.connection_string)
    asyncio.run(queue.send(ESCALATIONS, TICKET))

    async def later() -> None:
        (received,) = await queue.receive(ESCALATIONS)
        assert received.message == TICKET
        await queue.complete(received)
        await queue.close()

    asyncio.run(later())
    assert left(emulator) == 0
