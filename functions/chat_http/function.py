"""The HTTP trigger: every request, whatever its path and method, goes to the FastAPI app."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.chat_http.app import create_app
from functions.chat_http.bridge import Bridge, forget_answered_requests, leave_all_paths_to_us

leave_all_paths_to_us()
forget_answered_requests()
blueprint = func.Blueprint()
bridge = Bridge(create_app())

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@blueprint.route(route="{*path}", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def chat_http(req: Request, context: func.Context) -> Response:
    del req  # The bridge takes the request from the runtime's own server, body unread.
    return await bridge.response(context.invocation_id, context.trace_context.trace_parent or "")
