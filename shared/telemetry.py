"""Logs as one JSON object a line, and traces and metrics by OpenTelemetry.

No customer text is ever told: events carry ids, counts and durations. The session, invocation and trace ids of the work
in hand are taken from context variables, so that no call has to pass them along. `exporters.py` says where traces go.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from array import array
from collections.abc import Callable, Generator, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

from opentelemetry import context, metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from shared.settings import Settings

_session_id: ContextVar[str | None] = ContextVar("session_id", default=None)
_invocation_id: ContextVar[str | None] = ContextVar("invocation_id", default=None)

# What `logging` itself puts on a record; everything else came in by `extra=` and is logged.
_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)
"""Seconds; from a warm keyless turn to the longest turn allowed."""
REPLY_BUCKETS = (60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800)
"""From a minute to two days."""
CHARGE_BUCKETS = (1, 2, 3, 5, 10, 20, 50, 100, 500)
"""Request units: a point read of 1 KB is 1, a turn's batch about 20."""


@contextlib.contextmanager
def log_context(*, session_id: str | None = None, invocation_id: str | None = None) -> Generator[None]:
    """Name the conversation or the invocation that the enclosed work belongs to."""
    tokens = [
        (variable, variable.set(value))
        for variable, value in ((_session_id, session_id), (_invocation_id, invocation_id))
        if value is not None
    ]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


class JsonFormatter(logging.Formatter):
    """One line: time, level, logger, message, ids in hand, fields of `extra=`, and the type of an exception.

    A traceback is written with the exception, on the same line: it names our code, and never a request's content.
    """

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if session_id := _session_id.get():
            entry["session_id"] = session_id
        if invocation_id := _invocation_id.get():
            entry["invocation_id"] = invocation_id
        if (here := trace.get_current_span().get_span_context()).is_valid:
            entry |= {"trace_id": f"{here.trace_id:032x}", "span_id": f"{here.span_id:016x}"}
        entry |= {key: value for key, value in vars(record).items() if key not in _RECORD_FIELDS}
        if record.exc_info and record.exc_info[0]:
            entry["error"] = record.exc_info[0].__name__
            entry["stack"] = _frames(record.exc_info[1])
        return json.dumps(entry, default=str, ensure_ascii=False)


def _frames(error: BaseException | None) -> list[str]:
    """Where it happened, without the exception's own text: a message of a library may quote its input."""
    frames: list[str] = []
    place = error.__traceback__ if error else None
    while place:
        code = place.tb_frame.f_code
        frames.append(f"{code.co_filename}:{place.tb_lineno} {code.co_name}")
        place = place.tb_next
    return frames


def set_up_logging(level: str) -> None:
    """Format our own loggers' records as JSON, on whatever handlers the host gave the root logger.

    In Azure the host's handler forwards each line; on a laptop one handler to standard error is added.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter())
    logging.getLogger("shared").setLevel(level)
    logging.getLogger("functions").setLevel(level)
    # They log every URL that is called: a webhook's may hold a secret, a store's holds the ids of conversations.
    for library in ("httpx", "azure"):
        logging.getLogger(library).setLevel("WARNING")


def set_up_metrics(settings: Settings | None = None) -> None:
    """Collect metrics for `/metrics`, and for Azure Monitor if the settings name it, once per process."""
    _collect(settings.applicationinsights_connection_string.get_secret_value() if settings else "")


@cache
def _collect(azure: str) -> None:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider

    readers: list[Any] = [PrometheusMetricReader(scope_info_enabled=False)]
    if azure:
        from shared.exporters import azure_metrics

        readers.append(azure_metrics(azure))
    metrics.set_meter_provider(MeterProvider(metric_readers=readers))
    _begin_at_zero()


def set_up_traces(settings: Settings) -> None:
    """Name every piece of work, and export it where the settings say, once per process.

    Without an exporter nothing is recorded: spans then only have ids, for the log and for those that are called.
    """
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased

    from shared.exporters import resource, span_processors

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    processors = span_processors(settings)
    # By the trace's id and not by the caller's flag: everybody can send one, and all services agree nevertheless.
    sampler = TraceIdRatioBased(settings.trace_ratio) if processors else ALWAYS_OFF
    provider = TracerProvider(sampler=sampler, resource=resource())
    for processor in processors:
        provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)


# ---- traces

_tracer = trace.get_tracer("support_agent")
_w3c = TraceContextTextMapPropagator()


@contextlib.contextmanager
def span(
    name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, str | int | float | bool] | None = None
) -> Generator[Span]:
    """A piece of work, within the one in hand. What it raises is told by its type alone."""
    with _tracer.start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as here:
        try:
            yield here
        except Exception as error:
            here.set_attribute("error.type", type(error).__name__)
            here.set_status(Status(StatusCode.ERROR))
            raise


def carried() -> dict[str, str]:
    """The trace in hand as W3C Trace Context, to go along with a message; empty if there is none.

    https://www.w3.org/TR/trace-context/
    """
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier


@contextlib.contextmanager
def continuing(carrier: Mapping[str, Any]) -> Generator[None]:
    """Go on with the trace that came along; nothing changes if none did, or what came is none."""
    known = {name: str(carrier[name]) for name in ("traceparent", "tracestate") if carrier.get(name)}
    token = context.attach(_w3c.extract(known)) if known else None
    try:
        yield
    finally:
        if token:
            context.detach(token)


# ---- metrics


def prometheus_text() -> bytes:
    """The present metrics in Prometheus' text format 0.0.4."""
    from prometheus_client import REGISTRY, generate_latest

    return generate_latest(REGISTRY)


