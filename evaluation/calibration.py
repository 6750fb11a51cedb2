"""Fit the probabilities of relevance and confidence: `python -m evaluation.calibration DIR…`.

Prints the constants of `shared/knowledge/ranking.py` and `shared/conversation/decision.py`, fitted on all sets with
equal weight, and how well the constants of the other sets do on each: what is to be expected of a set not seen.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.abstention import Asked, Values, ask, auroc, brier, calibration_error
from evaluation.datasets import load
from evaluation.retrieval import product_embedder
from shared.conversation.decision import ANSWERABLE
from shared.knowledge.terms import codes

RIDGE = 1e-4
ROUNDS = 50
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Sample:
    """What one set says: by passage its lead, whether it is relevant, and the number of its question; by question
    whether a relevant passage was found, and whether there was one to be found."""

    leads: Values
    relevant: NDArray[np.bool_]
    question: NDArray[np.intp]
    found: NDArray[np.bool_]
    covered: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Constants:
    """Slope and intercept of the log-odds: of a passage's relevance, and of a question's confidence."""

    relevance: tuple[float, float]
    confidence: tuple[float, float]


def sample(asked: Sequence[Asked]) -> Sample:
    """Questions with codes are left out: the weight of a code is not fitted."""
    usable = [one for one in asked if one.passages and not codes(one.question.asked.text)]
    return Sample(
        leads=np.array([passage.why.lead for one in usable for passage in one.passages]),
        relevant=np.array([yes for one in usable for yes in one.relevant]),
        question=np.repeat(np.arange(len(usable)), [len(one.passages) for one in usable]),
        found=np.array([one.found for one in usable]),
        covered=np.array([one.covered for one in usable]),
    )


def fit(samples: Sequence[Sample]) -> Constants:
    relevance = logistic([(s.leads, s.relevant) for s in samples])
    confidence = logistic([(_best(s, relevance), s.found) for s in samples])
    return Constants(relevance, confidence)


def logistic(sets: Sequence[tuple[Values, NDArray[np.bool_]]]) -> tuple[float, float]:
    """Slope and intercept of the log-odds, by Newton's method; each set weighs the same, however large it is."""
    x = np.concatenate([np.column_stack([values, np.ones(len(values))]) for values, _ in sets])
    y = np.concatenate([outcomes for _, outcomes in sets])
    weights = np.concatenate([np.full(len(values), 1 / len(values) / len(sets)) for values, _ in sets])
    coefficients = np.zeros(2)
    for _ in range(ROUNDS):
        p = _probability(x @ coefficients)
        gradient = x.T @ (weights * (p - y)) + RIDGE * coefficients
        curvature = (x * (weights * p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(2)
        coefficients -= np.linalg.solve(curvature, gradient)
    slope, intercept = coefficients.tolist()
    return slope, intercept


def _best(sample: Sample, relevance: tuple[float, float]) -> Values:
    """By question, the log-odds of its most relevant passage."""
    best = np.full(len(sample.found), -np.inf)
    np.maximum.at(best, sample.question, relevance[0] * sample.leads + relevance[1])
    return best


def _probability(log_odds: Values) -> Values:
    return 1 / (1 + np.exp(-log_odds))


def judge(sample: Sample, constants: Constants) -> Mapping[str, float]:
    relevance = _probability(constants.relevance[0] * sample.leads + constants.relevance[1])
    confidence = _probability(constants.confidence[0] * _best(sample, constants.relevance) + constants.confidence[1])
    answered = confidence >= ANSWERABLE
    return {
        "auroc": auroc(confidence, sample.covered),
        "ece": calibration_error(confidence, sample.found),
        "brier": brier(confidence, sample.found),
        "passage ece": calibration_error(relevance, sample.relevant),
        "expected": float((1 - confidence[answered]).mean()) if answered.any() else math.nan,
        "error": float((~sample.found[answered]).mean()) if answered.any() else math.nan,
        "answered": float(answered[sample.covered].mean()),
        "wrongly": float(answered[~sample.covered].mean()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.calibration", description="Fit relevance and confidence."
    )
    parser.add_argument("folders", metavar="DIR", type=Path, nargs="+", help="has corpus.jsonl and queries.jsonl")
    options = parser.parse_args(arguments)
    try:
        datasets = [load(folder) for folder in options.folders]
    except (OSError, ValueError) as error:
        parser.error(str(error))
    embedder = product_embedder()
    samples: dict[str, Sample] = {}
    for dataset in datasets:
        samples[dataset.name] = sample(asyncio.run(ask(dataset, embedder)))
    constants = fit(list(samples.values()))
    print("RELEVANCE_LEAD, RELEVANCE_BIAS = {:.2f}, {:.2f}".format(*constants.relevance))
    print("CONFIDENCE_SLOPE, CONFIDENCE_BIAS = {:.2f}, {:.2f}".format(*constants.confidence))
    for name, one in samples.items():
        others = [other for other in samples.values() if other is not one] or [one]
        figures = judge(one, fit(others))
        print(f"{name}: " + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
