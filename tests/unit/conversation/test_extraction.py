from dataclasses import replace

import pytest

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


def test_a_follow_up_names_rows_by_itself_or_else_those_named_before() -> None:
    assert extract("And Spain?", [PASSWORD, SHIPPING], before=["Which zone is Norway in?"])[-1] == SPAIN
    answer = extract("And is it free?", [PASSWORD, SHIPPING], before=["And Norway?", "Which zone is Spain in?"])
    assert answer[-1] == "Country: Norway — Zone 4 — Free from: never free [4]"


def test_what_this_message_says_counts_more_than_the_one_before_it() -> None:
    refunds = replace(RETURNS, number=5, heading="Refunds", text="A refund takes 5 days.")
    labels = replace(RETURNS, number=6, heading="Labels", text="A label costs nothing.")
    assert extract("And the label?", [refunds, labels], before=["And the refund?"]) == ["A label costs nothing. [6]"]


def test_a_table_of_which_no_row_is_named_is_given_with_its_columns() -> None:
    answer = "".join(extract("How much must I spend to get free shipping to Lyon?", [SHIPPING]))
    assert "Country: Norway — Zone 4 — Free from: never free [4]" in answer
    assert SPAIN in answer


def test_the_later_part_of_a_cut_table_has_its_columns_in_the_heading() -> None:
    heading = "Delivery › Shipping zones › Country, Zone, Free from"
    later = replace(SHIPPING, heading=heading, text="| Spain | Zone 3 | €120 |\n| Sweden | Zone 3 | €120 |\n")
    assert extract("Which zone is Spain in?", [later]) == ["**Shipping zones**\n\n", SPAIN]


PRICES = Candidate(
    5,
    "Delivery › Standard delivery",
    "| Zone | Delivery time | Cost |\n|---|---|---|\n"
    "| Zones 1 and 2 | 2 days | €5 |\n| Zone 3 | 5 days | €12 |\n| Zone 4 | 7 days | €15 |\n",
    0.7,
)
"""What a row of the other table leads to."""


def test_a_row_is_looked_up_with_what_another_one_says() -> None:
    answer = "".join(extract("What is the cost for Norway?", [SHIPPING, PRICES]))
    assert answer.endswith(
        "Country: Norway — Zone 4 — Free from: never free [4]\n\n"
        "**Standard delivery**\n\nZone 4 — Delivery time: 7 days — Cost: €15 [5]"
    )
    assert extract("What is the cost for France?", [SHIPPING, PRICES])[-1].startswith("Zones 1 and 2 —")
    assert extract("Which zone is Norway in?", [SHIPPING, PRICES])[-1].endswith("[4]"), "nothing is left open"


def test_rows_of_one_document_that_say_as_much_are_all_looked_up() -> None:
    express = replace(PRICES, number=6, heading="Delivery › Express delivery", text=PRICES.text.replace("€", "€2"))
    for passages in ([SHIPPING, PRICES, express], [SHIPPING, express, PRICES]):
        answer = "".join(extract("What is the cost for Norway?", passages))
        assert "**Standard delivery**\n\nZone 4 — Delivery time: 7 days — Cost: €15 [5]" in answer
        assert "**Express delivery**\n\nZone 4 — Delivery time: 7 days — Cost: €215 [6]" in answer
        assert "Express" not in "".join(extract("What is the cost of standard delivery to Norway?", passages))


def test_a_page_that_is_called_costs_does_not_tell_them() -> None:
    page = replace(SHIPPING, heading="Shipping costs › Zones")
    answer = "".join(extract("How much does shipping to Norway cost?", [page, PRICES]))
    assert answer.endswith("**Standard delivery**\n\nZone 4 — Delivery time: 7 days — Cost: €15 [5]")


def test_a_row_that_was_told_is_not_told_again_with_what_is_looked_up() -> None:
    before = "Which zone is Norway in?"
    told = "".join(extract(before, [SHIPPING, PRICES]))
    answer = "".join(extract("And the cost?", [SHIPPING, PRICES], before=[before], told=told))
    assert answer == "**Standard delivery**\n\nZone 4 — Delivery time: 7 days — Cost: €15 [5]"


