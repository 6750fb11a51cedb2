"""The document triggers: the knowledge follows the container of documents, file by file.

Storage announces what changes; the timer repairs what an announcement missed. A blob trigger never hears of a delete,
hence the event of its own.
"""

from contextlib import AbstractContextManager

import azure.functions as func
from azure.functions.blob import InputStream
from opentelemetry.trace import Span

from functions.ingest_blob.blobs import blob_etag, blob_metadata, blob_name, deleted_blob
from shared import telemetry
from shared.knowledge.documents import CONTAINER
from shared.services import get_services
from shared.telemetry import log_context

blueprint = func.Blueprint()


@blueprint.blob_trigger(
    arg_name="blob", path=CONTAINER + "/{name}", connection="DOCUMENTS_STORAGE", source=func.BlobSource.EVENT_GRID
)
async def ingest_blob(blob: InputStream, context: func.Context) -> None:
    with log_context(invocation_id=context.invocation_id), announced():
        await get_services().ingestion.ingest(
            blob_name(blob.name or ""),
            blob.read(),
            etag=blob_etag(blob.blob_properties),
            metadata=blob_metadata(blob.metadata),
        )


@blueprint.event_grid_trigger(arg_name="event")
async def forget_blob(event: func.EventGridEvent, context: func.Context) -> None:
    with log_context(invocation_id=context.invocation_id), announced():
        if name := deleted_blob(event):
            await get_services().ingestion.forget(name)


@blueprint.timer_trigger(arg_name="timer", schedule="30 */15 * * * *")
async def reconcile_documents(timer: func.TimerRequest, context: func.Context) -> None:
    del timer
    with log_context(invocation_id=context.invocation_id), telemetry.span("timer reconcile_documents"):
        await get_services().ingestion.reconcile()


def announced() -> AbstractContextManager[Span]:
    """An event of storage has no trace to go on with: one begins here."""
    return telemetry.span(f"process {CONTAINER}", kind=telemetry.SpanKind.CONSUMER)
