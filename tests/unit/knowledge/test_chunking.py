from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.knowledge import chunking
from shared.knowledge.chunking import Chunker, columns_as_heading, columns_of_heading
from shared.knowledge.index import Chunk
from tests.fakes import HashEmbedder

embedder = HashEmbedder()


def chunks(text: str, *, title: str = "Guide", document: str = "guide.md", max_tokens: int = 256) -> list[Chunk]:
    chunker = Chunker(HashEmbedder(max_tokens=max_tokens))
    return list(chunker.chunk(text, document=document, version="v1", title=title, metadata={"source": document}))


def words(number: int, word: str = "word") -> str:
    return " ".join(f"{word}{n}" for n in range(number))


def test_a_section_is_a_passage_and_its_headings_the_breadcrumb() -> None:
    text = f"# Guide\n\n{words(150, 'intro')}\n\n## Cleaning\n\n{words(150, 'a')}\n\n### Filter\n\n{words(150, 'b')}\n"
    intro, cleaning, filters = chunks(text)
    assert (intro.breadcrumb, intro.text) == ("Guide", words(150, "intro"))
    assert (cleaning.breadcrumb, cleaning.text) == ("Guide › Cleaning", words(150, "a"))
    assert (filters.breadcrumb, filters.text) == ("Guide › Cleaning › Filter", words(150, "b"))
    assert filters.embedded_text == f"Guide › Cleaning › Filter\n{words(150, 'b')}"
    assert [c.metadata for c in (intro, filters)] == [
        {"source": "guide.md"},
        {"source": "guide.md", "section": "Cleaning › Filter"},
    ]


def test_a_passage_knows_how_many_its_document_has() -> None:
    text = f"# Guide\n\n{words(150, 'a')}\n\n## Care\n\n{words(150, 'b')}\n\n## Filter\n\n{words(150, 'c')}\n"
    assert [c.document_chunks for c in chunks(text)] == [3, 3, 3]


def test_a_passage_knows_its_page() -> None:
    text = f"# Guide\n\n{words(150, 'a')}\n\n## Care\n\n{words(150, 'b')}\n\n## Filter\n\n{words(150, 'c')}\n"
    care = text.index("## Care")
    found = Chunker(embedder).chunk(
        text, document="g.pdf", version="v1", title="Guide", metadata={}, pages=(0, care, care, len(text))
    )
    assert [chunk.metadata["page"] for chunk in found] == [1, 3, 3]
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found)


def test_short_sections_under_one_heading_share_a_passage() -> None:
    text = f"## Setup\n\n### 1. Unpack\n\nOpen it.\n\n### 2. Rinse\n\nFill it.\n\n## Care\n\n{words(200)}\n"
    setup, care = chunks(text)
    assert (setup.breadcrumb, setup.text) == ("Guide › Setup", "### 1. Unpack\n\nOpen it.\n\n### 2. Rinse\n\nFill it.")
    assert care.breadcrumb == "Guide › Care"


def test_no_heading_is_lost_by_sharing() -> None:
    text = "## A\n\n### A1\n\nfirst\n\n### A2\n\nsecond\n\n## B\n\nthird\n\n## C\n\nfourth\n"
    first, second = chunks(text)
    assert (first.breadcrumb, first.text) == ("Guide › A", "### A1\n\nfirst\n\n### A2\n\nsecond")
    assert (second.breadcrumb, second.text) == ("Guide", "## B\n\nthird\n\n## C\n\nfourth")


def test_a_heading_with_nothing_under_it_is_text() -> None:
    assert [(c.breadcrumb, c.text) for c in chunks("# Guide\n\n## Call 0800 123\n")] == [("Guide", "## Call 0800 123")]
    assert [(c.breadcrumb, c.text) for c in chunks("# Call 0800 123\n\n---")] == [("Guide", "# Call 0800 123\n\n---")]


def test_a_long_section_is_split_between_paragraphs() -> None:
    paragraphs = [words(90, letter) for letter in "abcd"]
    passages = chunks("## S\n\n" + "\n\n".join(paragraphs))
    assert [c.text for c in passages] == ["\n\n".join(paragraphs[:2]), "\n\n".join(paragraphs[2:])]


