from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.tables import rows
from shared.knowledge import markdown

ZONES = "Zones:\n\n| Country | Zone | |\n|---|---|---|\n| Norway | Zone 4 | slow |\n| Spain | | |\n\nThat is all.\n"


def test_a_row_names_its_columns_where_they_have_a_name_and_the_cell_does_not_begin_with_it() -> None:
    assert [row.text for row in rows(ZONES, "Delivery")] == ["Country: Norway — Zone 4 — slow", "Country: Spain"]


def test_a_row_stands_where_it_says() -> None:
    assert [ZONES[row.start : row.end] for row in rows(ZONES, "")] == ["| Norway | Zone 4 | slow |", "| Spain | | |"]


def test_each_table_has_columns_of_its_own() -> None:
    other = "| Plan | Price |\n|---|---|\n| Home | €17.90 |\n"
    assert [row.text for row in rows(f"{ZONES}\n{other}", "")][-1] == "Plan: Home — Price: €17.90"


def test_a_part_that_begins_with_rows_has_its_columns_in_the_heading() -> None:
    part = "| Spain | Zone 3 |\n\nSee also:\n\n| Plan | Price |\n"
    assert [row.text for row in rows(part, "Delivery › Country, Zone")] == ["Country: Spain — Zone 3", "Plan — Price"]


def test_a_column_whose_name_has_a_comma_is_one() -> None:
    [row] = rows("| Spain | 5–8 |\n", "Delivery › Country; Standard, working days")
    assert row.text == "Country: Spain — Standard, working days: 5–8"


def test_columns_that_do_not_fit_name_nothing() -> None:
    assert [row.text for row in rows("| Spain | Zone 3 | yes |\n", "Delivery › Country, Zone")] == [
        "Spain — Zone 3 — yes"
    ]


def test_what_only_looks_like_a_table_is_none() -> None:
    assert rows("```\n| a | b |\n|---|---|\n| c | d |\n```\n", "") == ()


@given(st.lists(st.lists(st.text(), min_size=1, max_size=4), min_size=1, max_size=6), st.text())
def test_every_row_can_be_cut_out_again(cells: list[list[str]], heading: str) -> None:
    text = markdown.clean(markdown.table(cells))
    for row in rows(text, heading):
        assert text[row.start : row.end].startswith("|")
        assert row.text
