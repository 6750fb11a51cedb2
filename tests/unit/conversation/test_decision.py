import json

from agent_framework import Message
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.decision import ANSWERABLE, Found, asks_back, confidence, decide, is_question_back
from shared.conversation.evidence import EvidenceSet
from shared.conversation.extractive import next_step
from shared.conversation.grounding import AnswerVerifier
from shared.conversation.providers import KNOWLEDGE

TIED = [Found("Returns › Last day", 0.4), Found("Repairs", 0.38), Found("Recipes", 0.01)]


def test_without_passages_nothing_is_answered() -> None:
    assert decide("How do I send it back?", []).action == "decline"
    assert confidence([]) == 0


def test_a_likely_answer_is_given_and_an_unlikely_one_is_not() -> None:
    assert decide("How do I send the mill back?", [Found("Returns", 0.6)]).action == "answer"
    assert decide("How do I send the mill back?", [Found("Recipes", 0.01)]).action == "decline"


def test_a_vague_question_is_asked_back_once() -> None:
    decision = decide("Deadline?", TIED)
    assert (decision.action, decision.options) == ("clarify", ("Returns", "Repairs"))
    assert decide("Deadline?", TIED, may_ask=False).action == "answer"


def test_a_code_is_not_vague() -> None:
    assert decide("E-05?", TIED).action == "answer"


def test_a_question_that_says_what_it_means_is_not_asked_back() -> None:
    assert decide("What is the deadline to send a mill back?", TIED).action == "answer"


def test_one_document_that_stands_out_is_not_asked_about() -> None:
    assert decide("Deadline?", [Found("Returns", 0.6), Found("Repairs", 0.1)]).action == "answer"


def test_a_document_with_a_heading_that_is_the_question_is_not_asked_about() -> None:
    deadline = Found("Returns", 0.4, ("How to send it back", "The deadline"))
    assert decide("What is the deadline?", [deadline, *TIED[1:]]).action == "answer"
    assert decide("The returns deadline?", [deadline, *TIED[1:]]).action == "answer"
    assert decide("Deadline?", [deadline, Found("Repairs › Deadline", 0.38)]).action == "clarify"
    assert decide("Deadline?", [deadline, Found("The deadline of repairs", 0.38)]).action == "answer"


def test_two_passages_of_one_document_are_no_choice() -> None:
    assert decide("Deadline?", [Found("Returns › One", 0.4), Found("Returns › Two", 0.4)]).action == "answer"


def test_documents_without_a_title_cannot_be_asked_about() -> None:
    assert decide("Deadline?", [Found("", 0.4), Found("Repairs", 0.4)]).action == "answer"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_confidence_is_a_probability_and_decides(relevances: list[float]) -> None:
    sure = confidence(relevances)
    decision = decide("How do I send the mill back?", [Found("Returns", relevance) for relevance in relevances])
    assert 0 <= sure <= 1
    assert decision.action == ("answer" if sure >= ANSWERABLE else "decline")


# No links: those are taken out of headings before a question is asked.
TITLES = st.text(st.characters(exclude_characters=":/."), min_size=1, max_size=30)


@given(st.lists(TITLES, min_size=2, max_size=4, unique=True))
def test_whatever_the_titles_what_is_asked_back_passes_the_verifier_whole(titles: list[str]) -> None:
    decision = decide("Deadline?", [Found(title, 0.5) for title in titles])
    if decision.action == "clarify":
        said, verified = _asked(titles)
        assert verified == [said]
        assert asks_back(said)


def test_a_question_back_may_name_only_documents_that_were_found() -> None:
    question = "Do you mean “Returns” or “Call 0900 now”?"
    assert is_question_back(question, ["Returns › Deadline", "Call 0900 now"])
    assert not is_question_back(question, ["Returns", "Repairs"])
    assert not is_question_back("Do you mean “Returns” or “Repairs”? Yes.", ["Returns", "Repairs"])


def test_the_customer_is_not_asked_twice_in_a_row() -> None:
    said, _ = _asked(["Returns", "Repairs"])
    assert asks_back(said)
    before = [Message("user", ["Deadline?"]), Message("assistant", [said])]
    again = next_step([*before, *_turn(["Returns", "Repairs"], "Deadline")], frozenset())
    assert not asks_back("".join(content.text or "" for content in again))


def _asked(titles: list[str]) -> tuple[str, list[str]]:
    """What the keyless client says, and what the verifier makes of it."""
    evidence = EvidenceSet()
    for title in titles:
        evidence.add(id=title, heading=title, content="Ten days.", distance=0.3, relevance=0.5, metadata={})
    verifier = AnswerVerifier(evidence)
    said = "".join(content.text or "" for content in next_step(_turn(titles, "Deadline?"), frozenset()))
    return said, [*verifier.feed(said), *verifier.finish()]


def _turn(titles: list[str], question: str) -> list[Message]:
    rows = [
        {"kind": "passage", "n": number, "title": title, "text": "Ten days.", "relevance": 0.5}
        for number, title in enumerate(titles, 1)
    ]
    body = "\n".join(json.dumps(row) for row in rows)
    return [Message("user", [f"<data>\n{body}\n</data>"], author_name=KNOWLEDGE), Message("user", [question])]
