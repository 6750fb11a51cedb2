import pytest

from benchmarks.ingestion_scale import growth


def points(memory: float, last_third: float) -> list[tuple[int, float, float, float]]:
    """300 points of 20 documents each; a document takes 0.1 s of a processor, in the last third so many times that."""
    made: list[tuple[int, float, float, float]] = []
    used = 0.0
    for number in range(1, 301):
        used += 2 * (last_third if number > 201 else 1)
        made.append((number * 20, used, used, 200 + memory * number * 20 / 1000))
    return made


def test_growth_is_told_for_a_thousand_documents() -> None:
    grown, slower = growth(points(memory=3, last_third=1))
    assert grown.value == pytest.approx(3)
    assert grown.error == pytest.approx(0, abs=1e-6)
    assert slower == pytest.approx(1)


def test_time_that_grows_with_the_documents_is_told() -> None:
    _, slower = growth(points(memory=0, last_third=1.5))
    assert slower == pytest.approx(1.5, rel=0.02)
