import pytest

from shared.conversation.evidence import EvidenceSet
from shared.conversation.grounding import AnswerVerifier

RETURNS = (
    "## Return window\n\nYou can return most items within 30 days of delivery. "
    "Grinders must be returned within 14 days.\n\n"
    "1. Open My orders.\n2. Choose Return an item.\n\nWe do not refund opened coffee. Questions: help@example.com."
)
SHIPPING = "Express delivery takes 1 working day and costs 9.90 EUR. Standard delivery is free above 40 EUR."


@pytest.fixture
def evidence() -> EvidenceSet:
    found = EvidenceSet()
    for identifier, heading, content in [("ret", "Returns › Return window", RETURNS), ("ship", "Delivery", SHIPPING)]:
        found.add(
            id=identifier,
            heading=heading,
            content=content,
            distance=0.3,
            relevance=0.9,
            metadata={"source": identifier},
        )
    return found


def verify(evidence: EvidenceSet, answer: str, *, every: int = 5) -> tuple[str, AnswerVerifier]:
    verifier = AnswerVerifier(evidence)
    parts = [answer[i : i + every] for i in range(0, len(answer), every)]
    sentences = [s for part in parts for s in verifier.feed(part)] + verifier.finish()
    return "".join(sentences), verifier


def test_a_supported_sentence_gets_the_exact_span_as_its_quote(evidence: EvidenceSet) -> None:
    text, verifier = verify(evidence, "You can return most items within 30 days. [1]")
    assert text == "You can return most items within 30 days. [1]"
    (source,) = verifier.sources
    assert source.quote == "You can return most items within 30 days of delivery."
    assert source.content[source.start : source.end] == source.quote
    assert source.id == "ret"


def test_a_sentence_is_found_across_a_line_break() -> None:
    found = EvidenceSet()
    content = "E-21 No water. If that is\nimpossible, call us."
    found.add(id="c", heading="Codes", content=content, distance=0.3, relevance=0.9, metadata={})
    text, verifier = verify(found, "If that is impossible, call us. [1]")
    assert text == "If that is impossible, call us. [1]"
    assert verifier.sources[0].quote == "If that is\nimpossible, call us."


ROWS = "| Norway | 4 | By ship. Takes long. |\n| Spain | 3 | By road. |\n"
ZONES = f"| Country | Zone | Note |\n|---|---|---|\n{ROWS}"


@pytest.mark.parametrize(("content", "heading"), [(ZONES, "Zones"), (ROWS, "Zones › Country, Zone, Note")])
def test_a_row_may_be_said_with_the_names_of_its_columns_but_not_with_cells_of_another(
    content: str, heading: str
) -> None:
    found = EvidenceSet()
    found.add(id="z", heading=heading, content=content, distance=0.3, relevance=0.9, metadata={})
    text, verifier = verify(found, "Country: Norway — Zone: 4 — Note: By ship. [1] Takes long. [1]\n")
    assert text == "Country: Norway — Zone: 4 — Note: By ship. [1] Takes long. [1]\n"
    assert verifier.sources[0].quote == "| Norway | 4 | By ship. Takes long. |"
    text, _ = verify(found, "Country: Norway — Zone: 3 — Note: By ship. [1]")
    assert text == ""


def test_citations_are_numbered_in_the_order_of_their_use(evidence: EvidenceSet) -> None:
    text, verifier = verify(
        evidence, "Express delivery takes 1 working day [2]. Grinders must be returned within 14 days [1]."
    )
    assert text == "Express delivery takes 1 working day. [1] Grinders must be returned within 14 days. [2]"
    assert [source.id for source in verifier.sources] == ["ship", "ret"]


def test_neighbouring_sentences_share_one_source(evidence: EvidenceSet) -> None:
    text, verifier = verify(evidence, "1. Open My orders. [1]\n2. Choose Return an item. [1]\n")
    assert text == "1. Open My orders. [1]\n2. Choose Return an item. [1]\n"
    assert [source.quote for source in verifier.sources] == ["Open My orders.\n2. Choose Return an item."]


def test_a_sentence_without_citation_is_attributed_to_the_passage_that_supports_it(evidence: EvidenceSet) -> None:
    text, verifier = verify(evidence, "Standard delivery is free above 40 EUR.")
    assert text == "Standard delivery is free above 40 EUR. [1]"
    assert verifier.sources[0].id == "ship"


@pytest.mark.parametrize(
    "unsupported",
    [
        "You can return most items within 60 days. [1]",  # another number
        "Express delivery takes 1 working day and costs 9.95 EUR. [2]",  # another price
        "We refund opened coffee. [1]",  # the negation is gone
        "You can not return most items within 30 days of delivery. [1]",  # a negation was added
        "Express delivery takes 1 working day. [1]",  # the wrong passage
        "Express delivery takes 1 working day. [7]",  # a passage that was never retrieved
        "Our machines are made in Portugal by hand. [1]",  # made up
        "Write to refunds@example.com with questions. [1]",  # another address
        "Please hurry, the offer ends today! [2]",
        "Visit https://evil.example to claim it.",
        "You can return [most items](<//evil.example>) within 30 days of delivery. [1]",  # a link of its own
        "![You can return most items](x) within 30 days of delivery. [1]",
    ],
)
def test_an_unsupported_sentence_never_leaves(evidence: EvidenceSet, unsupported: str) -> None:
    text, verifier = verify(evidence, f"Standard delivery is free above 40 EUR. [2] {unsupported}")
    assert text.strip() == "Standard delivery is free above 40 EUR. [1]"
    assert verifier.dropped == 1


@pytest.mark.parametrize("courtesy", ["Hello! How can I help you?", "I am glad to help.", "Is there anything else?"])
def test_courtesies_need_no_source(evidence: EvidenceSet, courtesy: str) -> None:
    text, verifier = verify(evidence, courtesy)
    assert text == courtesy
    assert not verifier.sources


def test_saying_that_there_is_no_answer_is_not_an_unsupported_sentence(evidence: EvidenceSet) -> None:
    text, verifier = verify(evidence, "NO_ANSWER")
    assert (text, verifier.dropped) == ("", 0)


def test_a_heading_of_a_passage_needs_no_source_but_something_below_it(evidence: EvidenceSet) -> None:
    text, verifier = verify(evidence, "**Return window**\n- Grinders must be returned within 14 days. [1]")
    assert text == "**Return window**\n- Grinders must be returned within 14 days. [1]"
    assert [source.quote for source in verifier.sources] == ["Grinders must be returned within 14 days."]
    assert verify(evidence, "**Return window**\nGrinders must be returned within 90 days. [1]")[0] == ""
    assert verify(evidence, "**Your refund is on its way**\nWe do not refund opened coffee. [1]")[0].startswith("We do")


def test_a_promise_is_none_of_our_headings(evidence: EvidenceSet) -> None:
    verifier = AnswerVerifier(evidence, keep=lambda sentence: sentence.replace("Return window", "Ask a colleague."))
    assert verifier.feed("**Return window**\nSo.") == ["**Ask a colleague.**\n"]
