"""What the keyless client makes of the messages of a turn."""

import json
from typing import Any

from agent_framework import Message

from shared.conversation.decision import asks_back
from shared.conversation.extractive import next_step
from shared.conversation.instructions import NO_ANSWER
from shared.conversation.providers import KNOWLEDGE, TICKET
from shared.knowledge.spelling import Spelling
from tests.fakes import HashEmbedder

WARRANTY = ("Warranty", "| Part | Covered |\n|---|---|\n| Boilers | in full |\n| Pumps | by half |\n| Taps | no |\n")
REPAIRS = ("Repairs", "Within the warranty they are free.")
BOILERS = "Part: Boilers — Covered: in full [1]"


class Reader(HashEmbedder):
    def count_tokens(self, text: str) -> int:
        return 2 if text.lower() in ("waranty", "boilres") else 1


SPELLING = Spelling(Reader())


def answer(*said: str, relevance: float = 0.03, spelling: Spelling | None = SPELLING, ticket: bool = False) -> str:
    """To the last of these messages; customer and bot take turns."""
    rows: list[dict[str, Any]] = [{"kind": TICKET}] if ticket else []
    rows += [
        {"kind": "passage", "n": n, "title": title, "text": text, "relevance": relevance}
        for n, (title, text) in enumerate((WARRANTY, REPAIRS), 1)
    ]
    roles = ["user" if (len(said) - i) % 2 else "assistant" for i in range(len(said))]
    *before, last = [Message(role, [text]) for role, text in zip(roles, said, strict=True)]
    data = "\n".join(map(json.dumps, rows))
    evidence = Message("user", [f"<data>\n{data}\n</data>"], author_name=KNOWLEDGE)
    contents = next_step([*before, evidence, last], frozenset(), spelling)
    return "".join(content.text or "" for content in contents)


def test_a_misspelt_question_is_answered_like_the_right_one() -> None:
    assert answer("Which warranty do boilers have?") == BOILERS
    assert answer("Which waranty do boilres have?") == BOILERS
    assert answer("Which waranty do boilres have?", spelling=None) == NO_ANSWER


def test_so_is_one_that_follows_a_misspelt_one() -> None:
    told = "Part: Taps — Covered: no [1]"
    for before in ("Are boilers covered?", "Are boilres covered?"):
        assert answer(before, told, "How come?", relevance=0.5) == BOILERS


def test_what_is_misspelt_is_not_vague_for_that() -> None:
    assert not asks_back(answer("Waranty?", relevance=0.5))
    assert asks_back(answer("Waranty?", relevance=0.5, spelling=None))


def test_who_waits_for_a_person_is_not_asked_what_was_meant() -> None:
    assert asks_back(answer("Covered?", relevance=0.5))
    assert not asks_back(answer("Covered?", relevance=0.5, ticket=True))
