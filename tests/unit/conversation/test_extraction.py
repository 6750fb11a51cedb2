from dataclasses import replace

from shared.conversation.extraction import Candidate, extract

PASSWORD = Candidate(
    1,
    "Password and two-factor login › Reset your password",
    "## Reset your password\n\nIf you forgot it, do this:\n\n1. Open the sign-in page.\n2. Select Forgot password.\n"
    "3. Follow the link in the e-mail, which is valid for 60 minutes.\n\nWe never ask for your password by phone.",
    0.9,
)
RETURNS = Candidate(
    2,
    "Returns › Window",
    "You can return an item within 30 days. Opened coffee is not taken back. Return labels are free in the EU. "
    "A refund reaches you within 5 working days. Gift cards cannot be returned.",
    0.7,
)
CODES = Candidate(
    3,
    "Manual › Error codes",
    "| Code | Meaning | What to do |\n|---|---|---|\n"
    "| E-21 | Water tank empty | Fill the tank |\n| E-22 | Pump blocked | Descale |",
    0.6,
)


def test_steps_come_whole_and_each_cited() -> None:
    answer = "".join(extract("How do I reset my password?", [PASSWORD, RETURNS]))
    assert answer.startswith(
        "If you forgot it, do this: [1]\n1. Open the sign-in page. [1]\n2. Select Forgot password. [1]\n"
    )
    assert "valid for 60 minutes. [1]" in answer


def test_of_a_long_paragraph_only_the_sentences_that_matter() -> None:
    filler = "Our warehouse in Cork was built in a former mill and has room for many machines. "
    passage = replace(RETURNS, text=filler * 5 + RETURNS.text + filler * 5)
    answer = "".join(extract("When do I get my refund?", [passage, PASSWORD]))
    assert "A refund reaches you within 5 working days. [2]" in answer
    assert len(answer) < 300


def test_of_a_long_passage_the_block_that_matters_and_what_surrounds_it() -> None:
    sections = [f"Paragraph {i} is about the colour of part {i}, " + "which is blue. " * 20 for i in range(5)]
    sections[2] = "Refunds take 5 working days."
    answer = "".join(extract("How long do refunds take?", [replace(RETURNS, text="\n\n".join(sections))]))
    assert "Refunds take 5 working days. [2]" in answer
    assert "Paragraph 0" not in answer


def test_a_code_finds_its_table_row() -> None:
    assert extract("What does E-22 mean?", [PASSWORD, CODES]) == [
        "Code: E-22 — Meaning: Pump blocked — What to do: Descale [3]"
    ]


SHIPPING = Candidate(
    4,
    "Delivery › Shipping zones",
    "Each country is in a zone:\n\n| Country | Zone | Free from |\n|---|---|---|\n"
    "| Ireland | Zone 1 | €50 |\n| France | Zone 2 | €75 |\n"
    "| Norway | Zone 4 | never free |\n| Spain | Zone 3 | €120 |\n\n"
    "The order value is what you pay for goods.",
    0.8,
)
SPAIN = "Country: Spain — Zone 3 — Free from: €120 [4]"


def test_of_a_table_the_rows_that_the_question_names_after_what_leads_to_them() -> None:
    assert extract("Which shipping zone is Spain in?", [SHIPPING]) == ["Each country is in a zone: [4]\n", SPAIN]
    answer = "".join(extract("Are Norway and Spain in the same zone?", [SHIPPING]))
    assert [line.partition(" —")[0] for line in answer.splitlines()[1:]] == ["Country: Norway", "Country: Spain"]


def test_a_follow_up_is_read_with_the_message_before_it_but_names_rows_by_itself() -> None:
    assert extract("And Spain?", [PASSWORD, SHIPPING], before="Which zone is Norway in?")[-1] == SPAIN
    answer = "".join(
        extract("And from which order value is it free?", [PASSWORD, SHIPPING], before="Is Norway in Zone 4?")
    )
    assert "Country: Norway" in answer
    assert SPAIN in answer


def test_what_this_message_says_counts_more_than_the_one_before_it() -> None:
    refunds = replace(RETURNS, number=5, heading="Refunds", text="A refund takes 5 days.")
    labels = replace(RETURNS, number=6, heading="Labels", text="A label costs nothing.")
    assert extract("And the label?", [refunds, labels], before="And the refund?") == ["A label costs nothing. [6]"]


def test_a_table_of_which_no_row_is_named_is_given_with_its_columns() -> None:
    answer = "".join(extract("How much must I spend to get free shipping to Lyon?", [SHIPPING]))
    assert "Country: Norway — Zone 4 — Free from: never free [4]" in answer
    assert SPAIN in answer


def test_the_later_part_of_a_cut_table_has_its_columns_in_the_heading() -> None:
    heading = "Delivery › Shipping zones › Country, Zone, Free from"
    later = replace(SHIPPING, heading=heading, text="| Spain | Zone 3 | €120 |\n| Sweden | Zone 3 | €120 |\n")
    assert extract("Which zone is Spain in?", [later]) == [SPAIN]


def test_call_out_marks_and_tables_of_contents_are_no_answer() -> None:
    page = "In this article:\n\n* [Linux](#linux)\n* [Windows](#windows)\n\n> [!NOTE]\n> Close the port first.\n\n"
    page += "Run this:\n\n```\nsudo usermod -a -G dialout $USER\n```\n"
    answer = "".join(extract("How do I open the port?", [Candidate(1, "Ports", page, 0.9)]))
    assert answer == "Close the port first. [1]\n\nRun this: [1]\n`sudo usermod -a -G dialout $USER` [1]"


def test_no_candidates_no_answer() -> None:
    assert extract("anything?", []) == []
