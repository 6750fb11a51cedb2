import json

import pytest

from benchmarks.costs import DOCUMENT, MEASURED, Price, dollars, monthly, read_prices, rewritten

NOTHING = dict.fromkeys(
    (
        *("turn_seconds", "request_units", "idle_request_units_per_hour", "stored_bytes", "tickets"),
        *("log_bytes_of_turn", "input_tokens_of_turn"),
    ),
    0.0,
)


def price(usd: float, per: float = 1, free: float = 0) -> Price:
    return Price(usd, per, free, source="a list", date="2026-01-01", seen=True)


@pytest.mark.parametrize(("units", "usd"), [(0, 0), (100, 0), (300, 0.4), (1_100, 2)])
def test_what_is_free_costs_nothing(units: float, usd: float) -> None:
    assert price(2, per=1_000, free=100).of(units) == pytest.approx(usd)


def test_tokens_are_counted_for_every_turn() -> None:
    prices, assumed = read_prices()
    measured = NOTHING | {"input_tokens_of_turn": 1_000}
    given = prices | {"model_input_token": price(1, 1e6), "model_output_token": price(4, 1e6)}
    bill = monthly(10_000, measured, given, assumed | {"turns": 5, "answer_tokens": 100})
    assert bill["Model, gpt-4.1-mini"] == pytest.approx(50 + 20)


def test_an_answer_shorter_than_what_is_billed_costs_that() -> None:
    prices, assumed = read_prices()
    given = assumed | {"turns": 1, "model_seconds": 0, "timer_calls": 0, "instance_gb": 1, "least_seconds": 1}
    bill = monthly(1_000, NOTHING, prices | {"functions_gb_second": price(1), "functions_execution": price(0)}, given)
    assert bill["Functions"] == 2_000  # its opening and its one turn


def test_a_bill_grows_with_the_conversations_and_begins_with_what_stands_idle() -> None:
    prices, assumed = read_prices()
    measured = json.loads(MEASURED.read_text("utf-8"))
    idle, few, many = (monthly(volume, measured, prices, assumed) for volume in (0, 1_000, 100_000))
    assert all(idle[service] <= few[service] <= many[service] for service in idle)
    assert idle["Model, gpt-4.1-mini"] == idle["Logs and traces"] == 0
    assert sum(idle.values()) > 50


@pytest.mark.parametrize(("amount", "text"), [(0.004, "0.00"), (12.345, "12.35"), (1234.5, "1,234")])
def test_dollars(amount: float, text: str) -> None:
    assert dollars(amount) == text


def test_the_document_is_what_the_measurements_give() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert rewritten(document, json.loads(MEASURED.read_text("utf-8"))) == document


def test_a_document_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="computed"):
        rewritten("# What it costs", {})
