import os

import pytest

from benchmarks.measures import Slope, children, cpu_seconds, memory_mb, slope, thinned


def test_the_slope_of_a_line_has_no_error() -> None:
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == Slope(value=2, error=0, at_zero=5)


def test_the_error_is_that_of_least_squares() -> None:
    # By hand: mean 2.5, residuals -.1 .3 -.3 .1, so s² = .2 / 2 and the error √(.1 / 5).
    found = slope([1, 2, 3, 4], [1.0, 2.2, 2.4, 3.6])
    assert found.value == pytest.approx(0.8)
    assert found.error == pytest.approx((0.1 / 5) ** 0.5)


@pytest.mark.parametrize(("values", "noise"), [([5, 6, 5, 6, 5, 6], True), ([1, 2, 3, 4.1, 5, 6], False)])
def test_noise_is_what_may_be_no_slope_at_all(values: list[float], noise: bool) -> None:
    assert (slope(range(6), values).beyond_noise == 0) is noise


@pytest.mark.parametrize(("xs", "ys"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [1, 2])])
def test_what_has_no_slope_is_refused(xs: list[float], ys: list[float]) -> None:
    with pytest.raises(ValueError, match=r"slope|same x"):
        slope(xs, ys)


def test_samples_are_thinned_to_means() -> None:
    assert thinned([1, 3, 10, 20, 7], 2) == [2, 15]


def test_this_process_uses_time_and_memory() -> None:
    assert cpu_seconds(os.getpid()) > 0
    assert memory_mb(os.getpid()) > 1
    assert os.getpid() in children(os.getppid())
    assert memory_mb(2**22 + 1) == cpu_seconds(2**22 + 1) == 0
