"""What is special to the ONNX adapter; what every embedder does is in tests/contract/test_embedder.py."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ConfigurationError
from shared.knowledge.onnx import POOLINGS, OnnxEmbedder, unit

MODEL = Path(__file__).parents[3] / "models" / "all-MiniLM-L6-v2"
TEXT = "How do I reset my password?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the default model to change; the weights are the same file."""
    target = tmp_path / "model"
    shutil.copytree(MODEL, target, copy_function=os.symlink)
    return target


def write(file: Path, content: object) -> None:
    file.unlink()
    file.write_text(json.dumps(content))


def read(file: Path) -> dict:
    return json.loads(file.read_text())


@pytest.mark.parametrize(
    "name",
    [
        "modules.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
        "tokenizer.json",
    ],
)
def test_a_missing_file_is_named_with_the_command_that_makes_it(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(ConfigurationError, match=re.escape(name)) as caught:
        OnnxEmbedder(folder)
    assert f"python -m tools.export_model SOURCE {folder}" in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="no-such-model"):
        OnnxEmbedder(tmp_path / "no-such-model")


@pytest.mark.parametrize("name", ["modules.json", "tokenizer.json", "onnx/model_int8.onnx"])
def test_a_damaged_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ConfigurationError, match=re.escape(name)):
        OnnxEmbedder(folder)


@pytest.mark.parametrize("graphs", [0, 2])
def test_the_graph_must_be_one(folder: Path, graphs: int):
    graph = folder / "onnx" / "model_int8.onnx"
    if graphs:
        shutil.copy(graph, folder / "onnx" / "model.onnx", follow_symlinks=False)
    else:
        graph.unlink()
    with pytest.raises(ConfigurationError, match=f"it holds {graphs}"):
        OnnxEmbedder(folder)


def test_a_model_with_a_dense_layer_is_sent_to_the_other_backend(folder: Path):
    modules = [*read(MODEL / "modules.json"), {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]
    write(folder / "modules.json", modules)
    with pytest.raises(ConfigurationError, match="EMBEDDING_BACKEND=sentence-transformers"):
        OnnxEmbedder(folder)


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode": "lasttoken"},
        {"pooling_mode": ["mean", "max"]},
        {"pooling_mode_weightedmean_tokens": True},
        {},
        {"pooling_mode": "mean", "include_prompt": False},
    ],
)
def test_a_way_of_pooling_it_does_not_know_is_refused(folder: Path, config: dict):
    write(folder / "1_Pooling" / "config.json", config)
    with pytest.raises(ConfigurationError, match="pools"):
        OnnxEmbedder(folder)


def test_old_and_new_pooling_configurations_mean_the_same(folder: Path):
    write(folder / "1_Pooling" / "config.json", {"embedding_dimension": 384, "pooling_mode": "mean"})
    new, old = OnnxEmbedder(folder), OnnxEmbedder(MODEL)
    assert np.array_equal(new.embed_query(TEXT), old.embed_query(TEXT))
    assert new.fingerprint.rpartition(":")[2] == old.fingerprint.rpartition(":")[2]


def test_poolings_by_hand():
    tokens = np.array([[1, 5], [3, 1]], np.float32)
    pooled = {way: pool(tokens).tolist() for way, pool in POOLINGS.items()}
    assert pooled == {"mean": [2, 3], "cls": [1, 5], "max": [3, 5]}


@pytest.mark.parametrize("way", ["cls", "max"])
def test_the_configured_pooling_is_used(folder: Path, way: str):
    mean = OnnxEmbedder(MODEL).embed_query(TEXT)
    write(folder / "1_Pooling" / "config.json", {"pooling_mode": way})
    vector = OnnxEmbedder(folder).embed_query(TEXT)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert vector @ mean < 0.99


