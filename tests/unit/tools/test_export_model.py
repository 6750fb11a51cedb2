import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from shared.knowledge.onnx import OnnxEmbedder
from tools import export_model

MODEL = Path(__file__).parents[3] / "models" / "all-MiniLM-L6-v2"


class Turned:
    """The default model with its vectors turned a little, as a bad export would."""

    def __init__(self, by: float) -> None:
        self.inner = OnnxEmbedder(MODEL)
        self.by = by

    def embed_documents(self, texts: list[str]) -> np.ndarray:
        return np.stack([self._turn(row) for row in self.inner.embed_documents(texts)])

    def embed_query(self, text: str) -> np.ndarray:
        return self._turn(self.inner.embed_query(text))

    def _turn(self, row: np.ndarray) -> np.ndarray:
        other = np.zeros_like(row)
        other[0] = 1
        other -= (other @ row) * row
        other /= np.linalg.norm(other)
        return np.cos(self.by) * row + np.sin(self.by) * other


def test_comparison_texts_reach_from_one_token_to_beyond_the_models_limit():
    embedder = OnnxEmbedder(MODEL)
    lengths = [embedder.count_tokens(text) for text in export_model.comparison_texts()]
    assert min(lengths) <= 2
    assert max(lengths) > embedder.max_tokens
    assert sum(embedder.max_tokens / 4 < length < embedder.max_tokens for length in lengths) >= 3


@pytest.fixture
def few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_model, "SENTENCES", export_model.SENTENCES[1:4])


@pytest.mark.usefixtures("few_texts")
def test_a_model_is_as_close_as_can_be_to_itself():
    closeness = export_model.compare(OnnxEmbedder(MODEL), OnnxEmbedder(MODEL))
    assert closeness.min_cosine == pytest.approx(1, abs=1e-5)
    assert closeness.rank_correlation == pytest.approx(1)


@pytest.mark.usefixtures("few_texts")
def test_closeness_is_the_angle_between_the_two():
    closeness = export_model.compare(OnnxEmbedder(MODEL), Turned(0.3))
    assert closeness.min_cosine == pytest.approx(np.cos(0.3), abs=1e-3)
    assert closeness.mean_cosine == pytest.approx(np.cos(0.3), abs=1e-3)


class Backwards(Turned):
    """An export that misreads its input."""

    def embed_documents(self, texts: list[str]) -> np.ndarray:
        return self.inner.embed_documents([text[::-1] for text in texts])


@pytest.mark.usefixtures("few_texts")
def test_another_order_of_the_texts_lowers_the_rank_correlation():
    assert export_model.compare(OnnxEmbedder(MODEL), Backwards(0)).rank_correlation < 0.9


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The layout of a model, without weights."""
    folder = tmp_path / "source"
    (folder / "1_Pooling").mkdir(parents=True)
    for name in (*export_model.REQUIRED, "1_Pooling/config.json"):
        (folder / name).write_bytes((MODEL / name).read_bytes())
    return folder


@pytest.mark.parametrize("name", export_model.REQUIRED)
def test_an_incomplete_source_is_refused(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str):
    (source / name).unlink()
    assert export_model.main([str(source), str(tmp_path / "target")]) == 1
    assert name in capsys.readouterr().err
    assert not (tmp_path / "target").exists()


def test_a_second_graph_in_the_target_is_refused(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    graph = tmp_path / "target" / "onnx" / "model.onnx"
    graph.parent.mkdir(parents=True)
    graph.write_bytes(b"another")
    assert export_model.main([str(source), str(tmp_path / "target")]) == 1
    assert "model.onnx" in capsys.readouterr().err
    assert graph.read_bytes() == b"another"


def test_missing_packages_are_named_with_the_command(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(export_model, "find_spec", lambda name: None if name in {"torch", "onnx"} else object())
    assert export_model.main([str(source), str(tmp_path / "target")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("torch, onnx needed")
    assert export_model.INSTALL in shown


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch, few_texts: None) -> SimpleNamespace:
    """Stands in for torch: the original is the default model turned by `by`, the graph the one that is there."""
    state = SimpleNamespace(by=0.0)
    monkeypatch.setattr(export_model, "find_spec", lambda name: object())
    monkeypatch.setattr(export_model, "SentenceTransformersEmbedder", lambda model: Turned(state.by))

    def graph(source: Path, target: Path, *, quantize: str) -> None:
        target.parent.mkdir()
        target.write_bytes((MODEL / "onnx" / "model_int8.onnx").read_bytes())

    monkeypatch.setattr(export_model, "_export_graph", graph)
    return state


@pytest.mark.parametrize(("quantize", "name"), [("int8", "model_int8.onnx"), ("none", "model.onnx")])
def test_an_export_is_a_whole_model(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], exported, *, quantize: str, name: str
):
    target = tmp_path / "all-MiniLM-L6-v2"
    target.mkdir()
    (target / "README.md").write_text("kept")
    assert export_model.main([str(source), str(target), "--quantize", quantize]) == 0
    assert "min 1.0000" in capsys.readouterr().out
    assert (target / "onnx" / name).is_file()
    assert (target / "README.md").read_text() == "kept"
    assert OnnxEmbedder(target).fingerprint == OnnxEmbedder(MODEL).fingerprint


@pytest.mark.parametrize(
    ("by", "arguments", "status"),
    [
        (0.18, ["--quantize", "int8"], 0),  # cosine 0.984
        (0.22, ["--quantize", "int8"], 1),  # cosine 0.976
        (0.02, ["--quantize", "none"], 1),  # cosine 0.9998
        (0.22, ["--quantize", "int8", "--min-cosine", "0.97"], 0),
    ],
)
def test_an_export_too_far_from_the_original_is_not_written(
    source: Path, tmp_path: Path, exported, *, by: float, arguments: list[str], status: int
):
    exported.by = by
    target = tmp_path / "target"
    assert export_model.main([str(source), str(target), *arguments]) == status
    assert target.exists() == (status == 0)


def test_the_limit_is_found_in_the_tokenizers_configuration_too(source: Path, tmp_path: Path, exported):
    for name, values in {
        "sentence_bert_config.json": {"transformer_task": "feature-extraction"},
        "tokenizer_config.json": {"model_max_length": 256},
    }.items():
        (source / name).write_text(json.dumps(values))
    assert export_model.main([str(source), str(tmp_path / "target")]) == 0
    assert OnnxEmbedder(tmp_path / "target").max_tokens == 256


@pytest.mark.skipif(
    any(importlib.util.find_spec(name.replace("-", "_")) is None for name in export_model.NEEDS),
    reason=f"needs {export_model.INSTALL}",
)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("quantize", ["int8", "none"])
def test_a_small_bert_is_exported_by_torch(source: Path, tmp_path: Path, quantize: str):
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    BertModel(BertConfig(vocab_size=30522, **shape)).save_pretrained(source)
    (source / "1_Pooling" / "config.json").write_text(json.dumps({"embedding_dimension": 64, "pooling_mode": "cls"}))
    target = tmp_path / "small"
    assert export_model.main([str(source), str(target), "--quantize", quantize]) == 0
    (graph,) = (target / "onnx").iterdir()
    for path in (str(tmp_path), sys.prefix, str(Path(torch.__file__).parent)):
        assert path.encode() not in graph.read_bytes()
    assert OnnxEmbedder(target).embed_query("where is my parcel?").shape == (64,)
