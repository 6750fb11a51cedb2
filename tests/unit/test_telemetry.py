import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO

import pytest

from shared.settings import ROOT
from shared.telemetry import JsonFormatter, log_context


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
