"""Measure what the verifier lets through: `python -m evaluation.grounding DIR --json OUT`.

Sentences of the documents, and what could be said in other words, must pass; the same with a number, a negation, a name
or the citation changed must not. Chunks and verifier are the product's.
"""

from __future__ import annotations

import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any

from evaluation import suite
from evaluation.datasets import Document, load_documents
from evaluation.mutations import MUTATIONS, Foreign, has_modal, names
from evaluation.paraphrases import PARAPHRASES, Original
from evaluation.retrieval import Bm25, product_embedder
from shared.conversation.evidence import EvidenceSet
from shared.conversation.grounding import AnswerVerifier
from shared.conversation.knowledge import PASSAGES
from shared.conversation.sentences import SentenceBuffer, spans
from shared.knowledge import markdown
from shared.knowledge.chunking import Chunker
from shared.knowledge.embedding import Embedder
from shared.knowledge.index import Chunk
from shared.knowledge.terms import terms

SEED = 1042
PAIRS = 400
"""Sentences measured, each of another passage while there are enough."""
MIN_WORDS = 6
"""A shorter sentence ("Click OK.") stands in many passages, so that no citation of it is wrong."""
MAX_WORDS = 60
_CLAIM = re.compile(r"(?!.*(?:\[!|\S{60})).*\w[.!]")


@dataclass(frozen=True, slots=True)
class Pair:
    """`original` is `chunk.text[start:end]` as its reader sees it."""

    chunk: Chunk
    start: int
    end: int
    original: Original


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claim. `exact`: a quote of it lies on the sentence it was made from."""

    kind: str
    claim: str
    passed: bool
    exact: bool
    seconds: float


def measure(name: str, documents: Sequence[Document], embedder: Embedder, *, pairs: int = PAIRS) -> dict[str, Any]:
    """Shares of true claims dropped and of false ones caught, by kind, as README.md describes them."""
    report, _ = judge(name, documents, embedder, pairs=pairs)
    return report


def judge(
    name: str, documents: Sequence[Document], embedder: Embedder, *, pairs: int = PAIRS
) -> tuple[dict[str, Any], list[tuple[Pair, bool, Outcome]]]:
    """The report, and each claim (with whether it is true) for those who want to see them."""
    chunker = Chunker(embedder)
    chunks = [
        _as_evidence(chunk)
        for d in documents
        for chunk in chunker.chunk(
            markdown.clean(d.text), document=d.name, version="1", title=d.title, metadata={"title": d.title}
        )
    ]
    print(f"{len(documents)} documents, {len(chunks)} chunks", file=sys.stderr, flush=True)
    chance = Random(SEED)  # noqa: S311
    ranking = Bm25(chunks)
    all_names = _names(chunks)
    judged: list[tuple[Pair, bool, Outcome]] = []
    for pair in _pairs(chunks, chance, pairs):
        evidence = _evidence(pair, chunks, ranking)
        cited = chance.randrange(len(evidence)) + 1
        numbered = _numbered(evidence[1:], pair.chunk, cited)
        said = _said([pair.chunk])
        foreign = Foreign([n for n in chance.sample(all_names, min(30, len(all_names))) if _plain(n) not in said])
        true = _true_claims(pair.original, chance)
        judged += [(pair, True, _verified(numbered, kind, claim, cited, pair)) for kind, claim in true]
        false = _false_claims(pair.original, true, chance, foreign, said, numbered, cited)
        judged += [(pair, False, _verified(numbered, kind, claim, at, pair)) for kind, claim, at in false]
    return _report(name, judged), judged


def _as_evidence(chunk: Chunk) -> Chunk:
    """With the text that a turn sees of it: without links to places unknown."""
    seen = _numbered([], chunk, 1).get(1)
    return replace(chunk, text=seen.content) if seen else chunk


def _names(chunks: Sequence[Chunk]) -> list[str]:
    """Names that are written in capitals throughout the corpus."""
    texts = [_seen(chunk.text[a:b]) for chunk in chunks for a, b in spans(chunk.text)]
    small = {word for text in texts for word in re.findall(r"\b[a-z]+\b", text)}
    return sorted({n for text in texts for n in names(text) if not any(w.lower() in small for w in n.split())})


def _pairs(chunks: Sequence[Chunk], chance: Random, wanted: int) -> Iterator[Pair]:
    """Sentences of running text and lists, one of each chunk in random order."""
    made = 0
    for chunk in chance.sample(list(chunks), len(chunks)):
        options = list(_sentences(chunk))
        if options and made < wanted:
            made += 1
            yield chance.choice(options)


def _sentences(chunk: Chunk) -> Iterator[Pair]:
    outside = [(a, b) for a, b, _, _ in markdown.headings(chunk.text)]
    outside += [
        (at, at + len(line)) for at, line, code in markdown.lines(chunk.text) if code or line.lstrip().startswith("|")
    ]
    found = [(a, b) for a, b in spans(chunk.text) if not any(a < end and b > start for start, end in outside)]
    for i, (start, end) in enumerate(found):
        text = _seen(chunk.text[start:end])
        if not MIN_WORDS <= len(text.split()) <= MAX_WORDS or not _CLAIM.fullmatch(text) or not _is_one(text):
            continue
        following = ""
        if i + 1 < len(found) and "\n" not in chunk.text[end : found[i + 1][0]]:
            following = _seen(chunk.text[slice(*found[i + 1])])
        yield Pair(chunk, start, end, Original(text, following, str(chunk.metadata.get("title", ""))))


def _seen(sentence: str) -> str:
    """Without list mark and Markdown, as a model would repeat it."""
    return markdown.plain(re.sub(r"^(?:[-*+•>]|\d+[.)])\s+", "", sentence.strip()))


def _is_one(claim: str) -> bool:
    buffer = SentenceBuffer()
    return len([*buffer.feed(claim), *buffer.finish()]) == 1


def _evidence(pair: Pair, chunks: Sequence[Chunk], ranking: Bm25) -> list[Chunk]:
    """The pair's chunk, and the others that share most with it: what a search would have found beside it."""
    scores = ranking.scores(pair.original.text)
    order = (chunks[int(i)] for i in (-scores).argsort(kind="stable")[: PASSAGES + 20])
    return [pair.chunk, *[chunk for chunk in order if chunk.id != pair.chunk.id][: PASSAGES - 1]]