def test_what_is_named_counts_more_than_how_it_is_asked() -> None:
    opening = Candidate(1, "Delivery", "How long a delivery takes and what you get depends on your zone.", 0.8)
    table = "| Country | Working days |\n|---|---|\n| Germany | 3–5 |\n| Spain | 5–8 |\n"
    answer = extract("How long does delivery to Germany take?", [opening, Candidate(2, "Delivery › Days", table, 0.6)])
    assert answer[-1] == "Country: Germany — Working days: 3–5 [2]"


def test_only_what_says_all_that_is_named_is_certain() -> None:
    care = Candidate(1, "Care", "## What is not covered\n\nTheft, loss and scratches. It ends after 5 years.\n", 0.1)
    assert "Theft, loss and scratches. [1]" in "".join(extract("Is theft covered?", [care], certain=True))
    assert extract("Is theft of a bike covered?", [care], certain=True) == []
    assert extract("Theft?", [care], certain=True) == [], "a single word says little"
    assert extract("What does E-21 cost?", [CODES], certain=True) == [], "a code is not all that is named"


def test_call_out_marks_and_tables_of_contents_are_no_answer() -> None:
    page = "In this article:\n\n* [Linux](#linux)\n* [Windows](#windows)\n\n> [!NOTE]\n> Close the port first.\n\n"
    page += "Run this:\n\n```\nsudo usermod -a -G dialout $USER\n```\n"
    answer = "".join(extract("How do I open the port?", [Candidate(1, "Ports", page, 0.9)]))
    assert answer == "Close the port first. [1]\n\nRun this: [1]\n`sudo usermod -a -G dialout $USER` [1]"


RULES = Candidate(
    7,
    "Sending things back",
    "Everything about returns.\n\n## What cannot be returned\n\n"
    "- Coffee once the bag has been opened. Unopened bags can be returned within 14 days of delivery.\n"
    "- Water filters, descaler and cleaning tablets that have been taken out of their box, for hygiene reasons.\n"
    "- Machines engraved with a name or a logo, unless they are faulty.\n"
    "- Gift cards of which something has been used, even if it is only a part.\n\n"
    "## What can be returned\n\nAll other articles, with or without their box.\n",
    0.8,
)
COFFEE = "- Coffee once the bag has been opened. Unopened bags can be returned within 14 days of delivery. [7]"


def test_of_a_list_the_items_that_the_question_names_under_their_heading() -> None:
    assert extract("Can I return opened coffee?", [RULES]) == ["**What cannot be returned**\n\n", COFFEE]


def test_a_heading_that_the_question_repeats_is_not_said_again() -> None:
    assert extract("What cannot be returned?", [RULES])[0] == f"{COFFEE}\n"


def test_a_heading_with_a_not_is_another_one_than_the_same_without() -> None:
    assert extract("What can be returned?", [RULES]) == ["All other articles, with or without their box. [7]"]


@pytest.mark.parametrize("question", ["What can be returned?", "What can I send back?"])
def test_a_page_that_the_question_names_does_not_go_on_with_what_is_not(question: str) -> None:
    page = replace(RULES, heading="Returns")
    assert extract(question, [page]) == ["All other articles, with or without their box. [7]"]
    assert COFFEE in "".join(extract(question.replace("can", "can not"), [page]))


def test_what_a_heading_denies_is_not_quoted_without_it() -> None:
    care = Candidate(8, "Care", "## What is not covered\n\nWear parts, theft and scratches.\n", 0.8)
    assert extract("Is theft covered?", [care]) == [
        "**What is not covered**\n\n",
        "Wear parts, theft and scratches. [8]",
    ]


def test_a_section_is_judged_by_what_would_be_given_of_it() -> None:
    # "return" and "grinder" stand in two rows that have nothing to do with each other.
    faults = replace(
        CODES,
        text="| Code | What to do |\n|---|---|\n| E-25 | If it returns, call us |\n| E-31 | Clean the grinder |\n",
    )
    grinder = Candidate(9, "Grinder › Returns", "Send the grinder back in its box.", 0.5)
    assert extract("How do I return my grinder?", [faults, grinder])[-1] == "Send the grinder back in its box. [9]"


def test_tables_with_the_same_columns_are_not_mixed() -> None:
    head = "| Zone | Cost |\n|---|---|\n"
    tables = f"Usually:\n\n{head}| Zone 1 | €5 |\n\nOr:\n\n{head}| Zone 2 | €9 |\n"
    answer = extract("What does zone 2 cost?", [Candidate(1, "Delivery", tables, 0.8)])
    assert answer == ["Or: [1]\n", "Zone 2 — Cost: €9 [1]"]


