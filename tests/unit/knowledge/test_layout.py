"""What must hold for any words on any page."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from shared.knowledge.markdown import join
from shared.knowledge.pdf.layout import to_markdown as to_parts
from shared.knowledge.pdf.page import Page, Word


def to_markdown(pages: list[Page]) -> str:
    return join(to_parts(pages))[0]


LETTERS = st.text("abcdefghij", min_size=1, max_size=8)
PLACES = st.floats(0, 800)


@st.composite
def words(draw: st.DrawFn) -> list[Word]:
    found: list[Word] = []
    for text in draw(st.lists(LETTERS, max_size=40)):
        x = draw(PLACES)
        size = draw(st.sampled_from([6.0, 10.0, 14.0, 30.0]))
        found.append(Word(text, x, x + len(text) * size / 2, draw(PLACES), size, draw(st.booleans())))
    return found


RULES = st.lists(
    st.tuples(PLACES, PLACES, PLACES).map(lambda rule: (min(rule[:2]), max(rule[:2]), rule[2])), max_size=12
)


ON_THE_RULE = [Word("a", 0, 3, 0, 6, False), Word("a", 0, 3, 5, 6, False), Word("b", 9, 12, 524, 6, False)]
"""The last one stands on the upper edge of a table with two rules across and one down."""


@given(words(), RULES, RULES)
@example(ON_THE_RULE, [(0, 27, 0), (0, 9, 525)], [(0, 523, 0)])
def test_no_letter_of_a_page_is_lost_or_told_twice(found: list[Word], across: list, down: list) -> None:
    letters = Counter("".join(word.text for word in found))
    text = to_markdown([Page(842, found, across, [(x, low, high) for low, high, x in down])])
    assert Counter(filter(str.isalpha, text)) == letters


def line(text: str, y: float, size: float = 10, *, x: float = 72, bold: bool = False) -> list[Word]:
    placed: list[Word] = []
    for word in text.split():
        placed.append(Word(word, x, x + len(word) * size / 2, y, size, bold))
        x += (len(word) + 0.6) * size / 2
    return placed


def test_bold_lines_are_headings_below_the_larger_ones() -> None:
    page = [
        *line("Manual", 800, 20),
        *line("First use", 700, bold=True),
        *line("Fill the tank with cold water, and close it.", 680),
        *line("Note: never use hot water.", 650, bold=True),
    ]
    assert to_markdown([Page(842, page)]) == (
        "# Manual\n\n## First use\n\nFill the tank with cold water, and close it.\n\nNote: never use hot water."
    )


def test_a_paragraph_goes_on_over_the_page() -> None:
    pages = [Page(842, line("Fill the tank with cold", 200)), Page(842, line("water, and close it.", 700))]
    assert to_markdown(pages) == "Fill the tank with cold water, and close it."


def test_dots_that_lead_to_a_page_number() -> None:
    assert to_markdown([Page(842, line("Cleaning . . . . . . . . . . 12", 400))]) == "Cleaning … 12"


def test_what_repeats_in_the_middle_of_pages_is_kept() -> None:
    pages = [Page(842, [*line("Handbook", 820), *line("None.", 400), *line(f"{n}", 20)]) for n in range(1, 5)]
    assert to_markdown(pages) == "\n\n".join(["None."] * 4)


def test_a_document_of_headers_only_keeps_them() -> None:
    assert to_markdown([Page(842, line("Certificate", 820)), Page(842, line("Certificate", 820))]) == (
        "Certificate\n\nCertificate"
    )
