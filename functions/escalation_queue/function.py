"""The ticket triggers: requests from the chat become tickets that a helpdesk can work on, and are posted to a webhook.

What a handler raises gives the message back; after the queue's max delivery count Service Bus moves it to the
dead-letter queue. That is where a message that can never be handled belongs, and the only way there from a Python
function without a second connection to the queue.
"""

import logging
from asyncio import sleep
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import azure.functions as func

from shared import telemetry
from shared.errors import SupportAgentError, Unavailable
from shared.escalation.queue import REQUESTS, WEBHOOKS
from shared.services import get_services
from shared.telemetry import log_context

blueprint = func.Blueprint()
logger = logging.getLogger(__name__)

MAX_PAUSE = 30.0
"""Seconds; below the 60 s that Service Bus locks a message by default."""


@blueprint.service_bus_queue_trigger(arg_name="message", queue_name=REQUESTS, connection="SERVICE_BUS")
async def escalation_queue(message: func.ServiceBusMessage, context: func.Context) -> None:
    with log_context(invocation_id=context.invocation_id), taken(REQUESTS, message):
        async with given_back(REQUESTS, message):
            await get_services().escalation.route(message.get_body())


@blueprint.service_bus_queue_trigger(arg_name="message", queue_name=WEBHOOKS, connection="SERVICE_BUS")
async def deliver_webhook(message: func.ServiceBusMessage, context: func.Context) -> None:
    with log_context(invocation_id=context.invocation_id), taken(WEBHOOKS, message):
        if (webhook := get_services().webhook) is None:
            logger.warning("webhook removed", extra={"message_id": message.message_id})
            return
        async with given_back(WEBHOOKS, message):
            await webhook.deliver(message.get_body())


@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *")
async def relay_tickets(timer: func.TimerRequest, context: func.Context) -> None:
    del timer
    with log_context(invocation_id=context.invocation_id), telemetry.span("timer relay_tickets"):
        await get_services().escalation.relay()
        await get_services().dead_letters.count()


@blueprint.timer_trigger(arg_name="timer", schedule="30 * * * * *")
async def return_silent_conversations(timer: func.TimerRequest, context: func.Context) -> None:
    del timer
    with log_context(invocation_id=context.invocation_id), telemetry.span("timer return_silent_conversations"):
        await get_services().helpdesk.return_silent()
        await get_services().helpdesk.count_overdue()


@blueprint.timer_trigger(arg_name="timer", schedule="15 7 * * * *")
async def erase_leftovers(timer: func.TimerRequest, context: func.Context) -> None:
    del timer
    with log_context(invocation_id=context.invocation_id), telemetry.span("timer erase_leftovers"):
        await get_services().leftovers.erase()


@contextmanager
def taken(queue: str, message: func.ServiceBusMessage) -> Generator[None]:
    """What is done with a message belongs to the trace that sent it."""
    about = {"messaging.system": "servicebus", "messaging.destination.name": queue}
    with (
        telemetry.continuing(message.application_properties or {}),
        telemetry.span(f"process {queue}", kind=telemetry.SpanKind.CONSUMER, attributes=about),
    ):
        yield


@asynccontextmanager
async def given_back(queue: str, message: func.ServiceBusMessage) -> AsyncGenerator[None]:
    """Says why a message is given back, and lets one wait whose trouble may pass.

    A message given back returns at once: without a pause, a short outage would use up all its deliveries and put a
    good one among the dead letters.
    """
    try:
        yield
    except SupportAgentError as error:
        about = {"queue": queue, "message_id": message.message_id, "delivery": message.delivery_count}
        telemetry.errors.add(1, {"place": queue, "error": type(error).__name__})
        logger.warning("message given back", extra=about | {"problem": f"{type(error).__name__}: {error}"})
        if isinstance(error, Unavailable):
            await sleep(min(max(2.0 ** (message.delivery_count or 1), error.retry_after), MAX_PAUSE))
        raise
