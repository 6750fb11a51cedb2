from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.history import BYTES_PER_TOKEN, EARLIER_CHARS, shown, window
from shared.memory.models import Message, Role
from tests.chat import NOW


def said(role: Role, text: str) -> Message:
    return Message("m", "s", role, text, NOW)


CONVERSATION = [
    said("assistant", "Hello!"),
    said("user", "What does express delivery cost?"),
    said("assistant", "It costs 9.90 EUR."),
    said("user", "And standard?"),
    said("assistant", "Nothing."),
]


def test_what_fits_is_shown_from_a_question_on() -> None:
    assert window(CONVERSATION, tokens=1000) == CONVERSATION[1:]


def test_an_answer_is_not_shown_without_its_question() -> None:
    tokens = sum(len(message.text) for message in CONVERSATION[2:]) // BYTES_PER_TOKEN + 1
    assert window(CONVERSATION, tokens=tokens) == CONVERSATION[3:]


@given(
    st.lists(st.builds(said, st.sampled_from(["user", "assistant", "human_agent"]), st.text(max_size=30))),
    st.integers(0, 60),
)
def test_the_window_is_the_end_of_the_conversation_and_within_its_budget(messages: list[Message], tokens: int) -> None:
    shown = window(messages, tokens=tokens)
    assert shown == messages[len(messages) - len(shown) :] if shown else True
    assert not shown or shown[0].role == "user"
    assert sum(len(message.text.encode()) for message in shown) <= tokens * BYTES_PER_TOKEN


def test_of_what_does_not_fit_the_questions_are_kept() -> None:
    first = [
        said("user", "Hello! My grinder,\nan M-2, is loud. It began in May."),
        said("assistant", "Please clean it. " * 120),
        said("user", f"Is it {'very ' * 40} old?"),
        said("assistant", "I am sorry. " * 120),
    ]
    seen = shown([*first, *CONVERSATION[1:]], tokens=600)
    assert seen.messages == CONVERSATION[1:]
    assert seen.asked == ["My grinder, an M-2, is loud.", f"Is it {'very ' * 40}"[: EARLIER_CHARS - 1] + "…"]
    # Where not all fit, the newest are kept.
    assert shown([*first, *CONVERSATION[1:]], tokens=550).asked == seen.asked[1:]


@given(
    st.lists(st.builds(said, st.sampled_from(["user", "assistant", "human_agent"]), st.text(max_size=300))),
    st.integers(0, 300),
)
def test_with_the_questions_it_is_still_within_its_budget(messages: list[Message], tokens: int) -> None:
    seen = shown(messages, tokens=tokens)
    texts = [*(message.text for message in seen.messages), *seen.asked]
    assert sum(len(text.encode()) for text in texts) <= tokens * BYTES_PER_TOKEN
    assert all(len(text) <= EARLIER_CHARS and len(text.splitlines()) <= 1 for text in seen.asked)
    if len(window(messages, tokens=tokens)) == len(messages):
        assert (seen.messages, seen.asked) == (messages, ())
