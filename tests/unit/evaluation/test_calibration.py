import numpy as np
import pytest

from evaluation.calibration import Sample, fit, judge, logistic


def drawn(slope: float, intercept: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, size)
    return x, rng.random(size) < 1 / (1 + np.exp(-slope * x - intercept))


def test_the_probabilities_that_made_the_outcomes_are_found_again() -> None:
    slope, intercept = logistic([drawn(2.0, -1.0, 20_000)])
    assert (slope, intercept) == (pytest.approx(2, abs=0.1), pytest.approx(-1, abs=0.1))


def test_a_small_set_weighs_as_much_as_a_large_one() -> None:
    few, many = np.array([True] * 8 + [False] * 2), np.array([True] * 200 + [False] * 800)
    _, intercept = logistic([(np.zeros(10), few), (np.zeros(1000), many)])
    assert intercept == pytest.approx(0, abs=0.01)


def test_what_is_fitted_is_calibrated() -> None:
    leads, relevant = drawn(4.0, -1.0, 4_000)
    sample = Sample(leads, relevant, np.arange(4_000), relevant, relevant)
    figures = judge(sample, fit([sample]))
    assert figures["ece"] < 0.03
    assert figures["expected"] == pytest.approx(figures["error"], abs=0.03)
