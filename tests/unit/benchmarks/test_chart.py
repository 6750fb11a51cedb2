"""The ratios as a picture."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks import chart
from benchmarks.report import Ratio

FAST = Ratio("turns per second", 4.2, 3, "higher", "the peer")
SLOW = Ratio("a turn <p95>", 2.9, 2.5, "lower", "its parts")
PLAIN = Ratio("memory", 0.25, None, "lower", "the peer")


def test_the_chart_is_svg_with_a_row_for_each_bar() -> None:
    picture = ET.fromstring(chart.draw([FAST, SLOW, PLAIN], "Title & more"))
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["Title & more", FAST.name, "4.2  (≥ 3)", SLOW.name, "2.9  (≤ 2.5)", "the bar"]
    assert chart.beyond(FAST) == pytest.approx(1.4)
    assert chart.beyond(SLOW) == pytest.approx(2.5 / 2.9)