def test_texts_of_several_threads_are_run_one_at_a_time():
    embedder = OnnxEmbedder(MODEL)
    session = embedder._session
    at_once: list[int] = []

    class Watched:
        running = 0

        def run(self, *arguments: object) -> object:
            self.running += 1
            at_once.append(self.running)
            try:
                return session.run(*arguments)
            finally:
                self.running -= 1

    embedder._session = Watched()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(embedder.embed_query, [f"{TEXT} {n}" * 20 for n in range(40)]))
    assert set(at_once) == {1}
    assert len(at_once) == 40


def test_texts_of_all_lengths_take_the_memory_of_the_longest_and_little_more():
    code = f"""
from pathlib import Path
from shared.knowledge.onnx import OnnxEmbedder

def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

embedder = OnnxEmbedder({str(MODEL)!r})
embedder.embed_query("one")
before = pages()
for length in (*range(8, 300, 8), *range(8, 300, 8)):
    embedder.embed_query("word " * length)
print(pages() - before)
"""
    root = Path(__file__).parents[3]
    shown = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert int(shown.stdout) * os.sysconf("SC_PAGE_SIZE") < 20e6  # 14 MB; 28 MB if each length has a block of its own


def test_a_prompt_takes_room_from_the_text(folder: Path):
    write(
        folder / "config_sentence_transformers.json", {"prompts": {"query": "search for this text: ", "document": ""}}
    )
    assert OnnxEmbedder(folder).max_tokens == 256 - len("search for this text :".split())


def test_the_tokenizers_own_limit_of_128_is_lifted_and_the_models_of_256_kept():
    embedder = OnnxEmbedder(MODEL)
    words = ["parcel"] * 255
    assert embedder.count_tokens(" ".join(words)) == 255
    within = [embedder.embed_query(" ".join([*words[:200], last])) for last in ("refund", "password")]
    beyond = [embedder.embed_query(" ".join([*words[:254], last])) for last in ("refund", "password")]
    assert not np.array_equal(*within)
    assert np.array_equal(*beyond)


def test_what_changes_the_vectors_changes_the_fingerprint(folder: Path):
    seen = {OnnxEmbedder(folder).fingerprint, OnnxEmbedder(folder, dimensions=128).fingerprint}
    write(folder / "config_sentence_transformers.json", {"prompts": {"query": "query: "}})
    seen.add(OnnxEmbedder(folder).fingerprint)
    write(folder / "sentence_bert_config.json", {"max_seq_length": 128})
    seen.add(OnnxEmbedder(folder).fingerprint)
    write(folder / "1_Pooling" / "config.json", {"pooling_mode": "cls"})
    seen.add(OnnxEmbedder(folder).fingerprint)
    tokenizer = read(MODEL / "tokenizer.json")
    tokenizer["normalizer"]["lowercase"] = False
    write(folder / "tokenizer.json", tokenizer)
    seen.add(OnnxEmbedder(folder).fingerprint)
    assert len(seen) == 6


def test_other_weights_have_another_fingerprint(folder: Path):
    before = OnnxEmbedder(folder).fingerprint
    graph = folder / "onnx" / "model_int8.onnx"
    revision = re.search(rb"revision.{2}([0-9a-f]{64})", graph.read_bytes(), re.DOTALL)
    assert revision
    changed = graph.read_bytes().replace(revision[1], b"0" * 64)
    graph.unlink()
    graph.write_bytes(changed)
    assert OnnxEmbedder(folder).fingerprint != before

    unmarked = changed.replace(b"revision\x12", b"noticing\x12")
    graph.write_bytes(unmarked)
    first = OnnxEmbedder(folder).fingerprint
    graph.write_bytes(unmarked.replace(b"0" * 64, b"1" * 64))
    assert OnnxEmbedder(folder).fingerprint not in {first, before}


@pytest.mark.parametrize("broken", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_vector_without_direction_is_an_error_not_a_number(broken: list[float]):
    with pytest.raises(ConfigurationError, match="no direction"):
        unit(np.array(broken, np.float32))


def test_the_runtime_is_not_imported_before_it_is_needed():
    code = "import sys, shared.knowledge.onnx; print({'onnxruntime', 'tokenizers'} & set(sys.modules))"
    root = Path(__file__).parents[3]
    shown = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
