"""Measure how well rare codes and versions are found: `python -m evaluation.codes --json OUT`.

The documents are made from a fixed seed, so that every code stands in one place among others that differ from it in a
digit, and the same sentences are said of all. Only the code tells which document answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from evaluation.datasets import Dataset, Document, Question
from evaluation.retrieval import measure, product_embedder, table
from shared.knowledge.question import Question as Asked

SEED = 1042
QUESTIONS = 200
DOCUMENTS = 600
PRODUCTS = (
    "router",
    "label printer",
    "coffee machine",
    "heat pump",
    "bike computer",
    "scanner",
    "camera",
    "thermostat",
)
CAUSES = (
    "The connection to the server was lost",
    "The temperature sensor gives no value",
    "The memory is full",
    "The water tank is empty or not seated",
    "The paper is jammed behind the cover",
    "The certificate is out of date",
)
REMEDIES = (
    "Switch the device off, wait a minute and switch it on again.",
    "Open the cover, clean the contacts and close it until it clicks.",
    "Install the latest update in the settings under System.",
    "Send the device to the workshop; it is repaired within ten days.",
)
ASKING = (
    "My {product} shows {code}, what can I do?",
    "what does {code} mean",
    "Hello, since this morning there is {code} on the display and nothing works any more. How do I get rid of it?",
    "I need help with {code} please",
)
KINDS: tuple[tuple[str, Callable[[random.Random], str]], ...] = (
    ("Error", lambda r: f"ERR-{r.randrange(1000, 10000)}"),
    ("Fault", lambda r: f"E{r.randrange(100, 1000)}"),
    ("Part", lambda r: f"{r.choice('KLMT')}X-{r.randrange(1000, 10000)}-{r.choice('ABC')}"),
    ("Firmware", lambda r: f"{r.randrange(1, 10)}.{r.randrange(30)}.{r.randrange(30)}"),
    ("Stop code", lambda r: f"0x{r.randrange(0x1000, 0xFFFF):04X}"),
)
LOWER_CASE = 0.25
"""Share of the questions in which the customer types the code in small letters."""


def make(seed: int = SEED, *, documents: int = DOCUMENTS, questions: int = QUESTIONS) -> Dataset:
    """Equal arguments make equal sets. Every document names three codes of its own, each under a heading."""
    chance = random.Random(seed)  # noqa: S311
    used: set[str] = set()
    made: list[Document] = []
    asked: list[Question] = []
    for number in range(documents):
        product = chance.choice(PRODUCTS)
        kind, new_code = KINDS[number % len(KINDS)]
        codes = [_unused(new_code, chance, used) for _ in range(3)]
        sections = [
            f"## {chance.choice(CAUSES)}\n\n{kind} {code}: {chance.choice(CAUSES).lower()}. {chance.choice(REMEDIES)}"
            for code in codes
        ]
        made.append(Document(f"document-{number}", f"{kind} list of the {product}", "\n\n".join(sections)))
        if number < questions:
            code = chance.choice(codes)
            typed = code.lower() if chance.random() < LOWER_CASE else code
            text = chance.choice(ASKING).format(product=product, code=typed)
            asked.append(Question(Asked(text), text, frozenset({made[-1].name})))
    return Dataset("codes", made, asked)


def _unused(new_code: Callable[[random.Random], str], chance: random.Random, used: set[str]) -> str:
    while (code := new_code(chance)) in used:
        pass
    used.add(code)
    return code


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m evaluation.codes", description="Measure how codes are found.")
    parser.add_argument("--json", metavar="OUT", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    report = asyncio.run(measure(make(), product_embedder()))
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
