"""The parts of the benchmarks that only compute: percentiles, tables, markers, the chart, the mock model."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import chart
from benchmarks.mock_model import answer
from benchmarks.report import Ratio, Report, number, percentile
from benchmarks.turn import questions, ratios
from shared.settings import ROOT

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


def test_the_table_tells_what_is_missed() -> None:
    assert benchmarks.table([("turn", FAST), ("turn", SLOW), ("turn", PLAIN)]).splitlines() == [
        "|  | ratio | against | bar | met |",
        "| --- | --: | --- | --: | --- |",
        "| turns per second | 4.2 | the peer | ≥ 3 | yes |",
        "| a turn <p95> | 2.9 | its parts | ≤ 2.5 | **no** |",
        "| memory | 0.25 | the peer |  |  |",
    ]


def test_a_block_is_replaced_between_its_markers() -> None:
    text = f"a\n{benchmarks.BEGIN}\nold\n{benchmarks.END}\nb\n"
    once = benchmarks.replaced(text, "new")
    assert once == f"a\n{benchmarks.BEGIN}\n\nnew\n\n{benchmarks.END}\nb\n"
    assert benchmarks.replaced(once, "new") == once


@pytest.mark.parametrize(
    "text", ["", benchmarks.BEGIN, benchmarks.END + benchmarks.BEGIN, (benchmarks.BEGIN + benchmarks.END) * 2]
)
def test_markers_that_are_not_there_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="must be there once"):
        benchmarks.replaced(text, "new")


def test_the_documentation_has_the_markers() -> None:
    for file in (benchmarks.README, benchmarks.PAGE):
        benchmarks.replaced(file.read_text("utf-8"), "new")


def test_the_chart_is_svg_with_a_row_for_each_bar() -> None:
    picture = ET.fromstring(chart.draw([FAST, SLOW, PLAIN], "Title & more"))
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["Title & more", FAST.name, "4.2  (≥ 3)", SLOW.name, "2.9  (≤ 2.5)", "the bar"]
    assert chart.beyond(FAST) == pytest.approx(1.4)
    assert chart.beyond(SLOW) == pytest.approx(2.5 / 2.9)


def test_turns_are_divided_by_the_sum_of_their_parts() -> None:
    found = {
        "keyless": {"json": [0.03] * 3, "events": [0.02] * 3, "parts": [[0.005, 0.005, 0.004, 0.006]] * 6},
        "beside peer": {"ours json": [0.01], "ours events": [0.02], "peer json": [0.03], "peer events": [0.03]},
        "turns per second": {"ours": [80, 60, 100], "peer": [20, 20, 40]},
    }
    assert [round(ratio.value, 3) for ratio in ratios(found)] == [1.5, 1.5, 1.0, 1.0, 3.0, 1.5, 4.0]


def test_the_questions_are_distinct() -> None:
    asked = list(questions())
    assert len(set(asked)) == len(asked) >= 400


def test_the_mock_model_answers_with_a_sentence_of_a_passage() -> None:
    passage = '{"kind": "passage", "n": 3, "text": "Delivery to Germany takes three to five working days."}'
    messages = [{"role": "user", "content": passage}, {"role": "user", "content": "How long does it take?"}]
    assert answer(messages) == "Delivery to Germany takes three to five working days [3]."
    assert answer(messages[1:]) == "How long does it take?"
    assert answer([{"role": "user", "content": ""}]) == "I do not know."


def test_there_is_a_target_for_each_benchmark() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [name for name in benchmarks.available([]) if f"-m benchmarks.{name} " not in makefile] == []
