"""Drives the Azure Functions Python runtime as the Functions host does, in this process.

`azure-functions-runtime` is the code that indexes and invokes a v2 app in Azure. There it talks gRPC to the host; its
handlers only ever look at attributes, so plain objects serve as well as protobuf messages. It keeps its state in module
globals: one app per process.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import azure_functions_runtime as worker
from starlette.types import ASGIApp

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"


class HostError(Exception):
    """The app could not be indexed. The message is the runtime's."""


class InvocationFailed(Exception):
    """A function raised. The message is the type of what it raised: its text may quote a customer.

    `problem` has that text, too: for where the data of the invocation is kept anyway, never for a log.
    """

    def __init__(self, kind: str, problem: str = "") -> None:
        super().__init__(kind)
        self.problem = problem or kind


@dataclass(frozen=True, slots=True)
class Function:
    """`trigger` is the binding as the index gives it (`type`, `name`, and what the type adds, such as `schedule`)."""

    id: str
    name: str
    trigger: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What the triggers need of `host.json`, with the Functions host's own defaults."""

    route_prefix: str = "api"
    function_timeout: timedelta = timedelta(minutes=30)
    blob_attempts: int = 5
    blob_parallelism: int = 8
    queue_parallelism: int = 16

    @classmethod
    def read(cls, path: Path) -> Self:
        document = json.loads(path.read_text(encoding="utf-8"))
        extensions = document.get("extensions", {})
        blobs, queues = extensions.get("blobs", {}), extensions.get("serviceBus", {})
        hours, minutes, seconds = map(int, document.get("functionTimeout", "00:30:00").split(":"))
        return cls(
            route_prefix=extensions.get("http", {}).get("routePrefix", cls.route_prefix),
            function_timeout=timedelta(hours=hours, minutes=minutes, seconds=seconds),
            blob_attempts=blobs.get("poisonBlobThreshold", 5),
            blob_parallelism=blobs.get("maxDegreeOfParallelism", 8),
            queue_parallelism=queues.get("maxConcurrentCalls", 16),
        )


class Message:
    """A protobuf message: the fields it was given, and which of a `oneof` group is set."""

    _GROUPS = {"rpc_data": ("data",), "data": ("string", "json", "bytes", "http")}  # noqa: RUF012

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - protobuf's name
        return next((name for name in self._GROUPS[group] if name in vars(self)), None)


def text(value: str) -> Message:
    return Message(string=value)


def as_json(value: Any) -> Message:
    return Message(json=json.dumps(value, default=str))


def binary(value: bytes) -> Message:
    return Message(bytes=value)


class _StatusResult(Message):
    Failure, Success, Cancelled = 0, 1, 2


class _BindingInfo(Message):
    out, inout = 1, 2
    undefined, string, binary, stream = 0, 1, 2, 3


_PROTOS = SimpleNamespace(
    StatusResult=_StatusResult,
    BindingInfo=_BindingInfo,
    **dict.fromkeys(
        (
            "FunctionLoadResponse",
            "FunctionMetadataResponse",
            "InvocationResponse",
            "ParameterBinding",
            "RpcException",
            "RpcFunctionMetadata",
            "RpcRetryOptions",
            "TypedData",
            "WorkerInitResponse",
            "WorkerMetadata",
        ),
        Message,
    ),
)


@dataclass(slots=True)
class Runtime:
    """An indexed app. `http_app` is what the runtime receives requests with; None for an app that streams no HTTP."""

    functions: tuple[Function, ...]
    host: HostSettings
    http_app: ASGIApp | None = field(repr=False)

    @classmethod
    async def start(cls, app_dir: Path) -> Self:
        """Index the app. Raises `HostError`, and whatever importing its `function_app.py` raises."""
        sys.path.insert(0, str(app_dir))
        # The runtime's own first step. Done ahead of it, because its HTTP server, which is the app's choice, has to be
        # replaced between this import and the start.
        importlib.import_module("function_app")
        receiving = _receive_http_app()
        worker.start_threadpool_executor()
        await _call("worker_init_request", SimpleNamespace(function_app_directory=str(app_dir), capabilities={}))
        indexed = await _call("functions_metadata_request", SimpleNamespace(function_app_directory=str(app_dir)))
        functions = tuple(map(_function, indexed.function_metadata_results or ()))
        if not functions:
            raise HostError(f"{app_dir / 'function_app.py'} has no functions")
        for function in functions:
            await _call("function_load_request", SimpleNamespace(function_id=function.id))
        return cls(functions=functions, host=HostSettings.read(app_dir / "host.json"), http_app=await receiving)

    def triggered_by(self, kind: str) -> list[Function]:
        return [function for function in self.functions if function.trigger["type"] == kind]

    async def invoke(
        self,
        function: Function,
        data: Message,
        metadata: Mapping[str, Message] | None = None,
        *,
        invocation_id: str | None = None,
    ) -> None:
        """Call the function with what its trigger delivers. Raises `InvocationFailed`."""
        request = SimpleNamespace(
            invocation_id=invocation_id or str(uuid.uuid4()),
            function_id=function.id,
            input_data=[Message(name=function.trigger["name"], data=data)],
            trigger_metadata=dict(metadata or {}),
            trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        try:
            async with asyncio.timeout(self.host.function_timeout.total_seconds()):
                await _call("invocation_request", request)
        except TimeoutError:
            raise InvocationFailed("TimeoutError") from None
        except _RequestFailed as error:
            kind = error.message.partition(":")[0]
            logger.error(
                "%s failed: %s",
                function.name,
                kind,
                extra={"function": function.name, "invocation_id": request.invocation_id, "stack": error.stack},
            )
            raise InvocationFailed(kind, error.message) from None

    def close(self) -> None:
        worker.stop_threadpool_executor()


class _RequestFailed(Exception):
    def __init__(self, message: str, stack_trace: str) -> None:
        super().__init__(message)
        self.message = message
        # Places only: what stands between them quotes the exceptions' texts.
        self.stack = re.findall(r'^ *File "(.+), in (?:.+)$', stack_trace, re.MULTILINE)


async def _call(verb: str, request: SimpleNamespace) -> Any:
    response = await getattr(worker, verb)(
        SimpleNamespace(request=SimpleNamespace(**{verb: request}), properties={"protos": _PROTOS, "host": LOOPBACK})
    )
    if response.result.status != _StatusResult.Success:
        error = response.result.exception
        if verb != "invocation_request":
            raise HostError(error.message)
        raise _RequestFailed(error.message, error.stack_trace)
    return response


def _function(metadata: Message) -> Function:
    fields = vars(metadata)
    bindings = [json.loads(raw) for raw in fields["raw_bindings"]]
    trigger = next(binding for binding in bindings if binding["type"].endswith("Trigger"))
    return Function(id=fields["function_id"], name=fields["name"], trigger=trigger)


def _receive_http_app() -> asyncio.Future[ASGIApp | None]:
    """The app that the extension for streaming would serve to the host, as soon as the runtime has made it."""
    received = asyncio.get_running_loop().create_future()
    if extension := sys.modules.get("azurefunctions.extensions.http.fastapi.web"):

        async def hand_over(web_server: Any) -> None:
            received.set_result(web_server.web_app)

        extension.WebServer.serve = hand_over
    else:
        received.set_result(None)
    return received
