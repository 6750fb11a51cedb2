"""Writes down each document event it gets; blobs that hold `bad` fail."""

import json
import os
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions.blob import InputStream

app = func.FunctionApp()


def record(**entry: Any) -> None:
    with Path(os.environ["RECORD"]).open("a") as file:
        print(json.dumps(entry), file=file)


@app.blob_trigger(arg_name="blob", path="papers/{name}", connection="X", source=func.BlobSource.EVENT_GRID)
async def written(blob: InputStream) -> None:
    data = blob.read()
    record(
        event="written",
        name=blob.name,
        data=data.decode(),
        length=blob.length,
        uri=blob.uri,
        etag=blob.blob_properties["ETag"],
        type=blob.blob_properties["ContentType"],
    )
    if b"bad" in data:
        raise ValueError("cannot be read")


@app.event_grid_trigger(arg_name="event")
async def gone(event: func.EventGridEvent) -> None:
    record(event="gone", type=event.event_type, subject=event.subject, url=event.get_json()["url"])
