"""What a customer is up to: a linear model over the meaning and the words, learned from `exemplars.toml`.

Embeddings tell what a text is about and miss who is addressed; words and pairs of words tell that and miss
paraphrases. Together they find a tenth more than embeddings alone at the same number of false alarms (measured by
cross-validation on the exemplars). `python -m tools.train_intents` makes `intents.npz` of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import ConfigurationError
from shared.knowledge.embedding import Vectors

MODEL = Path(__file__).with_name("intents.npz")
NONE = "none"
"""The label of all messages that are no reason to escalate."""

_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|[?!]")


def words(text: str) -> list[str]:
    """The distinct words and pairs of neighbours of a text; its beginning `<` and its end `>` are neighbours too."""
    tokens = _TOKEN.findall(text.casefold().replace("’", "'"))
    return list(dict.fromkeys([*tokens, *(f"{a} {b}" for a, b in pairwise(["<", *tokens, ">"]))]))


@dataclass(frozen=True)
class IntentModel:
    """`vector_weights` has shape (dimensions, labels), `word_weights` (vocabulary, labels), `bias` (labels,).

    `idf` is the weight of each word of the vocabulary in a text. `fingerprint` is the embedder's whose vectors the
    model was trained on, `trained_on` the SHA-256 of the exemplars.
    """

    labels: tuple[str, ...]
    vocabulary: tuple[str, ...]
    idf: NDArray[np.float32]
    vector_weights: NDArray[np.float32]
    word_weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    fingerprint: str
    trained_on: str

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {word: position for position, word in enumerate(self.vocabulary)}

    def probabilities(self, text: str, vector: Vectors) -> Mapping[str, float]:
        """The probability of each label; they add up to 1. `vector` is the text's embedding as a query."""
        scores = self.bias + vector @ self.vector_weights
        known = [position for word in words(text) if (position := self._positions.get(word)) is not None]
        if known:
            weights = self.idf[known] / np.linalg.norm(self.idf[known])
            scores = scores + weights @ self.word_weights[known]
        shares = np.exp(scores - scores.max())
        return dict(zip(self.labels, (shares / shares.sum()).tolist(), strict=True))

    def save(self, path: Path = MODEL) -> None:
        np.savez_compressed(
            path,
            labels=np.array(self.labels),
            vocabulary=np.array(self.vocabulary),
            idf=self.idf,
            vector_weights=self.vector_weights,
            word_weights=self.word_weights,
            bias=self.bias,
            fingerprint=np.array(self.fingerprint),
            trained_on=np.array(self.trained_on),
        )


def load_intents(path: Path = MODEL) -> IntentModel:
    """Raises `ConfigurationError`, which names the command that makes the file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return IntentModel(
                labels=tuple(map(str, file["labels"])),
                vocabulary=tuple(map(str, file["vocabulary"])),
                idf=file["idf"],
                vector_weights=file["vector_weights"],
                word_weights=file["word_weights"],
                bias=file["bias"],
                fingerprint=str(file["fingerprint"]),
                trained_on=str(file["trained_on"]),
            )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{path.name} cannot be read; make it with `python -m tools.train_intents`") from error
