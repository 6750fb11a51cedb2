"""Writes down each message it gets; those that say `bad` fail, those that say `once` fail the first time."""

import json
import os
from pathlib import Path
from typing import Any

import azure.functions as func

app = func.FunctionApp()


def record(entry: dict[str, Any]) -> None:
    with Path(os.environ["RECORD"]).open("a") as file:
        print(json.dumps(entry), file=file)


@app.service_bus_queue_trigger(arg_name="message", queue_name="jobs", connection="X")
async def work(message: func.ServiceBusMessage) -> None:
    body = message.get_body().decode()
    entry = {
        "body": body,
        "id": message.message_id,
        "delivery": message.delivery_count,
        "properties": message.application_properties,
        "correlation": message.correlation_id,
        "subject": message.subject,
        "enqueued": message.enqueued_time_utc.isoformat(),
    }
    record(entry)
    if body == "bad" or (body == "once" and message.delivery_count == 1):
        raise ValueError("cannot be worked on")
