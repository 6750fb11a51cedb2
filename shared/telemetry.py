"""Logs as one JSON object a line, and metrics by OpenTelemetry.

No customer text is ever logged: events carry ids, counts and durations. The session and invocation ids of the work in
hand are taken from context variables, so that no call has to pass them along.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Generator
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any

from opentelemetry import metrics

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
        entry |= {key: value for key, value in vars(record).items() if key not in _RECORD_FIELDS}
        if record.exc_info and record.exc_info[0]:
            entry["error"] = record.exc_info[0].__name__
            entry["stack"] = _frames(record.exc_info[1])
        return json.dumps(entry, default=str, ensure_ascii=False)


def _frames(error: BaseException | None) -> list[str]:
    """Where it happened, without the exception's own text: a message of a library may quote its input."""
    frames: list[str] = []
    trace = error.__traceback__ if error else None
    while trace:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
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


@cache
def set_up_metrics() -> None:
    """Collect metrics for `/metrics`, once per process."""
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider

    metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader(scope_info_enabled=False)]))


def prometheus_text() -> bytes:
    """The present metrics in Prometheus' text format 0.0.4."""
    from prometheus_client import REGISTRY, generate_latest

    return generate_latest(REGISTRY)


# OpenTelemetry's proxies: instruments made before `set_up_metrics` start to record once it has run.
_meter = metrics.get_meter("support_agent")

turns = _meter.create_counter("support_turns", description="Turns, by outcome")
turn_seconds = _meter.create_histogram(
    "support_turn_duration",
    unit="s",
    explicit_bucket_boundaries_advisory=LATENCY_BUCKETS,
    description="From lease to answer",
)
degraded_answers = _meter.create_counter("support_degraded_answers", description="Answers made without the set model")
question_rewritings = _meter.create_counter(
    "support_question_rewritings", description="Follow-ups given to the model to word anew, by outcome"
)
dropped_sentences = _meter.create_counter(
    "support_dropped_sentences", description="Sentences kept back because their source does not support them"
)
rewritten_promises = _meter.create_counter(
    "support_rewritten_promises", description="Sentences replaced because they promised what no ticket would keep"
)
tickets = _meter.create_counter("support_tickets", description="Tickets, by reason")
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
dead_letters = _meter.create_gauge(
    "support_dead_letters", description="Messages set aside, by queue; more than 0 needs a person"
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
rejected_requests = _meter.create_counter("support_rejected_requests", description="Requests refused, by status code")
feedback = _meter.create_counter("support_feedback", description="Ratings of answers, by rating")
