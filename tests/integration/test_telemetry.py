"""What leaves the process about a customer's turn: one trace from the request to the trigger, and no word of theirs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import httpx
import pytest
from agent_framework import Content, UsageDetails
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from emulators.servicebus.broker import QueueOptions
from emulators.servicebus.server import ServiceBusEmulator
from functions.chat_http.app import create_app
from functions.escalation_queue import function
from functions.ingest_blob import function as ingestion
from shared import telemetry
from shared.errors import Unavailable
from shared.escalation.queue import ESCALATIONS, QUEUES, REQUESTS, ReceivedMessage
from shared.exporters import WithoutContent
from shared.memory.models import Operator
from shared.services import Services
from shared.settings import Settings
from shared.telemetry import JsonFormatter
from tests.chat import ScriptedChatClient, calls, fails, says

CALLER = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{CALLER}-b7ad6b7169203331-01"}
CARD, MAIL, NAME, KEY = "4111 1111 1111 1111", "kim.canary@example.com", "Kim Kanarienvogel", "sk-canary-5f1b77"
CANARIES = (CARD, MAIL, NAME, KEY, "kanarie")
DOCUMENT = f"# Returns\n\nTo return a lamp, write to the desk of {NAME} within 30 days.\n"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What is exported."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(WithoutContent(exporter)))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("support_agent"))
    return exporter


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that any logger says, as it is written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    levels = {name: logging.getLogger(name).level for name in ("shared", "functions")}
    for name in levels:
        logging.getLogger(name).setLevel("DEBUG")
    yield stream
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def queues(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Settings of the queues; none: those of a laptop."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield {}
        return
    with ServiceBusEmulator(dict.fromkeys(QUEUES, QueueOptions())) as bus:
        yield {"service_bus": bus.connection_string}


@pytest.fixture
async def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queues: dict[str, Any]) -> AsyncIterator[Services]:
    options: Any = {
        "data_dir": tmp_path,
        "auth_mode": "open",
        "chat_provider": "openai",
        "openai_api_key": KEY,
        "openai_model": "m",
        "model_input_price": 1.0,
        "model_output_price": 2.0,
        **queues,
    }
    services = Services(Settings(**options))
    telemetry.set_up_metrics()
    vars(services)["chat_client"] = ScriptedChatClient()
    for module in (function, ingestion):
        monkeypatch.setattr(module, "get_services", lambda: services)
    yield services
    await services.close()


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://agent", headers=HEADERS) as client:
        yield client


def script(services: Services, *steps: Any) -> None:
    services.chat_client.steps = list(steps)


def delivered(received: ReceivedMessage) -> func.ServiceBusMessage:
    message = received.message
    return SimpleNamespace(  # type: ignore[return-value]
        get_body=lambda: message.body,
        message_id=message.id,
        delivery_count=received.delivery_count,
        application_properties=dict(message.properties),
    )


async def run_trigger(received: ReceivedMessage) -> None:
    context: Any = SimpleNamespace(invocation_id="i-1")
    await function.escalation_queue.build().get_user_function()(delivered(received), context)


def assert_within(spans: InMemorySpanExporter, parents: dict[str, str]) -> None:
    """Each span is the child of its parent."""
    found = by_name(spans)
    for name, parent in parents.items():
        above, span = found[parent].context, found[name].parent
        assert above is not None
        assert span is not None
        assert span.span_id == above.span_id, f"{name} is not within {parent}"


def by_name(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


@pytest.mark.parametrize("queues", ["sqlite", "servicebus"], indirect=True)
async def test_one_trace_from_the_callers_request_to_the_ticket_of_the_helpdesk(
    spans: InMemorySpanExporter, log: io.StringIO, services: Services, http: httpx.AsyncClient
) -> None:
    script(services, says("I do not know."))
    session = (await http.post("/chat/sessions")).json()["session_id"]
    spans.clear()
    answer = await http.post(f"/chat/sessions/{session}/messages", json={"message": "I want to talk to a human please"})
    assert answer.json()["ticket_id"]
    [request] = await services.queue.receive(REQUESTS)
    assert str(request.message.properties["traceparent"]).startswith(f"00-{CALLER}-")
    await run_trigger(request)

    found = by_name(spans)
    assert {f"{span.context.trace_id:032x}" for span in spans.get_finished_spans() if span.context} == {CALLER}
    parents = {
        "turn": "POST /chat/sessions/{session_id}/messages",
        "retrieve": "turn",
        "store open_turn": "POST /chat/sessions/{session_id}/messages",
        "store close_turn": "turn",
        f"send {REQUESTS}": "turn",
        f"process {REQUESTS}": f"send {REQUESTS}",
        f"send {ESCALATIONS}": f"process {REQUESTS}",
    }
    assert_within(spans, parents)
    server = found["POST /chat/sessions/{session_id}/messages"]
    assert server.attributes is not None
    assert server.attributes["http.response.status_code"] == 200
    model = [span for span in spans.get_finished_spans() if (span.attributes or {}).get("gen_ai.operation.name")]
    assert {"chat", "invoke_agent"} <= {str((span.attributes or {})["gen_ai.operation.name"]) for span in model}
    # The helpdesk can go on with it, too.
    [event] = await services.queue.receive(ESCALATIONS)
    assert str(event.message.properties["traceparent"]).startswith(f"00-{CALLER}-")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    [turn] = [line for line in lines if line["message"] == "turn"]
    assert (turn["trace_id"], turn["session_id"]) == (CALLER, session)
    [routed] = [line for line in lines if line["message"] == "ticket_routed"]
    assert (routed["trace_id"], routed["invocation_id"]) == (CALLER, "i-1")


async def test_a_document_is_one_trace_from_its_event_to_the_index(
    spans: InMemorySpanExporter, services: Services
) -> None:
    context: Any = SimpleNamespace(invocation_id="i-1")
    data = DOCUMENT.encode()
    await services.documents.write("lamps.md", data)
    blob: Any = SimpleNamespace(name="documents/lamps.md", read=lambda: data, blob_properties={}, metadata=None)
    await ingestion.ingest_blob.build().get_user_function()(blob, context)
    parents = {"ingest": "process documents"} | dict.fromkeys(["parse", "embed", "index write"], "ingest")
    assert_within(spans, parents)
    embedded = by_name(spans)["embed"].attributes
    assert embedded is not None
    assert embedded["support.texts"] == len(await services.index.chunks("lamps.md")) > 0

    spans.clear()
    await services.documents.delete("lamps.md")
    deleted: Any = SimpleNamespace(
        event_type="Microsoft.Storage.BlobDeleted",
        subject="/blobServices/default/containers/documents/blobs/lamps.md",
        get_json=lambda: {"url": "https://account.blob.core.windows.net/documents/lamps.md"},
    )
    await ingestion.forget_blob.build().get_user_function()(deleted, context)
    assert_within(spans, {"forget": "process documents", "index write": "forget"})


async def test_what_a_timer_does_is_within_its_span(spans: InMemorySpanExporter, services: Services) -> None:
    context: Any = SimpleNamespace(invocation_id="i-1")
    await services.documents.write("lamps.md", DOCUMENT.encode())
    timers = {
        "relay_tickets": function.relay_tickets,
        "return_silent_conversations": function.return_silent_conversations,
        "erase_leftovers": function.erase_leftovers,
        "reconcile_documents": ingestion.reconcile_documents,
    }
    for timer in timers.values():
        await timer.build().get_user_function()(SimpleNamespace(), context)
    within = dict.fromkeys(["parse", "embed", "index write"], "timer reconcile_documents")
    assert_within(spans, within)
    assert {f"timer {name}" for name in timers} <= by_name(spans).keys()


async def test_a_message_without_a_trace_or_with_nonsense_is_handled_in_a_new_one(
    spans: InMemorySpanExporter, services: Services
) -> None:
    for properties in ({}, {"traceparent": "nonsense"}, {"traceparent": 7}):
        with function.taken(REQUESTS, SimpleNamespace(application_properties=properties)):  # type: ignore[arg-type]
            pass
    ended = spans.get_finished_spans()
    assert [span.parent for span in ended] == [None] * 3
    assert len({span.context.trace_id for span in ended if span.context}) == 3


async def test_no_word_of_a_customer_or_document_and_no_secret_is_told(
    spans: InMemorySpanExporter,
    log: io.StringIO,
    services: Services,
    http: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Somebody switched the framework's own recording of messages on: it must not leave all the same.
    monkeypatch.setattr("agent_framework.observability.OBSERVABILITY_SETTINGS.enable_sensitive_data", True)
    await services.documents.write("lamps.md", DOCUMENT.encode())
    await services.documents.write("broken.pdf", f"no PDF, but of {NAME}".encode())
    await services.ingestion.reconcile()
    session = (await http.post("/chat/sessions", json={"user_id": MAIL})).json()["session_id"]
    path = f"/chat/sessions/{session}"

    async def say(text: str, *steps: Any, **files: Any) -> httpx.Response:
        script(services, *steps)
        return await http.post(f"{path}/messages", data={"message": text}, **files)

    about = f"I am {NAME}, {MAIL}, my card is {CARD}."
    anew = says("Where is the lamp?")  # a follow-up is worded anew first
    said = [
        says(f"To return a lamp, write to the desk of {NAME} within 30 days. [1]"),
        calls("remember_fact", fact=f"{NAME} pays by {CARD}"),
    ]
    texts = [
        (await say(f"How do I return a lamp? {about}", said[0])).text,
        (await say(f"Remember that {NAME} pays by {CARD}", anew, said[1], says("Noted."))).text,
        (await say(f"{about} Where is it?", anew, fails(ValueError(f"{NAME} {CARD} {KEY}"), after="It "))).text,
        (await say(f"{about} Where is it?", anew, fails(Unavailable(f"{NAME} {CARD}")))).text,
        (
            await say(
                f"Look at my file. {about}",
                says("I see."),
                files=[
                    ("attachments", ("kanarie.txt", f"Bill of {NAME}, {CARD}.".encode(), "text/plain")),
                    ("attachments", (f"{NAME}.pdf", b"%PDF-1.7 broken", "application/pdf")),
                ],
            )
        ).text,
        (await say(f"I want to talk to a human please. {about}", anew, says("I do not know."))).text,
        (await http.post(f"{path}/messages", json={"message": about, "client_message_id": f"{KEY} "})).text,
        (await http.get(f"/chat/sessions/{MAIL}/history")).text,
        (await http.get(f"/{NAME}?card={CARD}")).text,
    ]
    assert NAME in texts[0]  # they were really in it
    [request] = await services.queue.receive(REQUESTS)
    await run_trigger(request)
    await services.helpdesk.count_overdue()
    monkeypatch.setattr(services.store, "ticket", _broken)
    with pytest.raises(RuntimeError):
        await run_trigger(request)

    told = log.getvalue()
    assert all(outcome in told for outcome in ("ticket_routed", '"outcome": "answered"', "documents reconciled"))
    exported = "\n".join(span.to_json() for span in spans.get_finished_spans())
    assert '"gen_ai.usage' in exported or '"gen_ai.operation.name": "chat"' in exported
    assert "RuntimeError" in exported
    metrics = telemetry.prometheus_text().decode()
    assert 'attachment_processing_total{outcome="unreadable"}' in metrics
    for where, output in (("log", told), ("spans", exported), ("metrics", metrics)):
        leaks = [line for line in output.splitlines() if any(canary in line for canary in CANARIES)]
        assert leaks == [], f"the {where} tell: {leaks[:3]}"


async def _broken(*_: Any) -> None:
    raise RuntimeError(f"could not read the ticket of {NAME}, {CARD}")


def metric(line: str) -> float:
    found = [text for text in telemetry.prometheus_text().decode().splitlines() if text.startswith(f"{line} ")]
    return float(found[0].split()[-1]) if found else 0


async def test_tokens_are_counted_and_cost_what_the_settings_say(services: Services, http: httpx.AsyncClient) -> None:
    async def step(_: Any) -> AsyncIterator[Content]:
        yield Content.from_text("Hello.")
        usage = {"input_token_count": 3000, "output_token_count": 500, "total_token_count": 3500}
        yield Content.from_usage(UsageDetails(**usage))

    names = [f'support_model_tokens_total{{direction="{way}"}}' for way in ("input", "output")]
    names.append("support_model_cost_usd_total")
    before = [metric(name) for name in names]
    script(services, step)
    session = (await http.post("/chat/sessions")).json()["session_id"]
    await http.post(f"/chat/sessions/{session}/messages", json={"message": "How do I return a lamp?"})
    after = [metric(name) for name in names]
    # At 1 and 2 dollars a million.
    assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx([3000, 500, 0.004])


async def test_a_ticket_is_overdue_until_somebody_answers(services: Services, http: httpx.AsyncClient) -> None:
    session = (await http.post("/chat/sessions")).json()["session_id"]
    ticket = (await http.post(f"/chat/sessions/{session}/escalate", json={})).json()["ticket_id"]
    [request] = await services.queue.receive(REQUESTS)
    await run_trigger(request)
    assert await services.helpdesk.count_overdue() == 0
    team = (await services.store.ticket(ticket)).team
    later = vars(services.helpdesk)
    later["_now"] = lambda: services._now() + timedelta(days=30)
    assert await services.helpdesk.count_overdue() == 1
    assert metric(f'support_tickets_overdue{{team="{team}"}}') == 1
    operator = Operator("ada", "Ada", "", services._now())
    await services.helpdesk.claim(operator, ticket)
    await services.helpdesk.reply(operator, ticket, "Here I am.")
    assert await services.helpdesk.count_overdue() == 0
    assert metric(f'support_tickets_overdue{{team="{team}"}}') == 0
