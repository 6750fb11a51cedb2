from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge import markdown


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\r\nb\rc\fd", "a\nb\nc\n\nd"),
        ("a  \n\n\n\n\nb\t\n", "a\n\nb"),
        ("reset\u200b the\u00ad\u00a0ma\u00adchine\ufeff", "reset the machine"),
        (
            "a\u200db\u200e\u061c \u2064c ❤\ufe0f\ufe01\ufe02 👩\u200d🚀 می\u200cخواهم",
            "ab c ❤\ufe0f 👩\u200d🚀 می\u200cخواهم",
        ),
        ("a <span style='Display: none'>secret</span>b <div hidden>secret</div><p class=hint>seen</p>", "a b  seen"),
        ("open\u202egnp.exe\u202c now \U000e0041\U000e0042", "opengnp.exe now"),
        ("e\u0301 ﬁlter oﬃce 10 m²", "é filter office 10 m²"),
        ("seen <!-- hidden\n\nstill hidden --> again", "seen  again"),
        ("seen <!-- never closed", "seen <!-- never closed"),
        ("a<br>b <b>c</b> <a id='x'></a>d", "a b c d"),
        ("before <SCRIPT src=x>\nalert(1)\n</script > after", "before  after"),
        ("put your <name> and a < b, c > d", "put your <name> and a < b, c > d"),
        ("![a screenshot](data:image/png;base64,AAAA) then ![](x.png) end", "a screenshot then  end"),
        ("[ok](https://x.example/a_(b)?c=1) [rel](../a.md) [mail](mailto:a@b.example)",) * 2,
        ("[click](javascript:alert(1)) [file](file:///etc/passwd) [x](  DATA:text/html,1 )", "click file x"),
        ("[a](java&#115;cript:x) [b](java\tscript:x) [](https://x.example)", "a b "),
        ("<https://x.example> <javascript:x> <mailto:a@b.example>", "<https://x.example>  <mailto:a@b.example>"),
        ("[![logo](l.png)](https://x.example)", "[logo](https://x.example)"),
        ("[ref]: https://x.example\n[bad]: javascript:x", "[ref]: https://x.example"),
        ("| a      | b |\n|:-------|-----------:|\n| 1      |   2 |", "| a | b |\n|:---|---:|\n| 1 | 2 |"),
        ("Type `<b>` and `[a](javascript:x)`", "Type `<b>` and `a`"),
    ],
)
def test_clean(text: str, kept: str) -> None:
    assert markdown.clean(text) == kept.rstrip()


def test_code_blocks_stay_as_they_are() -> None:
    code = "```html\n<!-- a comment --> <b>x</b> ![i](i.png)\n| a    | b |\n```"
    assert markdown.clean(f"Add this:\n\n{code}\n\n<b>Done</b>") == f"Add this:\n\n{code}\n\nDone"


@given(st.text(alphabet=st.sampled_from("ab #|-`~[]()<>!:\n\r\t\f*_&;.\u200bé\u0301ﬁ"), max_size=200) | st.text())
def test_clean_text_is_clean(text: str) -> None:
    once = markdown.clean(text)
    assert unicodedata.is_normalized("NFC", once)
    assert not any(c < " " and c not in "\n\t" for c in once)
    assert "\n\n\n" not in once
    assert all(line == line.rstrip() for line in once.split("\n"))


def test_headings() -> None:
    text = (
        "# One\n\ntext\n## **Two** [link](https://x.example) `code` ##\n### C#\nSetext one\n===\n\nSetext two\n---\n\n"
        "a paragraph\nof two lines\n---\n- item\n---\n```\n# code\n```\n"
        "#no heading\n####### neither\n###### Six {#anchor}"
    )
    found = [(level, name) for _, _, level, name in markdown.headings(text)]
    assert found == [(1, "One"), (2, "Two link code"), (3, "C#"), (1, "Setext one"), (2, "Setext two"), (6, "Six")]
    assert [text[start:end] for start, end, *_ in markdown.headings(text)][2:4] == ["### C#\n", "Setext one\n===\n"]


def test_a_code_span_of_three_backticks_opens_no_block() -> None:
    assert [name for *_, name in markdown.headings("```inline``` text\n\n# Title")] == ["Title"]


@given(st.text(alphabet=st.sampled_from("ab\n `~\r\u2028\f"), max_size=100))
def test_lines_are_the_text(text: str) -> None:
    assert "".join(line for _, line, _ in markdown.lines(text)) == text
    assert all(text.startswith(line, start) for start, line, _ in markdown.lines(text))


def test_front_matter() -> None:
    text = (
        "---\ntitle: Returns & refunds\nURL: https://x.example/returns\ntags: [money, back]\ndate: 2026-03-01\n"
        "nested: {a: b}\nempty:\nno good key!: x\n---\n# Returns\n"
    )
    metadata, rest = markdown.split_front_matter(text)
    assert metadata == {
        "title": "Returns & refunds",
        "url": "https://x.example/returns",
        "tags": "money, back",
        "date": "2026-03-01",
    }
    assert rest == "# Returns\n"


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nA rule above.\n",
        "---\njust a sentence\n---\ntext",
        "---\n- a\n- list\n---\ntext",
        "---\na: [b\n---\ntext",
        "text\n---\na: b\n---\n",
        "---\na: " + "[" * 3000 + "\n---\ntext",
    ],
)
def test_what_is_no_front_matter_is_content(text: str) -> None:
    assert markdown.split_front_matter(text) == ({}, text)


def test_front_matter_cannot_say_where_a_passage_stands() -> None:
    values = {"page": "3", "source": "other.md", "section": "x", "attachment": "true", "audience": "owners"}
    assert markdown.metadata(values) == {"audience": "owners"}


@given(st.lists(st.tuples(st.text("ab\n |-", max_size=8), st.integers(0, 3), st.booleans()), max_size=8))
def test_pages_begin_where_their_text_does(found: list[tuple[str, int, bool]]) -> None:
    page, parts = 1, []
    for text, further, below in found:
        page += further
        parts.append(markdown.Part(text, page, below))
    text, pages = markdown.join(parts)
    assert list(pages) == sorted(pages)
    for part in parts:
        if cleaned := markdown.clean(part.text):
            end = pages[part.page] if part.page < len(pages) else len(text)
            assert cleaned in text[pages[part.page - 1] : end]


def test_an_address_that_is_none_is_dropped() -> None:
    assert markdown.metadata({"url": "javascript:alert(1)", "product": " Solo\u200b "}) == {"product": "Solo"}


@given(st.lists(st.lists(st.text(alphabet="ab|\\ \n\té", max_size=5), min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_row_of_a_table_is_a_line(rows: list[list[str]]) -> None:
    lines = markdown.table(rows).split("\n")
    assert len(lines) == len(rows) + 1
    assert markdown.is_table_rule(lines[1])


def test_cells() -> None:
    [header, _, row] = markdown.table([["Name", "**Price** in €"], ["a | b", ""]]).split("\n")
    assert markdown.cells(header) == ["Name", "Price in €"]
    assert markdown.cells(row) == ["a | b", ""]