# OpenTelemetry's proxies: instruments made before `set_up_metrics` start to record once it has run.
_meter = metrics.get_meter("support_agent")


def _begin_at_zero() -> None:
    """Who watches a counter sees it grow only if it was there before, and alerts are about the first failure, too."""
    for outcome in ("answered", "abstained", "handed_over", "handed_to_human", "failed"):
        chat_messages.add(0, {"outcome": outcome})
    for outcome in ("found", "empty", "failed"):
        rag_queries.add(0, {"outcome": outcome})
    for outcome in ("read", "unreadable"):
        attachment_processing.add(0, {"outcome": outcome})
    for direction in ("input", "output"):
        model_tokens.add(0, {"direction": direction})
    errors.add(0, {"place": "turn", "error": "TimeoutError"})
    degraded_answers.add(0, {"error": "IndexUnavailable"})
    model_cost.add(0)
    sessions_started.add(0)
    shed_turns.add(0)


class Level:
    """A gauge that keeps what it was told for a while: of several instances only one runs a timer, and the others must
    not go on telling what was true when they did. `kept` in seconds; None: for good."""

    def __init__(self, name: str, description: str, *, kept: float | None = 300) -> None:
        self._kept = kept
        self._told: dict[str, tuple[float, float, dict[str, str]]] = {}
        _meter.create_observable_gauge(name, [self._observe], description=description)

    def set(self, value: float, labels: Mapping[str, str] | None = None) -> None:
        given = dict(labels or {})
        self._told[json.dumps(given, sort_keys=True)] = (value, time.monotonic(), given)

    def _observe(self, _: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
        since = None if self._kept is None else time.monotonic() - self._kept
        told = list(self._told.values())
        return [metrics.Observation(value, labels) for value, at, labels in told if since is None or at >= since]


ACTIVE_SECONDS = 900
SLOTS = 1 << 15
"""A quarter of a megabyte, for more conversations than one instance can answer in a quarter of an hour."""
NEVER = float("-inf")


class ActiveSessions:
    """How many conversations somebody wrote in within the last quarter of an hour, at this instance.

    It keeps no conversations but the time of each slot that they fall into, so that its memory does not grow with them.
    For those that share a slot it makes up by linear counting (Whang, Vander-Zanden & Taylor 1990, A Linear-Time
    Probabilistic Counting Algorithm for Database Applications): of 10,000 it is wrong by some 40, of ten by none.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen = array("d", [NEVER]) * SLOTS

    def saw(self, session_id: str) -> None:
        self._seen[_slot(session_id)] = self._clock()

    def forget(self, session_id: str) -> None:
        self._seen[_slot(session_id)] = NEVER

    def count(self) -> int:
        since = self._clock() - ACTIVE_SECONDS
        empty = sum(seen < since for seen in self._seen)
        return round(SLOTS * math.log(SLOTS / max(empty, 1)))


def _slot(session_id: str) -> int:
    return crc32(session_id.encode()) % SLOTS


active_sessions = ActiveSessions()
_meter.create_observable_gauge(
    "active_sessions",
    [lambda _: [metrics.Observation(active_sessions.count())]],
    description="Conversations with a message in the last 15 minutes, at this instance",
)
chat_messages = _meter.create_counter("chat_messages", description="Messages that were dealt with, by outcome")
chat_message_duration = _meter.create_histogram(
    "chat_message_duration",
    unit="s",
    explicit_bucket_boundaries_advisory=LATENCY_BUCKETS,
    description="From lease to answer, by outcome",
)
sessions_started = _meter.create_counter("support_sessions_started", description="Conversations that were opened")
errors = _meter.create_counter("errors", description="What failed on our side, by place and type")
rag_queries = _meter.create_counter("rag_queries", description="Searches of the documents, by outcome")
attachment_processing = _meter.create_counter(
    "attachment_processing", description="Files that customers added, by outcome"
)
model_tokens = _meter.create_counter(
    "support_model_tokens", unit="{token}", description="Tokens of answers, by direction"
)
model_cost = _meter.create_counter(
    "support_model_cost_usd", description="What answers cost at the prices that are set, in US dollars"
)
degraded_answers = _meter.create_counter(
    "support_degraded_answers", description="Answers made without the set model, or without the index"
)
question_rewritings = _meter.create_counter(
    "support_question_rewritings", description="Follow-ups given to the model to word anew, by outcome"
)
dropped_sentences = _meter.create_counter(
    "support_dropped_sentences", description="Sentences kept back because their source does not support them"
)
rewritten_promises = _meter.create_counter(
    "support_rewritten_promises", description="Sentences replaced because they promised what no ticket would keep"
)
chat_escalations = _meter.create_counter("chat_escalations", description="Tickets made in chats, by reason")
ticket_sends = _meter.create_counter("support_ticket_sends", description="Sends to the request queue, by outcome")
tickets_routed = _meter.create_counter("support_tickets_routed", description="Tickets published to helpdesks, by team")
ticket_events = _meter.create_counter(
    "support_ticket_events", description="Later events to helpdesks, by kind and outcome"
)
transcripts_stored = _meter.create_counter(
    "support_transcripts", description="Transcripts too long for their event, by whether they could be stored"
)
webhook_deliveries = _meter.create_counter(
    "support_webhook_deliveries", description="Events for the webhook, by outcome of each attempt"
)
dead_letters = Level("support_dead_letters", "Messages set aside, by queue; more than 0 needs a person")
overdue_tickets = Level("support_tickets_overdue", "Tickets that nobody answered in time, by team")
reconciled_at = Level(
    "support_reconciled_timestamp_seconds", "Unix time of the last whole comparison of documents and index", kept=None
)
ticket_changes = _meter.create_counter(
    "support_ticket_changes", description="What people did with tickets, by new status"
)
first_reply_seconds = _meter.create_histogram(
    "support_first_reply",
    unit="s",
    explicit_bucket_boundaries_advisory=REPLY_BUCKETS,
    description="From the request for a person to their first word",
)
push_events = _meter.create_counter(
    "support_push_events", description="Frames for the push channel, by outcome: sent, failed, dropped"
)
push_connections = _meter.create_up_down_counter(
    "support_push_connections", description="Pages and desks that are connected to the hub beside the app"
)
documents = _meter.create_counter("support_documents", description="Documents handled, by status")
chunks_embedded = _meter.create_counter("support_chunks_embedded", description="Chunks that went through the model")
cache_lookups = _meter.create_counter(
    "support_cache_lookups", description="Look-ups in the caches of retrieval, by cache and outcome"
)
cosmos_charge = _meter.create_histogram(
    "support_cosmos_request_charge",
    unit="{RU}",
    explicit_bucket_boundaries_advisory=CHARGE_BUCKETS,
    description="Request units of calls to Cosmos DB, by container",
)
turns_in_hand = _meter.create_up_down_counter(
    "support_turns_in_hand", description="Turns that this instance is answering"
)
shed_turns = _meter.create_counter(
    "support_shed_turns", description="Messages refused because more came than can be answered"
)
rejected_requests = _meter.create_counter("support_rejected_requests", description="Requests refused, by status code")
feedback = _meter.create_counter("support_feedback", description="Ratings of answers, by rating")
