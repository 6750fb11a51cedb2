from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.blocks import Block, sections

PAGE = """Opening words.

## Steps

1. Open it.
   Be careful.

2. Close it.

---

## Prices

- **Small:** one euro
  - with a lid
- **Large:** two euros

| Plan | Price |
|---|---|
| Home | €1 |
| House | €2 |

| Plan | Price |
|---|---|
| Office | €3 |

**It hums.** Empty it.

```
run this
run that
```
"""


def test_a_passage_is_its_sections_and_their_blocks() -> None:
    found = {
        section.heading: [(block.kind, block.lines) for block in section.blocks] for section in sections(PAGE, "T")
    }
    assert found == {
        "": [("paragraph", ("Opening words.",))],
        "Steps": [("list", ("1. Open it. Be careful.", "2. Close it."))],
        "Prices": [
            ("list", ("- **Small:** one euro", "  - with a lid", "- **Large:** two euros")),
            ("table", ("Plan: Home — Price: €1", "Plan: House — Price: €2")),
            ("table", ("Plan: Office — Price: €3",)),
            ("paragraph", ("**It hums.**", "Empty it.")),
            ("code", ("`run this`", "`run that`")),
        ],
    }


def test_a_call_out_is_read_like_other_text() -> None:
    (section,) = sections("> [!NOTE]\n> Buy here:\n>\n> * at **ours**\n> * nowhere else\n", "T")
    assert section.blocks == (Block("paragraph", ("Buy here:",)), Block("list", ("* at **ours**", "* nowhere else")))
    assert section.blocks[0].leads
    (section,) = sections("1. Press OK.\n\n   > Wait.\n\n2. Done.\n", "T")
    assert section.blocks == (Block("list", ("1. Press OK. Wait.", "2. Done.")),)


def test_what_comes_first_stands_under_the_lowest_heading_that_is_no_title_and_no_column() -> None:
    def heading(text: str, breadcrumb: str) -> str:
        return sections(text, breadcrumb)[0].heading

    assert heading("Text.", "Title") == ""
    assert heading("Text.", "Title › Chapter › Part") == "Part"
    assert heading("| Home | €1 |\n", "Title › Part › Plan, Price") == "Part"


def test_entries_stand_by_themselves_and_steps_do_not() -> None:
    _, steps, prices = [section.blocks for section in sections(PAGE, "T")]
    assert steps[0].in_order
    assert steps[0].entries() == []
    assert [block.entries() for block in prices] == [[(0, 2), (2, 3)], [(0, 1), (1, 2)], [(0, 1)], [(0, 2)], []]


def test_sentences_of_a_list_are_told_without_its_marks() -> None:
    block = Block("list", ("1. Wait. Then go.", "2. Stop."))
    assert [sentence.lines for sentence in block.sentences()] == [("Wait.",), ("Then go.",), ("Stop.",)]


@given(st.text(alphabet="ab#|-*1. `\n>"), st.sampled_from(["T", "T › P"]))
def test_no_block_is_empty(text: str, breadcrumb: str) -> None:
    assert all(block.lines for section in sections(text, breadcrumb) for block in section.blocks)
