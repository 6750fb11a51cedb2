import json
import logging
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from io import StringIO

import pytest

from shared.settings import ROOT
from shared.telemetry import SLOTS, ActiveSessions, JsonFormatter, log_context


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, StringIO]]:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("shared.test_telemetry")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger, stream
    logger.removeHandler(handler)


def lines(stream: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_json_line_with_its_fields(log: tuple[logging.Logger, StringIO]) -> None:
    logger, stream = log
    logger.info("turn", extra={"outcome": "answered", "seconds": 0.5})
    (line,) = lines(stream)
    assert line["message"] == "turn"
    assert line["level"] == "INFO"
    assert (line["outcome"], line["seconds"]) == ("answered", 0.5)
    assert str(line["time"]).endswith("+00:00")
    assert "session_id" not in line


def test_the_ids_in_hand_are_on_every_line(log: tuple[logging.Logger, StringIO]) -> None:
    logger, stream = log
    with log_context(invocation_id="i1"):
        with log_context(session_id="s1"):
            logger.info("inside")
        logger.info("between")
    logger.info("outside")
    assert [(line.get("invocation_id"), line.get("session_id")) for line in lines(stream)] == [
        ("i1", "s1"),
        ("i1", None),
        (None, None),
    ]


def test_an_exception_is_logged_by_type_and_place_without_its_text(log: tuple[logging.Logger, StringIO]) -> None:
    logger, stream = log
    try:
        raise ValueError("My card number is 4711")
    except ValueError:
        logger.exception("turn failed")
    (line,) = lines(stream)
    assert line["error"] == "ValueError"
    assert "test_telemetry.py" in str(line["stack"])
    assert "4711" not in stream.getvalue()


def test_metrics_are_served_as_prometheus_text() -> None:
    program = (
        "from shared import telemetry; telemetry.set_up_metrics(); telemetry.set_up_logging('INFO');"
        "telemetry.chat_messages.add(2, {'outcome': 'answered'});"
        "telemetry.chat_message_duration.record(0.02, {'outcome': 'answered'});"
        "print(telemetry.prometheus_text().decode())"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 'chat_messages_total{outcome="answered"} 2.0' in run.stdout
    assert 'chat_message_duration_seconds_bucket{le="0.025",outcome="answered"} 1.0' in run.stdout


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_counters_that_alerts_watch_begin_at_zero() -> None:
    text = run("from shared import telemetry as t; t.set_up_metrics(); print(t.prometheus_text().decode())")
    for line in (
        'chat_messages_total{outcome="failed"} 0.0',
        "support_model_cost_usd_total 0.0",
        "active_sessions 0.0",
    ):
        assert line in text


def test_a_level_is_told_at_every_scrape_until_it_is_old() -> None:
    program = (
        "from shared import telemetry as t; t.set_up_metrics(); clock = [0.0]; t.time.monotonic = lambda: clock[0];"
        "t.dead_letters.set(2, {'queue': 'q'}); t.reconciled_at.set(5);"
        "tell = lambda: print([l for l in t.prometheus_text().decode().splitlines()"
        " if l.startswith(('support_dead', 'support_reconciled'))]);"
        "tell(); clock[0] = 299; tell(); clock[0] = 301; tell()"
    )
    told = run(program).splitlines()
    both = "['support_dead_letters{queue=\"q\"} 2.0', 'support_reconciled_timestamp_seconds 5.0']"
    assert told == [both, both, "['support_reconciled_timestamp_seconds 5.0']"]


def test_a_conversation_is_active_for_a_quarter_of_an_hour() -> None:
    clock = [0.0]
    active = ActiveSessions(lambda: clock[0])
    active.saw("s1")
    clock[0] = 600
    active.saw("s2")
    active.saw("s1")
    assert active.count() == 2
    clock[0] = 1499
    assert active.count() == 2
    clock[0] = 1501
    assert active.count() == 0
    active.saw("s3")
    active.forget("s3")
    assert active.count() == 0


@pytest.mark.parametrize("conversations", [10, 1_000, 10_000, 30_000])
def test_many_active_conversations_are_counted_within_one_percent(conversations: int) -> None:
    active, chance = ActiveSessions(lambda: 0.0), random.Random(conversations)
    for _ in range(conversations):
        session_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        active.saw(session_id)
        active.saw(session_id)
    assert active.count() == pytest.approx(conversations, rel=0.01)


def test_more_conversations_than_can_be_told_apart_are_many() -> None:
    active = ActiveSessions(lambda: 0.0)
    for number in range(20 * SLOTS):
        active.saw(str(number))
    assert active.count() > 5 * SLOTS


def test_without_an_exporter_nothing_is_recorded_and_the_log_has_ids_nevertheless() -> None:
    program = (
        "import sys; from shared import telemetry as t; from shared.settings import Settings;"
        "t.set_up_traces(Settings(auth_mode='open'));"
        "s = t.span('turn'); span = s.__enter__();"
        "print(span.is_recording(), len(t.carried()['traceparent']), int(t.carried()['traceparent'][-2:], 16) & 1);"
        "print([m for m in sys.modules if m.startswith(('grpc', 'azure.monitor'))])"
    )
    assert run(program).splitlines() == ["False 55 0", "[]"]


def test_exporters_are_made_where_the_settings_name_them() -> None:
    key = "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=http://127.0.0.1:9/"
    options = f"auth_mode='open', applicationinsights_connection_string='{key}'"
    program = (
        "from shared.settings import Settings; from shared.exporters import span_processors;"
        f"made = span_processors(Settings({options}, otel_exporter_otlp_endpoint='http://127.0.0.1:9'));"
        "print(len(made)); import os; os._exit(0) if not __import__('sys').stdout.flush() else None"
    )
    assert run(program).strip() == "2"
