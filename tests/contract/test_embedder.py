"""What every `Embedder` does.

The sentence-transformers cases need that library, which is not a dependency, and a model with weights: its folder or
hub name in CONTRACT_EMBEDDING_MODEL.
"""

import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.knowledge.embedding import Embedder
from shared.knowledge.onnx import OnnxEmbedder
from shared.knowledge.sentence_transformers import SentenceTransformersEmbedder

ONNX_MODEL = Path(__file__).parents[2] / "models" / "all-MiniLM-L6-v2"

Make = Callable[..., Embedder]

TEXTS = [
    "How do I reset my password?",
    "I forgot my password and cannot sign in.",
    "The parcel leaves our warehouse within two working days.",
    "",
    "   \n\t ",
    "Größe — 12 €, ½ price 🔋 「電池」",
]


@pytest.fixture(scope="module", params=["onnx", "sentence-transformers"])
def make(request: pytest.FixtureRequest) -> Make:
    """Builds the adapter: `make(dimensions=…, folder=…)`."""
    if request.param == "onnx":
        return lambda folder=ONNX_MODEL, **options: OnnxEmbedder(folder, **options)
    return lambda folder=None, **options: SentenceTransformersEmbedder(str(folder or weights()), **options)


def weights() -> str:
    if importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("sentence-transformers is not installed")
    model = os.environ.get("CONTRACT_EMBEDDING_MODEL")
    if not model:
        pytest.skip("CONTRACT_EMBEDDING_MODEL names no model with weights")
    return model


@pytest.fixture(scope="module")
def embedder(make: Make) -> Embedder:
    return make()


@given(text=st.text(max_size=300))
@settings(max_examples=40, deadline=None)
def test_any_text_becomes_a_unit_vector_the_same_each_time(embedder: Embedder, text: str):
    query, (document,) = embedder.embed_query(text), embedder.embed_documents([text])
    for vector in (query, document):
        assert vector.shape == (embedder.dimensions,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert np.allclose(embedder.embed_query(text), query, atol=1e-6)


@given(texts=st.lists(st.text(max_size=80), min_size=1, max_size=4))
@settings(max_examples=20, deadline=None)
def test_a_texts_vector_does_not_depend_on_its_neighbours(embedder: Embedder, texts: list[str]):
    together = embedder.embed_documents(texts)
    alone = np.vstack([embedder.embed_documents([text]) for text in texts])
    assert together.shape == (len(texts), embedder.dimensions)
    assert np.allclose(together, alone, atol=1e-4)


def test_no_texts_make_no_rows(embedder: Embedder):
    assert embedder.embed_documents([]).shape == (0, embedder.dimensions)


def test_empty_and_blank_texts_are_the_same_text(embedder: Embedder):
    assert np.allclose(*embedder.embed_documents(["", " \n "]), atol=1e-6)


@pytest.mark.parametrize(
    ("question", "paraphrase", "unrelated"),
    [
        ("How do I reset my password?", "I forgot my password and cannot sign in.", "The battery lasts ten hours."),
        ("Can I get my money back?", "Refunds are paid within five days.", "Turn the router off and on again."),
        ("my package never arrived", "The delivery got lost in the post.", "We accept all major credit cards."),
    ],
)
def test_a_paraphrase_is_closer_than_something_else(embedder: Embedder, question: str, paraphrase: str, unrelated: str):
    close, far = embedder.embed_documents([paraphrase, unrelated]) @ embedder.embed_query(question)
    assert close > far + 0.1


def test_a_text_over_the_limit_is_cut_there(embedder: Embedder):
    long = "parcel " * (embedder.max_tokens + 50)
    first, second = embedder.embed_documents([long + "refund", long + "password"])
    assert np.allclose(first, second, atol=1e-6)


def test_tokens_are_counted_whole_and_without_special_ones(embedder: Embedder):
    assert embedder.count_tokens("") == 0
    assert embedder.count_tokens("where is my parcel") == 4
    assert embedder.count_tokens("parcel " * 5000) == 5000


def test_truncated_vectors_are_the_first_dimensions_at_length_one(make: Make, embedder: Embedder):
    short = make(dimensions=64)
    assert short.dimensions == 64
    whole, cut = embedder.embed_documents(TEXTS), short.embed_documents(TEXTS)
    expected = whole[:, :64] / np.linalg.norm(whole[:, :64], axis=1, keepdims=True)
    assert np.allclose(cut, expected, atol=1e-5)
    assert short.embed_query(TEXTS[0]).shape == (64,)


@pytest.mark.parametrize("dimensions", [0, 100_000])
def test_dimensions_the_model_does_not_have_are_refused(make: Make, dimensions: int):
    with pytest.raises(ConfigurationError, match="EMBEDDING_DIMENSIONS"):
        make(dimensions=dimensions)


def test_the_fingerprint_tells_models_apart(make: Make, embedder: Embedder):
    assert make().fingerprint == embedder.fingerprint
    assert make(dimensions=64).fingerprint != embedder.fingerprint


def test_queries_and_documents_get_their_own_prompts(make: Make, embedder: Embedder, tmp_path: Path):
    source = ONNX_MODEL if isinstance(embedder, OnnxEmbedder) else Path(weights())
    if not source.is_dir():
        pytest.skip("needs a model folder, to write prompts into a copy")
    folder = tmp_path / "prompted"
    shutil.copytree(source, folder, copy_function=os.symlink)
    config = folder / "config_sentence_transformers.json"
    settings = json.loads(config.read_text()) | {"prompts": {"query": "question: ", "document": "passage: "}}
    config.unlink()
    config.write_text(json.dumps(settings))
    prompted = make(folder=folder)
    text = TEXTS[2]
    assert np.allclose(prompted.embed_query(text), embedder.embed_query(f"question: {text}"), atol=1e-5)
    assert np.allclose(prompted.embed_documents([text])[0], embedder.embed_query(f"passage: {text}"), atol=1e-5)
    assert prompted.fingerprint != embedder.fingerprint


def test_threads_may_share_it(embedder: Embedder):
    def work(text: str) -> np.ndarray:
        assert embedder.count_tokens("where is my parcel") == 4
        return embedder.embed_query(text)

    texts = TEXTS * 4
    with ThreadPoolExecutor(4) as pool:
        vectors = np.stack(list(pool.map(work, texts)))
    assert np.allclose(vectors, np.stack([embedder.embed_query(text) for text in texts]), atol=1e-6)
