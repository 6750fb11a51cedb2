"""Sentence-transformers models without torch: their ONNX export, run by ONNX Runtime.

`python -m tools.export_model` makes such an export; docs/decisions/0002-torch-free-embedding.md says why this is the
default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from shared.errors import ConfigurationError
from shared.knowledge.embedding import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Token vectors (tokens, width) to one vector (width,). Texts are run one at a time, so there is no padding to mask.
POOLINGS: dict[str, Callable[[Vectors], Vectors]] = {
    "mean": lambda tokens: tokens.mean(axis=0),
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: tokens.max(axis=0),
}
MODULES = {"Transformer", "Pooling", "Normalize"}
SLOWER = ["SkipLayerNormFusion"]
"""Optimisations that cost: this fusion's kernel is slower than the two it replaces, by 7 to 10 % of all time."""
# Older pooling configurations have one flag for each way.
LEGACY_FLAGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


class OnnxEmbedder:
    """An `Embedder`. The folder has the layout of sentence-transformers, with the graph in `onnx/`.

    Texts are run one at a time on one thread, whoever calls: int8 activations are scaled over the whole batch, so in a
    batch a text's vector would depend on its neighbours, and it would not be faster. And ONNX Runtime keeps the memory
    of as many runs as ever were at once: of twelve threads' long texts 240 MB, for no speed on two processors. Use more
    processes, not more threads.
    """

    def __init__(self, folder: str | Path, *, dimensions: int | None = None) -> None:
        """Load the model; `dimensions` truncates its vectors.

        Raises `ConfigurationError` if the folder is incomplete or needs something this adapter does not do.
        """
        self._folder = Path(folder).resolve()
        pooling = self._read_pooling()
        prompts = cast("dict[str, str | None]", self._read_json("config_sentence_transformers.json").get("prompts", {}))
        self._query_prompt = prompts.get("query") or ""
        self._document_prompt = prompts.get("document") or ""
        limit = self._read_json("sentence_bert_config.json").get("max_seq_length")
        if not isinstance(limit, int):
            raise self._unusable("sentence_bert_config.json names no max_seq_length")
        self._pool = POOLINGS[pooling]
        self._tokenizer, tokenizer_digest = self._load_tokenizer()
        self._session, revision = self._load_session()
        self._running = Lock()
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._room = limit - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self.max_tokens = limit - max(map(self.count_tokens, (self._query_prompt, self._document_prompt)))

        width = self._session.get_outputs()[0].shape[-1]
        self.dimensions: int = width if dimensions is None else dimensions
        if not 0 < self.dimensions <= width:
            raise ConfigurationError(
                f"EMBEDDING_DIMENSIONS is {dimensions}, but the vectors of {self._folder.name} have 1 to {width}"
            )
        parts = [revision, tokenizer_digest, limit, pooling, self._query_prompt, self._document_prompt, self.dimensions]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        self.fingerprint = f"onnx:{self._folder.name}:{self.dimensions}:{digest[:16]}"

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._embed(self._document_prompt + text)
        return vectors

    def embed_query(self, text: str) -> Vectors:
        return self._embed(self._query_prompt + text)

    def _embed(self, text: str) -> Vectors:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        encoding.truncate(self._room)
        encoding = self._tokenizer.post_process(encoding)
        feed = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        arrays = {name: np.array([ids], np.int64) for name, ids in feed.items() if name in self._inputs}
        with self._running:
            tokens = cast("Vectors", self._session.run(["last_hidden_state"], arrays)[0])
        return unit(self._pool(tokens[0])[: self.dimensions])

    # ---- loading

    def _unusable(self, problem: str) -> ConfigurationError:
        return ConfigurationError(
            f"EMBEDDING_MODEL {self._folder}: {problem}."
            f" Make the folder with `python -m tools.export_model SOURCE {self._folder}`,"
            " where SOURCE is the folder of a sentence-transformers model."
        )

    def _read(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            raise self._unusable(f"{name} cannot be read") from None

    def _read_json(self, name: str) -> Any:
        try:
            return json.loads(self._read(name))
        except ValueError:
            raise self._unusable(f"{name} is not JSON") from None

    def _read_pooling(self) -> str:
        modules = cast("list[dict[str, str]]", self._read_json("modules.json"))
        paths = {module["type"].rpartition(".")[2]: module["path"] for module in modules}
        other = paths.keys() - MODULES
        if other or "Pooling" not in paths:
            raise ConfigurationError(
                f"EMBEDDING_MODEL {self._folder}: the ONNX backend runs models made of {', '.join(sorted(MODULES))},"
                f" this one has {', '.join(sorted(paths))}. Set EMBEDDING_BACKEND=sentence-transformers."
            )
        config = cast("dict[str, Any]", self._read_json(f"{paths['Pooling']}/config.json"))
        mode = config.get("pooling_mode") or [way for flag, way in LEGACY_FLAGS.items() if config.get(flag)]
        modes = cast("list[str]", [mode] if isinstance(mode, str) else mode)
        if len(modes) != 1 or modes[0] not in POOLINGS or not config.get("include_prompt", True):
            raise ConfigurationError(
                f"EMBEDDING_MODEL {self._folder}: the ONNX backend pools by one of {', '.join(POOLINGS)}, prompt"
                f" included; this model does otherwise ({'+'.join(modes)})."
                " Set EMBEDDING_BACKEND=sentence-transformers."
            )
        return modes[0]

    def _load_tokenizer(self) -> tuple[Tokenizer, str]:
        from tokenizers import Tokenizer

        data = self._read("tokenizer.json")
        try:
            tokenizer = Tokenizer.from_buffer(data)
        except ValueError as error:
            raise self._unusable("tokenizer.json is not a tokenizer") from error
        # A tokenizer is saved with the limits of its training (128 tokens, padded, for all-MiniLM-L6-v2).
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer, hashlib.sha256(data).hexdigest()

    def _load_session(self) -> tuple[Any, str]:
        """The graph and its revision, which the export wrote into it: hashing the weights would take longer."""
        graphs = sorted((self._folder / "onnx").glob("*.onnx"))
        if len(graphs) != 1:
            raise self._unusable(f"onnx/ must hold one .onnx file, it holds {len(graphs)}")
        import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

        runtime: Any = onnxruntime
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        # It would take all that a run needs as one block, for each length of text that came twice: for those of up to
        # 256 tokens 28 MB in place of 14 in the end, and no run is faster for it.
        options.enable_mem_pattern = False
        try:
            session = runtime.InferenceSession(
                str(graphs[0]), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER
            )
        except Exception as error:  # the runtime's errors share no other base
            raise self._unusable(f"onnx/{graphs[0].name} cannot be loaded") from error
        revision = session.get_modelmeta().custom_metadata_map.get("revision")
        if revision is None:
            with graphs[0].open("rb") as graph:
                revision = hashlib.file_digest(graph, "sha256").hexdigest()
        return session, revision


def unit(vector: Vectors) -> Vectors:
    """The vector at length 1. Raises `ConfigurationError` if it has no direction: then the model is broken."""
    length = np.linalg.norm(vector)
    if not 0 < length < np.inf:
        raise ConfigurationError("The embedding model returned a vector of no direction (zeros or not-a-number)")
    return (vector / length).astype(np.float32, copy=False)
