"""What the verifier lets through and what it stops, one passage and one claim at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.evidence import Evidence, EvidenceSet
from shared.conversation.grounding import AnswerVerifier
from shared.conversation.support import find_support

PLANS = (
    "The basic plan costs 5 EUR and the pro plan costs 10 EUR per month. You can cancel within 14 days.\n\n"
    "- Do not open the lid before the light is off.\n- All parcels are insured up to 1,000 EUR.\n\n"
    "The offer ends on 3 May 2024. Store the beans at 18 °C for at least 2 weeks.\n\n"
    "Can I bring my dog? No, dogs are not allowed.\n\nOnly Premium members may use the lounge in Lisbon.\n\n"
    "We do not offer breakfast. Groups of no more than 8 people may wait for a month."
)


def passage(text: str, heading: str = "Plans") -> Evidence:
    return Evidence(1, "p", heading, text, 0.3, 0.9)


@pytest.mark.parametrize(
    "claim",
    [
        "The pro plan costs 10 EUR per month, and the basic plan costs 5 EUR.",
        "According to the documentation, you can cancel within fourteen days.",
        "Don't open the lid before the light is off.",
        "All parcels are insured up to 1000 EUR.",
        "The offer ends on 2024-05-03.",
        "The offer ends on May 3, 2024.",
        "Dogs aren't allowed.",
        "Regarding the plans, no, dogs are not allowed.",
        "Regarding the offer, in short, it ends on 3 May 2024.",
        "Groups of up to eight people may wait for a month.",
        "There is no breakfast.",
        "We don't provide breakfast.",
    ],
)
def test_the_same_in_other_words_is_supported(claim: str) -> None:
    found = find_support(claim, passage(PLANS))
    assert found
    assert found.start < found.end


@pytest.mark.parametrize(
    "claim",
    [
        "The basic plan costs 10 EUR and the pro plan costs 5 EUR per month.",
        "You can cancel within 14 weeks.",
        "You can cancel within 41 days.",
        "You can not cancel within 14 days.",
        "You can only cancel within 14 days.",
        "Open the lid before the light is off.",
        "Do not open the lid after the light is off.",
        "Do not open the lid before the light is on.",
        "Some parcels are insured up to 1,000 EUR.",
        "All parcels are insured up to 1,000 USD.",
        "The offer ends on 3 June 2024.",
        "The offer ends on 3 May 2025.",
        "Store the beans at 18 °C for at most 2 weeks.",
        "You can bring your dog.",
        "Dogs are allowed.",
        "Only Premium members may use the lounge in Porto.",
        "Premium members may use the lounge in Lisbon.",
        "Only Premium members must use the lounge in Lisbon.",
        "00 EUR.",
        "All parcels are insured down to 1,000 EUR.",
        "All parcels are insured for more than 1,000 EUR.",
        "Groups of more than 8 people may wait for a month.",
        "Groups of no more than 8 people may wait for a second.",
        "We provide breakfast.",
        "We do not provide lunch.",
    ],
)
def test_a_changed_fact_is_not_supported(claim: str) -> None:
    assert find_support(claim, passage(PLANS)) is None


def test_part_of_a_sentence_is_no_quote_of_it() -> None:
    assert find_support("run the pump without water.", passage("Never\nrun the pump without water.")) is None


def test_the_heading_alone_supports_nothing() -> None:
    assert find_support("The device name can be changed.", passage("See the manual.", "Change the device name")) is None


def test_clauses_may_rest_on_several_cited_passages() -> None:
    evidence = EvidenceSet()
    for name, text in (("a", "Express delivery takes 1 day."), ("b", "Standard delivery costs 4 EUR.")):
        evidence.add(id=name, heading="", content=text, distance=0.3, relevance=0.9, metadata={})
    both = AnswerVerifier(evidence)
    assert both.feed("Express delivery takes 1 day, and standard delivery costs 4 EUR. [1][2]") + both.finish() == [
        "Express delivery takes 1 day, and standard delivery costs 4 EUR. [1] [2]"
    ]
    wrong = AnswerVerifier(evidence)
    assert wrong.feed("Express delivery takes 1 day, and standard delivery costs 5 EUR. [1][2]") + wrong.finish() == []


WORDS = st.sampled_from(
    "not never no only must may all some before after 5 1,000 3.50 days EUR Lisbon E-21 water open close 水".split()
)
SENTENCE = st.lists(WORDS, min_size=1, max_size=12).map(lambda words: "Pump " + " ".join(words) + ".")


@given(st.lists(SENTENCE, min_size=1, max_size=6), st.sampled_from([" ", "\n\n", "\n- "]), st.data())
def test_any_sentence_of_a_passage_is_supported_by_its_exact_span(
    sentences: list[str], joint: str, data: st.DataObject
) -> None:
    content = joint.join(sentences)
    claim = data.draw(st.sampled_from(sentences))
    found = find_support(claim, passage(content))
    assert found
    assert content[found.start : found.end] == claim
