import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import averages, ndcg, recall, reciprocal_rank

NAMES = st.sampled_from("abcdefghijklmno")


def test_figures_worked_out_by_hand() -> None:
    ranking, relevant = ["x", "a", "y", "b"], {"a", "b", "c"}
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(ranking, relevant) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert recall(ranking, relevant, 2) == pytest.approx(1 / 3)
    assert reciprocal_rank(ranking, relevant) == 1 / 2


def test_what_comes_after_the_tenth_does_not_count() -> None:
    ranking = [*map(str, range(10)), "a"]
    assert averages([ranking], [{"a"}]) == dict.fromkeys(
        ("ndcg@10", "recall@1", "recall@5", "recall@10", "mrr@10"), 0.0
    )


@given(st.lists(NAMES, unique=True), st.sets(NAMES, min_size=1))
def test_metrics_are_shares_and_the_best_ranking_has_all(ranking: list[str], relevant: set[str]) -> None:
    assert all(0 <= value <= 1 for value in averages([ranking], [relevant]).values())
    best = [*sorted(relevant), *(name for name in ranking if name not in relevant)]
    assert ndcg(best, relevant) == pytest.approx(1)
    assert ndcg(ranking, relevant) <= ndcg(best, relevant) + 1e-9
