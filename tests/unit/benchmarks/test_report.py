"""Percentiles, figures, and what a benchmark tells."""

import json
from pathlib import Path

import pytest

from benchmarks.report import Ratio, Report, number, percentile

FAST = Ratio("turns per second", 4.2, 3, "higher", "the peer")
SLOW = Ratio("a turn <p95>", 2.9, 2.5, "lower", "its parts")
PLAIN = Ratio("memory", 0.25, None, "lower", "the peer")


def test_percentiles_are_values_that_were_measured() -> None:
    hundred = list(range(100, 0, -1))
    assert [percentile(hundred, share) for share in (0, 0.5, 0.95, 1)] == [1, 50, 95, 100]
    assert percentile([7.0], 0.95) == 7
    assert percentile([1, 2, 3], 0.5) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(0.0018, "0.0018"), (1 / 3, "0.333"), (2.5, "2.5"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_bar_is_met_from_its_better_side() -> None:
    assert (FAST.met, SLOW.met, PLAIN.met) == (True, False, True)
    assert Ratio("", 3, 3, "higher", "").met
    assert Ratio("", 3, 3, "lower", "").met
    assert not Report("turn", [FAST, SLOW], {}).met


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report = Report("turn", [FAST, PLAIN], {"chromadb": "1.5.9"}, {"seconds": [1.5]})
    report.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report
    assert set(json.loads((tmp_path / "report.json").read_text("utf-8"))) == {"name", "ratios", "versions", "details"}
