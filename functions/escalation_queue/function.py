"""The ticket triggers: requests from the chat become tickets that a helpdesk can work on.

What a handler raises gives the message back; after the queue's max delivery count Service Bus moves it to the
dead-letter queue. That is where a message that can never be routed belongs, and the only way there from a Python
function without a second connection to the queue.
"""

import asyncio

import azure.functions as func

from shared.errors import Unavailable
from shared.escalation.queue import REQUESTS
from shared.services import get_services
from shared.telemetry import log_context

blueprint = func.Blueprint()

MAX_PAUSE = 30.0
"""Seconds; below the 60 s that Service Bus locks a message by default."""


@blueprint.service_bus_queue_trigger(arg_name="message", queue_name=REQUESTS, connection="SERVICE_BUS")
async def escalation_queue(message: func.ServiceBusMessage, context: func.Context) -> None:
    with log_context(invocation_id=context.invocation_id):
        try:
            await get_services().escalation.route(message.get_body())
        except Unavailable:
            # A message given back returns at once: without a pause, a short outage would use up all its deliveries
            # and put a good ticket among the dead letters.
            await asyncio.sleep(min(2.0 ** (message.delivery_count or 1), MAX_PAUSE))
            raise


@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *")
async def relay_tickets(timer: func.TimerRequest, context: func.Context) -> None:
    del timer
    with log_context(invocation_id=context.invocation_id):
        await get_services().escalation.relay()


@blueprint.timer_trigger(arg_name="timer", schedule="30 * * * * *")
async def return_silent_conversations(timer: func.TimerRequest, context: func.Context) -> None:
    del timer
    with log_context(invocation_id=context.invocation_id):
        await get_services().helpdesk.return_silent()
