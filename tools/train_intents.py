"""Learn when to escalate from the examples in shared/escalation/exemplars.toml: `python -m tools.train_intents`.

Run it after a change of the examples or of the embedding model; it writes shared/escalation/intents.npz. Takes some
seconds. The same examples and model give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.escalation.intents import MODEL, IntentModel, words
from shared.knowledge.embedding import Embedder
from shared.services import Services
from shared.settings import Settings

EXEMPLARS = MODEL.with_name("exemplars.toml")
SEEN = 2
"""Exemplars that must have a word for it to count."""
PENALTY = 1e-3
"""Of the squared weights (L2)."""
STEPS = 200
"""Of gradient descent with Nesterov's momentum; the figures of cross-validation no longer change after 100."""

Floats = NDArray[np.float32]


def read(path: Path = EXEMPLARS) -> Mapping[str, Sequence[str]]:
    """The examples of each label."""
    labels = tomllib.loads(path.read_text("utf-8"))
    return {label: [line.strip() for line in text.splitlines() if line.strip()] for label, text in labels.items()}


def digest(examples: Mapping[str, Sequence[str]]) -> str:
    return hashlib.sha256(repr(sorted((k, list(v)) for k, v in examples.items())).encode()).hexdigest()


def train(examples: Mapping[str, Sequence[str]], embedder: Embedder) -> IntentModel:
    """Softmax regression on the unit vector of the meaning, beside the unit vector of the words weighted by idf."""
    texts = [text for lines in examples.values() for text in lines]
    labels = np.repeat(np.arange(len(examples)), [len(lines) for lines in examples.values()])
    vectors = np.stack([embedder.embed_query(text) for text in texts])
    counts = Counter(word for text in texts for word in words(text))
    vocabulary = tuple(sorted(word for word, count in counts.items() if count >= SEEN))
    idf: Floats = np.log(len(texts) / np.array([counts[word] for word in vocabulary], np.float32))
    weights = _fit(np.hstack([vectors, _bags(texts, vocabulary, idf)]), labels)
    return IntentModel(
        labels=tuple(examples),
        vocabulary=vocabulary,
        idf=idf,
        vector_weights=weights[: embedder.dimensions],
        word_weights=weights[embedder.dimensions : -1],
        bias=weights[-1],
        fingerprint=embedder.fingerprint,
        trained_on=digest(examples),
    )


def _bags(texts: Sequence[str], vocabulary: Sequence[str], idf: Floats) -> Floats:
    positions = {word: position for position, word in enumerate(vocabulary)}
    bags = np.zeros((len(texts), len(vocabulary)), np.float32)
    for row, text in enumerate(texts):
        known = [positions[word] for word in words(text) if word in positions]
        bags[row, known] = idf[known]
    return bags / np.maximum(np.linalg.norm(bags, axis=1, keepdims=True), 1e-9).astype(np.float32)


def _fit(features: Floats, labels: NDArray[np.int64]) -> Floats:
    """Weights of shape (features + 1, labels), the last row being the bias, which is not penalised.

    A label weighs as the root of its number of examples: rare ones count for more, but not for as much as the rest.
    """
    inputs = np.hstack([features, np.ones((len(features), 1), np.float32)])
    number = np.bincount(labels)
    targets = np.eye(len(number), dtype=np.float32)[labels]
    share = (1 / np.sqrt(number))[labels].astype(np.float32)[:, None]
    share /= share.sum()
    # The curvature of softmax is at most half the mean squared length of the inputs.
    step = 1 / (0.5 * float((share[:, 0] * (inputs**2).sum(axis=1)).sum()) + PENALTY)
    weights = ahead = np.zeros((inputs.shape[1], len(number)), np.float32)
    momentum = 1.0
    for _ in range(STEPS):
        scores = inputs @ ahead
        guess = np.exp(scores - scores.max(axis=1, keepdims=True))
        guess /= guess.sum(axis=1, keepdims=True)
        penalty = PENALTY * ahead
        penalty[-1] = 0
        following = ahead - np.float32(step) * (inputs.T @ ((guess - targets) * share) + penalty)
        grown = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = following + np.float32((momentum - 1) / grown) * (following - weights)
        weights, momentum = following, grown
    return weights.astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(prog="python -m tools.train_intents", description=__doc__).parse_args(arguments)
    examples = read()
    embedder = Services(Settings(auth_mode="open")).embedder  # pyright: ignore[reportCallIssue]
    model = train(examples, embedder)
    model.save()
    print(
        f"{MODEL.name}: {sum(map(len, examples.values()))} examples, {len(model.vocabulary)} words, {model.fingerprint}"
    )


if __name__ == "__main__":
    main()
