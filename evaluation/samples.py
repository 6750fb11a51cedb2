"""The sample company's documents and questions as a set like any other."""

from __future__ import annotations

import json
from pathlib import Path

from shared.errors import DocumentRejected
from shared.knowledge.parsing import DocumentParser

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
FOLLOW_UPS = ROOT / "evaluation" / "data" / "followup" / "queries.jsonl"


async def write(folder: Path) -> Path:
    """Make `folder/kavendry` and `folder/kavendry_conversations`, of the same documents; returns `folder`."""
    corpus = await _corpus()
    questions = [json.loads(line) for line in (SAMPLES / "questions.jsonl").read_text("utf-8").splitlines()]
    queries = [
        {"qid": f"kavendry-{number}", "text": row["question"], "rel": [row["document"], *row.get("also", [])]}
        for number, row in enumerate(questions)
        if row.get("document")
    ]
    conversations = [json.loads(line) for line in FOLLOW_UPS.read_text("utf-8").splitlines()]
    for name, rows in (("kavendry", queries), ("kavendry_conversations", conversations)):
        (folder / name).mkdir(parents=True)
        _write(folder / name / "corpus.jsonl", corpus)
        _write(folder / name / "queries.jsonl", rows)
    return folder


async def _corpus() -> list[dict[str, str]]:
    documents = SAMPLES / "documents"
    parser = DocumentParser(timeout=60, memory_mb=1024, max_bytes=50_000_000)
    rows: list[dict[str, str]] = []
    try:
        for file in sorted(path for path in documents.rglob("*") if path.is_file()):
            name = file.relative_to(documents).as_posix()
            try:
                parsed = await parser.parse(file.read_bytes(), name)
            except DocumentRejected:
                continue  # one sample shows what an unreadable document looks like
            rows.append({"doc_id": name, "title": parsed.title, "text": parsed.markdown})
    finally:
        await parser.close()
    return rows


def _write(file: Path, rows: list[dict[str, object]] | list[dict[str, str]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