def test_a_long_table_of_which_no_row_is_named_is_no_answer() -> None:
    countries = "".join(f"| Land {i} | Zone {i} | within {i} to {i + 3} working days |\n" for i in range(40))
    passage = replace(
        SHIPPING,
        text=f"| Country | Zone | Delivery |\n|---|---|---|\n{countries}\n"
        "We do not ship to countries that are not listed.",
    )
    answer = extract("Do you ship to Brazil?", [passage])
    assert answer == ["We do not ship to countries that are not listed. [4]"]


def test_under_a_heading_about_something_else_only_the_block_that_answers() -> None:
    problems = "## Problems\n\n**It hums.** Take out the stone.\n\n**It blinks.** Lock the hopper.\n"
    answer = extract("The mill hums", [Candidate(1, "Mill", problems, 0.8)])
    assert answer[-2:] == ["**It hums.** [1] ", "Take out the stone. [1]"]


def test_what_refers_back_is_not_given_without_what_it_refers_to() -> None:
    visit = "## Showroom\n\nOur machines can be tried in Cork.\n\nIt is open from Thursday to Saturday.\n"
    answer = "".join(extract("When are you open?", [Candidate(1, "Contact", visit, 0.8)]))
    assert answer == "Our machines can be tried in Cork. [1]\n\nIt is open from Thursday to Saturday. [1]"


def test_a_page_asked_for_as_a_whole_goes_on_after_its_opening_words() -> None:
    page = (
        "Other languages than English are available.\n\n## In the settings\n\n1. Open the settings.\n2. Choose one.\n"
    )
    answer = extract("How do I change the language?", [Candidate(1, "Change the language", page, 0.8)])
    assert "".join(answer) == (
        "Other languages than English are available. [1]\n\n**In the settings**\n\n"
        "1. Open the settings. [1]\n2. Choose one. [1]"
    )


def test_what_a_page_says_about_itself_is_no_answer() -> None:
    page = "Learn how to add a member. Only owners can add members.\n\nThis article explains roles.\n\nSee also:\n"
    answer = extract("Who can add members?", [Candidate(1, "Members", page, 0.8)])
    assert "".join(answer) == "Only owners can add members. [1]"
    opening = Candidate(1, "Your members", "Learn how to remove a member.", 0.9)
    section = Candidate(2, "Your members › Removing", "Press the cross beside the name.", 0.5)
    assert extract("How do I remove a member?", [opening, section]) == ["Press the cross beside the name. [2]"]


def test_words_for_the_same_thing_count_as_one() -> None:
    page = "## What is in it?\n\nOne bag of beans.\n\n## What does shipping cost?\n\nNine euros.\n"
    assert extract("How much is the delivery?", [Candidate(1, "Beans", page, 0.8)]) == ["Nine euros. [1]"]


def test_what_is_asked_with_an_adjective_is_called_by_a_noun() -> None:
    facts = "| Property | Value |\n|---|---|\n| Weight | 9.2 kg |\n| Height | 36 cm |\n| Warming up | 4 minutes |\n"
    machine = Candidate(1, "Machine › Facts", facts, 0.8)
    assert "9.2 kg" in extract("How heavy is the machine?", [machine])[-1]
    assert "36 cm" in extract("How tall is the machine?", [machine])[-1]
    assert "4 minutes" in extract("How long does the machine need?", [machine])[-1]


def test_a_code_that_stands_everywhere_only_says_where_to_look() -> None:
    boards = (
        "The R3 has two versions.\n\n* The R3 with a socket\n* The R3 without\n\n"
        "The difference of an R3 with a socket is that the chip of the R3 can be replaced."
    )
    answer = "".join(extract("What is the difference between R3 and R3 SMD?", [Candidate(1, "Versions", boards, 0.8)]))
    assert "can be replaced" in answer
    code = replace(CODES, text=f"{CODES.text}\n\n1. Wait for E-21.\n2. Then press OK.\n")
    assert "Then press OK." in "".join(extract("When does E-2 end?", [code], before=["I wait for E-99"]))


def test_a_follow_up_gets_what_it_asks_of_what_was_just_told() -> None:
    before = "Can I return opened coffee?"
    told = "".join(extract(before, [RULES]))
    assert extract("And unopened?", [RULES], before=[before], told=told) == [
        "Unopened bags can be returned within 14 days of delivery. [7]"
    ]


