"""Any sentence-transformers model, EmbeddingGemma among them, run by that library itself (torch, 1.4 GB installed)."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, Protocol, cast

import numpy as np

from shared.errors import ConfigurationError
from shared.knowledge.embedding import Vectors

INSTALL = 'pip install "sentence-transformers>=6"'


class _Model(Protocol):
    """The part of `SentenceTransformer` that is used."""

    tokenizer: Any
    max_seq_length: int | None
    prompts: Mapping[str, str]

    def get_embedding_dimension(self) -> int: ...
    def encode_query(self, inputs: Sequence[str], **options: Any) -> Any: ...
    def encode_document(self, inputs: Sequence[str], **options: Any) -> Any: ...
    def state_dict(self) -> Mapping[str, Any]: ...
    def children(self) -> Iterable[Any]: ...


class SentenceTransformersEmbedder:
    """An `Embedder`. Its calls take turns: the library's tokenizers keep the last call's settings."""

    def __init__(self, model: str, *, dimensions: int | None = None) -> None:
        """Load a model folder or a hub name; `dimensions` truncates its vectors.

        Raises `ConfigurationError` if the library or the model is not there.
        """
        try:
            library = importlib.import_module("sentence_transformers")
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"EMBEDDING_BACKEND=sentence-transformers needs a library that is not installed: {INSTALL}"
            ) from error
        try:
            self._model = cast("_Model", library.SentenceTransformer(model))
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"EMBEDDING_MODEL {model} cannot be loaded by sentence-transformers: name a model of the hub, such as"
                " sentence-transformers/all-MiniLM-L6-v2, or a folder that holds one with its weights"
                " (model.safetensors; an ONNX export is for EMBEDDING_BACKEND=onnx)"
            ) from error
        if self._model.max_seq_length is None:
            raise ConfigurationError(f"EMBEDDING_MODEL {model} does not say how long a text may be (max_seq_length)")
        self._lock = Lock()
        width = self._model.get_embedding_dimension()
        self.dimensions = width if dimensions is None else dimensions
        if not 0 < self.dimensions <= width:
            raise ConfigurationError(
                f"EMBEDDING_DIMENSIONS is {dimensions}, but the vectors of {model} have 1 to {width}"
            )
        prompts = (self._model.prompts.get("query", ""), self._model.prompts.get("document", ""))
        self.max_tokens = self._model.max_seq_length - max(map(self.count_tokens, prompts))
        self.fingerprint = self._fingerprint(model.rstrip("/").rpartition("/")[2])

    def _fingerprint(self, name: str) -> str:
        """Hashes the loaded weights, 1 to 2 s per GB: a hub name alone says nothing of the revision behind it."""
        model = self._model
        digest = hashlib.sha256()
        for weight, tensor in sorted(model.state_dict().items()):
            digest.update(f"{weight} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(np.ascontiguousarray(tensor.cpu().float().numpy()))
        ways = [module.pooling_mode for module in model.children() if hasattr(module, "pooling_mode")]
        parts = [ways, dict(model.prompts), model.max_seq_length, self.dimensions]
        digest.update(json.dumps(parts, sort_keys=True).encode())
        return f"sentence-transformers:{name}:{self.dimensions}:{digest.hexdigest()[:16]}"

    def count_tokens(self, text: str) -> int:
        with self._lock:
            ids: Sequence[int] = self._model.tokenizer.encode(
                text, add_special_tokens=False, truncation=False, verbose=False
            )
        return len(ids)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        with self._lock:
            vectors = self._model.encode_document(list(texts), **self._options)
        return np.asarray(vectors, np.float32).reshape(len(texts), self.dimensions)

    def embed_query(self, text: str) -> Vectors:
        with self._lock:
            vectors = self._model.encode_query([text], **self._options)
        return np.asarray(vectors, np.float32).reshape(self.dimensions)

    @property
    def _options(self) -> dict[str, Any]:
        # The library normalises after it has truncated.
        return {"truncate_dim": self.dimensions, "normalize_embeddings": True, "show_progress_bar": False}