def _numbered(others: Sequence[Chunk], own: Chunk, position: int) -> EvidenceSet:
    evidence = EvidenceSet()
    for chunk in [*others[: position - 1], own, *others[position - 1 :]]:
        evidence.add(
            id=chunk.id,
            heading=chunk.breadcrumb,
            content=chunk.text,
            distance=0.3,
            relevance=0.9,
            metadata=chunk.metadata,
        )
    return evidence


def _true_claims(original: Original, chance: Random) -> list[tuple[str, str]]:
    """Of each kind that applies one, and `twice`: two kinds, one after the other."""
    made: list[tuple[str, str]] = []
    for kind, paraphrase in PARAPHRASES.items():
        text = paraphrase(original, chance)
        if text and _is_one(text) and (kind == "same" or text != original.text):
            made.append((kind, text))
    if len(made) > 1:
        first = chance.choice(made[1:])
        again = replace(original, text=first[1], following="")
        kinds = [kind for kind in PARAPHRASES if kind not in ("same", first[0])]
        for kind in chance.sample(kinds, len(kinds)):
            text = PARAPHRASES[kind](again, chance)
            if text and text != first[1] and _is_one(text):
                return [*made, ("twice", text)]
    return made


def _false_claims(  # noqa: PLR0917 - all of one pair
    original: Original,
    true: Sequence[tuple[str, str]],
    chance: Random,
    foreign: Foreign,
    said: str,
    numbered: EvidenceSet,
    cited: int,
) -> Iterator[tuple[str, str, int]]:
    """Kind, claim and citation: each mutation of the sentence itself and of one of its paraphrases."""
    sources = [true[0][1], *[claim for _, claim in chance.sample(true[1:], min(1, len(true) - 1))]]
    for source in sources:
        for kind, mutate in MUTATIONS.items():
            if kind == "modality" and not has_modal(original.text):
                continue  # "you can", put before an instruction, is no weaker than "you must"
            claim = mutate(source, chance, foreign)
            if claim and claim != source and _is_one(claim) and _plain(claim) not in said:
                yield kind, claim, cited
        wrong = [
            e
            for e in numbered
            if e.number != cited
            and not any(_says(e.heading, e.content, set(terms(claim))) for claim in (source, original.text))
        ]
        if wrong:
            yield "citation_swapped", source, chance.choice(wrong).number
        yield "citation_unknown", source, len(numbered) + 1