def test_a_follow_up_is_not_answered_with_the_answer_before() -> None:
    page = (
        "## How do I return an item?\n\n1. Open the order.\n2. Hand over the parcel.\n\n"
        "## What does it cost?\n\nYou pay for a return only outside of the EU.\n"
    )
    candidates = [Candidate(1, "Sending back", page, 0.8), PASSWORD]
    before = "How do I return an item?"
    told = "".join(extract(before, candidates))
    assert "Hand over the parcel." in told
    answer = extract("And who pays for it?", candidates, before=[before], told=told)
    assert answer == ["You pay for a return only outside of the EU. [1]"]


def test_a_follow_up_that_names_nothing_stays_with_the_document() -> None:
    repair = Candidate(1, "Repairs › How long does it take?", "A repair takes ten days.", 0.8)
    update = Candidate(2, "Updates", "## Update\n\nPress OK.\n\n## Duration\n\nTwelve minutes.\n", 0.7)
    answer = extract("How long does it take?", [repair, update], before=["How do I update?"], told="Press OK. [1]")
    assert answer[-1].endswith("[2]")


def test_a_short_question_that_is_a_heading_is_no_follow_up() -> None:
    text = "| Way | Note |\n|---|---|\n| Card | at once |\n| Invoice | in 30 days |\n| Gift card | at once |\n"
    ways = [Candidate(1, "Money › How can I pay?", text, 0.3)]
    before = ["Is the invoice sent by e-mail?"]
    assert len(extract("How can I pay?", ways, before=before, told="Yes. [1]")) == 3
    assert extract("And how can I pay?", ways, before=before, told="Yes. [1]") == [
        "Way: Invoice — Note: in 30 days [1]"
    ]


def test_a_follow_up_is_about_as_much_of_what_it_names_as_can_be() -> None:
    warranty = Candidate(1, "Warranty", "## Warranty\n\nThe warranty begins with the delivery.\n", 0.8)
    zones = Candidate(2, "Shipping zones", "| Zone | Countries |\n|---|---|\n| 4 | Norway |\n| 5 | Canada |\n", 0.2)
    delivery = replace(zones, heading="Delivery")
    answer = extract(
        "Delivery to Norway?", [warranty, delivery], before=["How long is the warranty?"], told="Years. [1]"
    )
    assert answer == ["Zone: 4 — Countries: Norway [2]"]


def test_your_number_is_not_what_my_number_is_about() -> None:
    mine = Candidate(1, "Account", "## Change my phone number\n\nOpen the profile.\n", 0.3)
    ours = Candidate(2, "Contact", "| Way | Number |\n|---|---|\n| Phone | 910 |\n| Fax | 911 |\n", 0.5)
    assert extract("What is your phone number?", [mine, ours])[-1].startswith("Way: Phone — Number: 910")
    assert extract("How do I change my phone number?", [ours, mine]) == ["Open the profile. [1]"]


BILLS = Candidate(
    1,
    "Paying",
    "## Where is my invoice?\n\nPress Invoice next to the order.\n\n"
    "## Can I change the invoice?\n\nThe company name can be changed for 14 days.\n",
    0.8,
)


def test_a_second_question_of_the_message_is_answered_too() -> None:
    answer = extract("Where do I find the invoice and can I change the company name on it?", [BILLS, PASSWORD])
    assert "".join(answer) == "Press Invoice next to the order. [1]\n\nThe company name can be changed for 14 days. [1]"


def test_a_second_question_about_a_code_does_not_repeat_its_row() -> None:
    answer = extract("What does E-22 mean and which part do I need?", [PASSWORD, CODES])
    assert answer == ["Code: E-22 — Meaning: Pump blocked — What to do: Descale [3]"]


def test_a_second_question_without_a_certain_answer_gets_none() -> None:
    answer = extract("Where do I find the invoice? Can you also send a plumber?", [BILLS, PASSWORD])
    assert answer == ["Press Invoice next to the order. [1]"]


def test_long_code_is_given_from_its_beginning() -> None:
    code = "begin\n" + "wait()\n" * 200 + "lamp.on()\n"
    answer = extract("How do I switch the lamp on?", [Candidate(1, "Light", f"```\n{code}```\n", 0.8)])
    assert answer[:2] == ["`begin` [1]  \n", "`wait()` [1]  \n"]
    assert len(answer) < 100


def test_no_candidates_no_answer() -> None:
    assert extract("anything?", []) == []