def test_no_text_is_measured_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are most of the work of splitting."""
    counted: list[str] = []
    count_tokens = HashEmbedder.count_tokens
    monkeypatch.setattr(
        HashEmbedder, "count_tokens", lambda self, text: counted.append(text) or count_tokens(self, text)
    )
    text = "# Guide\n\n" + "\n\n".join(f"## S{n}\n\n{words(60 * n, f'w{n}x')}" for n in range(1, 6))
    assert len(chunks(text)) > 5
    assert len(counted) == len(set(counted))


def test_headings_in_code_are_no_headings() -> None:
    [only] = chunks("Run:\n\n```sh\n# not a heading\n```\n")
    assert only.breadcrumb == "Guide"


def test_rows_of_a_long_table_carry_its_columns() -> None:
    rows = "\n".join(f"| KX-{n} | Part number {n} | {n}.95 |" for n in range(100))
    first, *others = chunks(
        f"## Parts\n\n| Number | **Part** | Price |\n| --- | --- | --- |\n{rows}\n\nPrices with VAT.\n"
    )
    assert first.breadcrumb == "Guide › Parts"
    assert first.text.startswith("| Number |")
    assert {c.breadcrumb for c in others[:-1]} == {"Guide › Parts › Number, Part, Price"}
    assert all(line.startswith("| KX-") and line.endswith("95 |") for c in others[:-1] for line in c.text.split("\n"))


@pytest.mark.parametrize("names", [["Number", "Part"], ["Country", "Standard, working days", "Price, with VAT"]])
def test_columns_can_be_read_from_their_heading(names: list[str]) -> None:
    assert columns_of_heading(columns_as_heading(names)) == names


def test_a_breadcrumb_leaves_room_for_the_text() -> None:
    heading = words(120, "long")
    text = f"# Guide\n\n## {heading}\n\n### {heading}\n\n#### {heading}\n\n##### {heading}\n\n{words(400)}"
    passages = chunks(text, max_tokens=128)
    assert len(passages) > 3
    for passage in passages:
        assert passage.breadcrumb.startswith("Guide › long0")
        assert embedder.count_tokens(passage.breadcrumb) <= 32
        assert embedder.count_tokens(passage.embedded_text) <= 128


def test_ids_are_stable_and_tell_apart_equal_passages() -> None:
    text = f"## A\n\n{words(190)}\n\n## B\n\n{words(190)}\n\n## B\n\n{words(190)}\n"
    before = chunks(text)
    assert len({c.id for c in before}) == len(before) == 3
    after = chunks(f"{words(200, 'new')}\n\n{text}")
    assert [replace(c, start=0, end=0, document_chunks=3) for c in after[1:]] == [
        replace(c, start=0, end=0) for c in before
    ]
    assert {c.id for c in chunks(text, document="other.md")}.isdisjoint(c.id for c in before)
    assert {c.id for c in chunks(text, title="Other")}.isdisjoint(c.id for c in before)


@pytest.mark.parametrize("text", ["", "\n \n", "---\n", "| --- |\n", "***\n\n...\n"])
def test_nothing_to_read_makes_no_passage(text: str) -> None:
    assert chunks(text) == []


def test_a_page_of_base64_does_not_become_one_passage() -> None:
    text = "QUJD" * 5000  # one word: a tokenizer may count it as a single token
    passages = chunks(text)
    assert max(len(c.text) for c in passages) <= chunking.TARGET_TOKENS * chunking.MAX_CHARS_PER_TOKEN
    assert "".join(c.text for c in passages) == text


BLOCKS = st.sampled_from(
    [
        "# One",
        "## Two",
        "### Three ###",
        "Setext\n===",
        "---",
        "#",
        "Plain text, a few words. And a second sentence!",
        "* item\n* item two\n  * nested",
        "1. first\n2. second",
        "> quoted",
        "```\n# code\n```",
        "\t code",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "<b>html</b>",
        "[link](https://x.example)",
        "Umläute – 尺寸 👩‍👩‍👧",
        words(300),
        "a" * 400,
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS | st.text(max_size=40), max_size=25).map("\n\n".join), st.sampled_from([24, 64, 256]))
def test_passages_are_exact_slices_in_order_without_overlap(text: str, max_tokens: int) -> None:
    passages = chunks(text, max_tokens=max_tokens)
    position = 0
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert passage.start >= position
        assert any(map(str.isalnum, passage.text))
        assert embedder.count_tokens(passage.embedded_text) <= max_tokens
        position = passage.end
    assert len({c.id for c in passages}) == len(passages)
    # Every word is found in a passage, or in the breadcrumb of one.
    found = " ".join(f"{c.breadcrumb} {c.text}" for c in passages)
    assert {word for word in text.split() if word.startswith("word")} <= set(found.split())
    assert bool(passages) == any(map(str.isalnum, text))
