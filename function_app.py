"""The Function app: what Azure, Core Tools and `local` index."""

from shared import process

process.set_up()  # before the imports, whose objects nearly all stay

import azure.functions as func

from functions.chat_http.function import blueprint as chat_http
from functions.escalation_queue.function import blueprint as escalation_queue
from functions.ingest_blob.function import blueprint as ingest_blob

app = func.FunctionApp()
app.register_functions(chat_http)
app.register_functions(ingest_blob)
app.register_functions(escalation_queue)

process.keep_all()
