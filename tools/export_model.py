"""Export a BERT-like sentence-transformers model to ONNX, for EMBEDDING_BACKEND=onnx.

    python -m tools.export_model SOURCE TARGET [--quantize int8|none] [--min-cosine 0.98]

SOURCE is the model's folder, TARGET the folder to write: the same layout, with `onnx/model_int8.onnx` (or
`onnx/model.onnx`) for the weights. Both are then run on the same texts, and nothing is written if a vector of the
export is further from the original than allowed. Needs torch, which the product itself does not: see INSTALL.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import ConfigurationError
from shared.knowledge.embedding import Embedder, Vectors
from shared.knowledge.onnx import OnnxEmbedder
from shared.knowledge.sentence_transformers import SentenceTransformersEmbedder
from tools import quantization

NEEDS = ("torch", "sentence-transformers", "onnx", "onnxscript", "onnxruntime")
INSTALL = f"pip install {' '.join(NEEDS)}"
MIN_COSINE = {"int8": 0.98, "none": 0.9999}
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
COPIED = ("modules.json", "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
REQUIRED = ("modules.json", "config.json", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json")

CALIBRATION = Path(__file__).with_name("calibration.jsonl")
CALIBRATION_TOKENS = 256

SENTENCES = (
    "refund",
    "How do I reset my password?",
    "I forgot my password and cannot sign in to my account.",
    "Where is my parcel? The tracking page has not changed for three days.",
    "The order left our warehouse on Monday and should arrive within two working days.",
    "Your router shows a steady red light when it cannot reach the network.",
    "Error 0x80070057 appears after updating to version 4.2.1-rc3.",
    "To cancel your plan, open Settings › Billing, choose “Cancel” and confirm; you keep access until the period ends.",
    "Die Rechnung ist leider zweimal abgebucht worden, bitte erstatten Sie einen Betrag.",
    "¿Puedo cambiar la dirección de entrega después de pagar?",
    "| Plan | Price | Storage |\n|---|---|---|\n| Basic | $5 | 10 GB |\n| Team | $12 | 200 GB |",
    "Batteries must not be thrown into household waste 🔋; hand them in at any of our shops.",
)


def comparison_texts() -> list[str]:
    """Every sentence alone, then runs of 3, 6, 12 and 24: from one token to beyond 256, where most models cut."""
    count = len(SENTENCES)
    around = SENTENCES * 3
    runs = [" ".join(around[start : start + size]) for size in (3, 6, 12, 24) for start in range(0, count, 3)]
    return [*SENTENCES, *runs]


def calibration_texts() -> list[str]:
    """Passages and questions of customer support, kept beside this file: another text here is another export."""
    return [json.loads(line) for line in CALIBRATION.read_text("utf-8").splitlines()]


@dataclass(frozen=True, slots=True)
class Closeness:
    """Cosines of each text's two vectors, and how alike both order the other texts (Spearman's rho, mean of texts)."""

    min_cosine: float
    mean_cosine: float
    rank_correlation: float


def compare(original: Embedder, export: Embedder) -> Closeness:
    texts = comparison_texts()
    first, second = original.embed_documents(texts), export.embed_documents(texts)
    queries = np.stack([[e.embed_query(text) for e in (original, export)] for text in SENTENCES])
    cosines = np.concatenate([(first * second).sum(axis=1), (queries[:, 0] * queries[:, 1]).sum(axis=1)])
    return Closeness(
        min_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        rank_correlation=float(
            np.mean([np.corrcoef(pair)[0, 1] for pair in zip(_ranks(first), _ranks(second), strict=True)])
        ),
    )


def _ranks(vectors: Vectors) -> NDArray[np.intp]:
    """Row i: the ranks of all texts by their similarity to text i."""
    return (vectors @ vectors.T).argsort(axis=1).argsort(axis=1)


def export_model(source: Path, target: Path, *, quantize: str, min_cosine: float) -> Closeness:
    """Write the export of `source` to `target`. Raises `ConfigurationError`, and then leaves `target` as it was."""
    missing = [name for name in REQUIRED if not (source / name).is_file()]
    if missing:
        raise ConfigurationError(f"{source} is not the folder of a sentence-transformers model: no {missing[0]}")
    name = "model.onnx" if quantize == "none" else f"model_{quantize}.onnx"
    others = sorted(graph.name for graph in (target / "onnx").glob("*.onnx") if graph.name != name)
    if others:
        raise ConfigurationError(
            f"{target / 'onnx'} already holds {', '.join(others)}: remove it, a folder has one graph"
        )

    absent = [package for package in NEEDS if find_spec(package.replace("-", "_")) is None]
    if absent:
        raise ConfigurationError(f"{', '.join(absent)} needed for an export, but not installed: {INSTALL}")

    original = SentenceTransformersEmbedder(str(source))
    with tempfile.TemporaryDirectory() as scratch:
        # The folder's name is the model's name in its fingerprint.
        made = Path(scratch) / target.resolve().name
        _copy_layout(source, made)
        _export_graph(source, made / "onnx" / name, quantize=quantize)
        closeness = compare(original, OnnxEmbedder(made))
        if not closeness.min_cosine >= min_cosine:
            raise ConfigurationError(
                f"The export is too far from the original: lowest cosine {closeness.min_cosine:.4f},"
                f" at least {min_cosine} is asked for"
            )
        shutil.copytree(made, target, dirs_exist_ok=True)
    return closeness


def _copy_layout(source: Path, target: Path) -> None:
    target.mkdir()
    for name in COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    for module in _json(source / "modules.json"):
        config = source / module["path"] / "config.json"
        if module["path"] and config.is_file():
            (target / module["path"]).mkdir()
            shutil.copyfile(config, target / module["path"] / "config.json")
    prompts = source / "config_sentence_transformers.json"
    (target / prompts.name).write_bytes(prompts.read_bytes() if prompts.is_file() else b"{}\n")
    limits = _json(source / "sentence_bert_config.json")
    # Models saved lately leave the limit to the tokenizer's configuration.
    if limits.get("max_seq_length") is None:
        limits["max_seq_length"] = min(
            _json(source / "tokenizer_config.json")["model_max_length"],
            _json(source / "config.json")["max_position_embeddings"],
        )
    (target / "sentence_bert_config.json").write_text(json.dumps(limits, indent=2) + "\n", encoding="utf-8")


def _json(file: Path) -> Any:
    return json.loads(file.read_bytes())


def _export_graph(source: Path, graph: Path, *, quantize: str) -> None:
    import onnx  # pyright: ignore[reportMissingImports]
    import torch  # pyright: ignore[reportMissingImports]
    from transformers import AutoModel, AutoTokenizer  # pyright: ignore[reportMissingImports]

    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    # The plain form of attention gives the plainest graph: 213 nodes instead of 285 for all-MiniLM-L6-v2.
    encoder: Any = AutoModel.from_pretrained(source, attn_implementation="eager", dtype=torch.float32)
    names = [name for name in INPUTS if name in tokenizer.model_input_names]

    class TokenVectors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, *inputs: Any) -> Any:
            return self.encoder(**dict(zip(names, inputs, strict=True))).last_hidden_state

    example = tokenizer(list(SENTENCES[1:3]), return_tensors="pt", padding=True)
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence")}
    graph.parent.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.onnx"
        torch.onnx.export(
            TokenVectors().eval(),
            tuple(example[name] for name in names),
            plain,
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_shapes=((axes,) * len(names),),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(plain)
        if quantize == "int8":
            quantization.quantize(model, _calibration(tokenizer, names, _json(source / "config.json")))
        _strip(model)
        onnx.helper.set_model_props(model, {"revision": hashlib.sha256(model.SerializeToString()).hexdigest()})
        onnx.save(model, graph)


def _calibration(tokenizer: Any, names: list[str], config: Any) -> Iterator[dict[str, NDArray[Any]]]:
    limit = min(CALIBRATION_TOKENS, config["max_position_embeddings"])
    for text in calibration_texts():
        encoded = tokenizer(text, truncation=True, max_length=limit, return_tensors="np")
        yield {name: encoded[name].astype(np.int64) for name in names}


def _strip(model: Any) -> None:
    """Remove what the exporter notes of the machine it ran on: paths and stack traces."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.export_model", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("source", type=Path, help="folder of a sentence-transformers model")
    parser.add_argument("target", type=Path, help="folder to write")
    parser.add_argument("--quantize", choices=sorted(MIN_COSINE), default="int8", help="precision of the weights")
    parser.add_argument("--min-cosine", type=float, help="closeness to the original that every text must reach")
    options = parser.parse_args(arguments)
    min_cosine = MIN_COSINE[options.quantize] if options.min_cosine is None else options.min_cosine
    try:
        closeness = export_model(options.source, options.target, quantize=options.quantize, min_cosine=min_cosine)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{options.target}: cosine to the original min {closeness.min_cosine:.4f}, mean {closeness.mean_cosine:.4f};"
        f" rank correlation {closeness.rank_correlation:.4f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