def _says(heading: str, content: str, wanted: set[str]) -> bool:
    """Whether one sentence, under its heading, has every word of the claim: then citing it is not wrong."""
    above = set(terms(heading))
    return any(wanted <= above | set(terms(content[start:end])) for start, end in spans(content))


def _said(chunks: Sequence[Chunk]) -> str:
    return " ".join(_plain(f"{chunk.breadcrumb} {_seen(chunk.text)}") for chunk in chunks)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _verified(evidence: EvidenceSet, kind: str, claim: str, cited: int, pair: Pair) -> Outcome:
    verifier = AnswerVerifier(evidence)
    start = time.perf_counter()
    pieces = [*verifier.feed(f"{claim} [{cited}]"), *verifier.finish()]
    seconds = time.perf_counter() - start
    exact = any(s.id == pair.chunk.id and s.start < pair.end and s.end > pair.start for s in verifier.sources)
    return Outcome(kind, claim, bool(pieces) and not verifier.dropped, exact, seconds)


def _report(name: str, judged: Sequence[tuple[Pair, bool, Outcome]]) -> dict[str, Any]:
    groups: dict[bool, dict[str, list[Outcome]]] = {True: defaultdict(list), False: defaultdict(list)}
    for _, is_true, outcome in judged:
        groups[is_true][outcome.kind].append(outcome)
    true, false = groups[True], groups[False]
    times = [outcome.seconds * 1000 for _, _, outcome in judged]
    return {
        "suite": "grounding",
        "dataset": name,
        "pairs": len({id(pair) for pair, _, _ in judged}),
        "true": {
            "all": _dropped([o for outcomes in true.values() for o in outcomes]),
            **{k: _dropped(true[k]) for k in [*PARAPHRASES, "twice"] if k in true},
        },
        "false": {
            "all": _caught([o for outcomes in false.values() for o in outcomes]),
            **{k: _caught(v) for k, v in false.items()},
        },
        "ms_per_sentence": {"p50": median(times), "p95": quantiles(times, n=20)[-1]},
    }


def _dropped(outcomes: Sequence[Outcome]) -> dict[str, float]:
    passed = [outcome for outcome in outcomes if outcome.passed]
    return {
        "claims": len(outcomes),
        "dropped": 1 - len(passed) / len(outcomes),
        "cited_exactly": sum(outcome.exact for outcome in passed) / (len(passed) or 1),
    }


def _caught(outcomes: Sequence[Outcome]) -> dict[str, float]:
    return {"claims": len(outcomes), "caught": sum(not outcome.passed for outcome in outcomes) / len(outcomes)}


def table(report: Mapping[str, Any]) -> str:
    times = report["ms_per_sentence"]
    lines = [
        (
            f"{report['dataset']}, {report['pairs']} sentences; "
            f"{times['p50']:.2f} ms a claim (p50), {times['p95']:.2f} ms (p95)"
        ),
        f"{'true claims':22}{'claims':>8}{'dropped':>10}{'cited':>10}",
        *(
            f"{kind:22}{row['claims']:8}{row['dropped']:10.1%}{row['cited_exactly']:10.1%}"
            for kind, row in report["true"].items()
        ),
        f"{'false claims':22}{'claims':>8}{'caught':>10}",
        *(f"{kind:22}{row['claims']:8}{row['caught']:10.1%}" for kind, row in report["false"].items()),
    ]
    return "\n".join(lines)


async def run(folder: Path) -> dict[str, Any]:
    return measure(folder.name, load_documents(folder), product_embedder())


def main(arguments: Sequence[str] | None = None) -> None:
    suite.main("grounding", run, table, arguments)


if __name__ == "__main__":
    main()
