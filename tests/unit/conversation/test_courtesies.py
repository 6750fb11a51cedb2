import pytest

from shared.conversation.courtesies import courtesy
from shared.conversation.evidence import EvidenceSet
from shared.conversation.grounding import AnswerVerifier

REPLIES = {
    "Hello! How can I help you?": ["hi", "Hello there!", "Hello again", "good morning"],
    "How can I help you?": ["Can you help me please?", "I have another question", "me again", "Yes.", "yep"],
    "I am an automated assistant. How can I help you?": [
        "Who are you?",
        "hi, what are you?",
        "What can you do for me?",
        "Are you a real person?",
        "who am I talking to",
    ],
    "You are welcome! Is there anything else I can help you with?": ["Thanks!", "ok great, thanks a lot", "thx"],
    "Thank you, have a great day!": ["bye", "Goodbye!"],
    "All right! Let me know if you need anything else.": [
        "no",
        "No, thank you",
        "never mind",
        "that's all, thanks",
        "nope",
    ],
    "Good! Is there anything else I can help you with?": ["ok", "It worked!", "Perfect, got it.", "that helped"],
}
ASKS = [
    "No hot water",
    "no it does not work",
    "ok and what does it cost",
    "Yes, but only with milk",
    "It works on my phone but not here",
    "What can you do about a broken pump?",
    "good coffee?",
    "Who are your carriers?",
    "thanks, but where is my parcel?",
]


@pytest.mark.parametrize(
    ("reply", "message"), [(reply, message) for reply, messages in REPLIES.items() for message in messages]
)
def test_what_asks_for_nothing_gets_a_reply_that_needs_no_source(reply: str, message: str) -> None:
    assert courtesy(message) == reply
    verifier = AnswerVerifier(EvidenceSet())
    assert "".join([*verifier.feed(reply), *verifier.finish()]) == reply


@pytest.mark.parametrize("message", ASKS)
def test_what_asks_for_something_gets_none(message: str) -> None:
    assert courtesy(message) == ""


def test_yes_to_a_question_is_an_answer() -> None:
    told = "Do you mean “Returns” or “Repairs”?"
    assert courtesy("yes", told) == ""
    assert courtesy("ok", told) == ""
    assert courtesy("no", told)
