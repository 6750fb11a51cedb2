"""One table, blocks between markers, and a command for each benchmark."""

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.report import Ratio
from shared.settings import ROOT

FAST = Ratio("turns per second", 4.2, 3, "higher", "the peer")
SLOW = Ratio("a turn <p95>", 2.9, 2.5, "lower", "its parts")
PLAIN = Ratio("memory", 0.25, None, "lower", "the peer")


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


def test_there_is_a_target_for_each_benchmark() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [name for name in benchmarks.available([]) if f"-m benchmarks.{name} " not in makefile] == []
