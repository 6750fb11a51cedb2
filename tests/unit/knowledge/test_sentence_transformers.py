"""The calls made to sentence-transformers, on a stand-in for it: the library itself is not a dependency."""

import hashlib
import sys
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from shared.errors import ConfigurationError
from shared.knowledge.sentence_transformers import SentenceTransformersEmbedder

WIDTH = 8


class Tensor:
    """A weight, as much of torch's as is asked for."""

    def __init__(self, values: list[float]) -> None:
        self.values = np.array(values, np.float32)
        self.dtype = "torch.float32"
        self.shape = self.values.shape

    def cpu(self) -> "Tensor":
        return self

    def float(self) -> "Tensor":
        return self

    def numpy(self) -> np.ndarray:
        return self.values


class SentenceTransformer:
    """Vectors come from a hash of prompt and text; truncates and normalises only when it is told to, as the library."""

    prompts: ClassVar = {"query": "task: search result | query: ", "document": "title: none | text: "}
    weights: ClassVar = [0.5, -0.25]
    max_seq_length: int | None = 32
    pooling = "mean"

    def __init__(self, name: str) -> None:
        if name == "no/such-model":
            raise OSError("the hub's own words")
        self.calls: list[tuple[str, list[str], dict]] = []
        self.tokenizer = SimpleNamespace(encode=self._tokens)

    @staticmethod
    def _tokens(text: str, *, add_special_tokens: bool, truncation: bool, verbose: bool) -> list[int]:
        return [0] * (len(text.split()) + 2 * add_special_tokens)

    def get_embedding_dimension(self) -> int:
        return WIDTH

    def state_dict(self) -> dict[str, Tensor]:
        return {"layer.weight": Tensor(self.weights)}

    def children(self) -> list[object]:
        return [object(), SimpleNamespace(pooling_mode=self.pooling)]

    def encode_query(self, inputs: list[str], **options) -> np.ndarray:
        return self._encode("query", inputs, options)

    def encode_document(self, inputs: list[str], **options) -> np.ndarray:
        return self._encode("document", inputs, options)

    def _encode(self, kind: str, inputs: list[str], options: dict) -> np.ndarray:
        self.calls.append((kind, inputs, options))
        if not inputs:
            return np.array([])
        rows = [hashlib.sha256((self.prompts[kind] + text).encode()).digest()[:WIDTH] for text in inputs]
        vectors = np.array([list(row) for row in rows], np.float64)[:, : options.get("truncate_dim")]
        if options.get("normalize_embeddings"):
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[SentenceTransformer]:
    class Fresh(SentenceTransformer):
        pass

    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = Fresh
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    return Fresh


def calls(embedder: SentenceTransformersEmbedder) -> list[tuple[str, list[str], dict]]:
    return embedder._model.calls


def test_queries_and_documents_go_through_their_own_calls(library):
    embedder = SentenceTransformersEmbedder("some/model")
    embedder.embed_query("where is it?")
    embedder.embed_documents(["here", "there"])
    assert [(kind, inputs) for kind, inputs, _ in calls(embedder)] == [
        ("query", ["where is it?"]),
        ("document", ["here", "there"]),
    ]


@pytest.mark.parametrize("dimensions", [None, 3])
def test_vectors_are_truncated_then_normalised(library, dimensions: int | None):
    embedder = SentenceTransformersEmbedder("some/model", dimensions=dimensions)
    vectors = [*embedder.embed_documents(["a", "b"]), embedder.embed_query("c")]
    assert {vector.shape for vector in vectors} == {(dimensions or WIDTH,)}
    assert {vector.dtype for vector in vectors} == {np.dtype(np.float32)}
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)


def test_no_texts_make_no_rows(library):
    assert SentenceTransformersEmbedder("some/model").embed_documents([]).shape == (0, WIDTH)


def test_the_longest_prompt_takes_room_from_the_text(library):
    assert SentenceTransformersEmbedder("some/model").max_tokens == 32 - 5


def test_tokens_are_counted_without_special_tokens(library):
    assert SentenceTransformersEmbedder("some/model").count_tokens("one two three") == 3


@pytest.mark.parametrize("dimensions", [0, -1, WIDTH + 1])
def test_dimensions_the_model_does_not_have_are_refused(library, dimensions: int):
    with pytest.raises(ConfigurationError, match="EMBEDDING_DIMENSIONS"):
        SentenceTransformersEmbedder("some/model", dimensions=dimensions)


def test_the_fingerprint_is_that_of_what_makes_the_vectors(library):
    def fingerprint(dimensions: int | None = None) -> str:
        return SentenceTransformersEmbedder("some/model", dimensions=dimensions).fingerprint

    first = fingerprint()
    assert first == fingerprint()
    assert first.startswith("sentence-transformers:model:8:")
    seen = {first, fingerprint(4)}
    library.prompts = {"query": "", "document": ""}
    seen.add(fingerprint())
    library.weights = [0.5, -0.5]
    seen.add(fingerprint())
    library.max_seq_length = 16
    seen.add(fingerprint())
    library.pooling = "cls"
    seen.add(fingerprint())
    assert len(seen) == 6


def test_a_model_that_cannot_be_loaded_is_named_without_the_librarys_own_words(library):
    with pytest.raises(ConfigurationError, match="EMBEDDING_MODEL no/such-model") as caught:
        SentenceTransformersEmbedder("no/such-model")
    assert "the hub's own words" not in str(caught.value)


def test_a_model_without_a_limit_is_refused(library):
    library.max_seq_length = None
    with pytest.raises(ConfigurationError, match="max_seq_length"):
        SentenceTransformersEmbedder("some/model")


def test_without_the_library_the_command_that_installs_it_is_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        SentenceTransformersEmbedder("some/model")
