"""Where traces and metrics are sent to, besides `/metrics`. Exporters are imported when the settings name one.

What a library puts into a span is not ours to trust: a model's, a store's or a web server's may quote a customer. So
only attributes that are known to hold none leave the process, and no text of an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from shared.settings import Settings

SERVICE = "support-agent"
METRIC_SECONDS = 60
"""Between two exports of all metrics."""

ATTRIBUTES = frozenset(
    {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "messaging.system",
        "messaging.destination.name",
        "error.type",
        "exception.type",
        "support.outcome",
        "support.passages",
        "support.texts",
        "support.chunks",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.system",
        "gen_ai.agent.name",
        "gen_ai.conversation.id",
        "gen_ai.request.model",
        "gen_ai.request.max_tokens",
        "gen_ai.request.temperature",
        "gen_ai.request.top_p",
        "gen_ai.response.model",
        "gen_ai.response.id",
        "gen_ai.response.finish_reasons",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "gen_ai.tool.call.id",
    }
)
"""https://opentelemetry.io/docs/specs/semconv/gen-ai/ and our own `support.`"""


class WithoutContent(SpanExporter):
    """Hands spans on with the attributes of `ATTRIBUTES`, the types of exceptions, and nothing else."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_without_content(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _without_content(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_allowed(span.attributes),
        events=[Event(event.name, _allowed(event.attributes), event.timestamp) for event in span.events],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _allowed(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (attributes or {}).items() if name in ATTRIBUTES}


def resource() -> Resource:
    return Resource({"service.name": SERVICE})


def span_processors(settings: Settings) -> list[SpanProcessor]:
    """One for each exporter that the settings name."""
    exporters: list[SpanExporter] = []
    if connection := settings.applicationinsights_connection_string.get_secret_value():
        from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter

        # Its credential is made of APPLICATIONINSIGHTS_AUTHENTICATION_STRING, as the host's is.
        exporters.append(AzureMonitorTraceExporter(connection_string=connection))
    if endpoint := settings.otel_exporter_otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        exporters.append(OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://")))
    return [BatchSpanProcessor(WithoutContent(exporter)) for exporter in exporters]


def azure_metrics(connection: str) -> Any:
    """A reader that sends all metrics to Azure Monitor."""
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(
        AzureMonitorMetricExporter(connection_string=connection), export_interval_millis=METRIC_SECONDS * 1000
    )
