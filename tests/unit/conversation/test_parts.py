import pytest

from shared.conversation.blocks import Section, sections
from shared.conversation.parts import Candidate, Part, Place, asked_for, denies, only_opens, part_of

PAGE = Candidate(
    1,
    "Returns",
    "Anything can be sent back.\n\n## Costs\n\n| Zone | Price |\n|---|---|\n| Ireland | free |\n| Norway | €9 |\n",
    0.5,
)
OPENING, COSTS = (Place(PAGE, section, first=True) for section in sections(PAGE.text, PAGE.heading))


def part(question: str, place: Place, before: tuple[str, ...] = ()) -> Part:
    return part_of(place, None, asked_for(question, before, [OPENING, COSTS]))


def test_words_weigh_by_rarity_and_less_the_longer_ago_they_were_said() -> None:
    asked = asked_for("Norway?", ["The price?", "Sent back?"], [OPENING, COSTS])
    assert sum(asked.weights.values()) == pytest.approx(1)
    assert asked.weights["norway"] > asked.weights["cost"] > 0
    assert asked.before == (frozenset({"cost"}), frozenset({"sent", "back"}))
    assert asked.share(frozenset(asked.weights)) == pytest.approx(1)


def test_a_heading_is_like_a_question_as_far_as_they_say_the_same() -> None:
    asked = asked_for("What is not covered?", [], [OPENING, COSTS])
    alike = [asked.likeness(heading) for heading in ("Not covered", "What is covered", "Covered machines", "Costs")]
    assert alike == [1, 0.5, pytest.approx(1 / 3), 0]


def test_of_a_section_what_the_question_names_is_given() -> None:
    assert [block.lines for block in part("What about Norway?", COSTS).blocks] == [("Zone: Norway — Price: €9",)]
    assert len(part("What does it cost?", COSTS).blocks[0].lines) == 2
    assert part("And what does it cost?", COSTS, ("To Ireland?",)).blocks[0].lines == ("Zone: Ireland — Price: free",)


def test_opening_words_are_no_answer_to_who_asks_for_the_page() -> None:
    whole, detail = (asked_for(question, [], [OPENING, COSTS]) for question in ("Returns?", "Who pays for it?"))
    assert only_opens(part("Returns?", OPENING), whole)
    assert not only_opens(part("Who pays for it?", OPENING), detail)
    assert not only_opens(part("Returns?", COSTS), whole)


def test_a_section_without_anything_to_give_gives_nothing() -> None:
    assert part_of(Place(PAGE, Section("Empty", ()), first=True), None, asked_for("Norway?", [], [])).blocks == ()


@pytest.mark.parametrize("text", ["What is not covered", "You cannot", "It doesn't", "No machines", "Never"])
def test_what_denies(text: str) -> None:
    assert denies(text)
    assert not denies("A note on knots: it is covered")
