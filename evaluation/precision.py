"""What a model's precision costs: `python -m evaluation.precision DIR… --reference FOLDER --json OUT`.

The product's model against a reference of the same kind in fp32 (`tools.export_model --quantize none`), on the same
chunks and questions, ranked by embedding alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.datasets import Dataset, load
from evaluation.metrics import averages
from evaluation.retrieval import by_best_chunk, chunked, embedded, product_embedder
from shared.errors import ConfigurationError
from shared.knowledge.embedding import Embedder
from shared.knowledge.onnx import OnnxEmbedder


def measure(dataset: Dataset, model: Embedder, reference: Embedder) -> dict[str, Any]:
    """Metrics of both, and the cosines of the two vectors of each chunk and question."""
    chunks = chunked(dataset, model)
    names = [chunk.document for chunk in chunks]
    relevant = [question.relevant for question in dataset.questions]
    metrics: list[dict[str, float]] = []
    vectors: list[Any] = []
    for embedder in (model, reference):
        passages = embedded(chunks, embedder)
        questions = np.stack([embedder.embed_query(question.text) for question in dataset.questions])
        metrics.append(averages([by_best_chunk(names, passages @ question) for question in questions], relevant))
        vectors.append(np.concatenate([passages, questions]))
    cosines = (vectors[0] * vectors[1]).sum(axis=1)
    return {
        "dataset": dataset.name,
        "queries": len(dataset.questions),
        "chunks": len(chunks),
        "model": metrics[0],
        "reference": metrics[1],
        "cosine": {"min": float(cosines.min()), "mean": float(cosines.mean())},
    }


def line(row: dict[str, Any]) -> str:
    parts = [f"{name} {row['model'][name]:.4f} ({row['reference'][name]:.4f})" for name in ("mrr@10", "ndcg@10")]
    return (
        f"{row['dataset']}: {', '.join(parts)}; cosine min {row['cosine']['min']:.4f}, mean {row['cosine']['mean']:.4f}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m evaluation.precision", description="Measure a model's precision.")
    parser.add_argument("folders", metavar="DIR", type=Path, nargs="+", help="has corpus.jsonl and queries.jsonl")
    parser.add_argument("--reference", metavar="FOLDER", type=Path, required=True, help="the model in fp32")
    parser.add_argument("--json", metavar="OUT", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    try:
        datasets = [load(folder) for folder in options.folders]
        reference = OnnxEmbedder(options.reference)
    except (OSError, ValueError, ConfigurationError) as error:
        parser.error(str(error))
    model = product_embedder()
    rows: list[dict[str, Any]] = []
    for dataset in datasets:
        rows.append(measure(dataset, model, reference))
        print(line(rows[-1]), flush=True)
    report = {"suite": "precision", "model": model.fingerprint, "reference": reference.fingerprint, "sets": rows}
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
