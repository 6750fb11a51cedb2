import asyncio

from evaluation.codes import make
from evaluation.retrieval import measure
from tests.fakes import HashEmbedder


def test_a_seed_makes_the_same_set_again() -> None:
    assert make(7, documents=20, questions=20) == make(7, documents=20, questions=20)
    assert make(7, documents=20, questions=20) != make(8, documents=20, questions=20)


def test_rare_codes_are_found_even_if_the_embedding_does_not_know_them() -> None:
    """All 200 questions; the embedder knows words by a hash only, so that meaning is of no help."""
    report = asyncio.run(measure(make(), HashEmbedder(dimensions=32)))
    assert report["queries"] == 200
    assert report["metrics"]["recall@10"] >= 0.9
    assert report["baselines"]["dense"]["recall@10"] < 0.9
