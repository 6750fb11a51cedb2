"""What is said to a message that asks for nothing: a greeting, thanks, yes, no, or who is there."""

from __future__ import annotations

import re

from shared.conversation.decision import asks_back
from shared.conversation.instructions import AUTOMATED
from shared.escalation.requests import asks_what_you_are, declines

_HELP = "How can I help you?"
_GREETING = r"(?:hi|hello|hey|good (?:morning|afternoon|evening))(?: there| all| again)?"
_GOOD = (
    r"ok(?:ay)?|all ?right|great|perfect|super|cool|good|nice|excellent|wonderful|understood|got it|i see"
    r"|(?:it|this|that)(?:['’]s| has)? (?:work|help)(?:s|ed)"
)


def _only(*forms: str) -> re.Pattern[str]:
    """A message that is one of these, maybe after a greeting."""
    return re.compile(rf"^\W*(?:{_GREETING}\W+)?(?:{'|'.join(forms)})(?: please)?\W*$", re.IGNORECASE)


_REPLIES = (
    (re.compile(rf"^\W*{_GREETING}\W*$", re.IGNORECASE), f"Hello! {_HELP}"),
    (_only(r"how are you(?: doing)?(?: today)?"), f"Thank you for asking! {_HELP}"),
    (
        _only(
            r"(?:i have|i['’]ve got|(?:can|may) i ask(?: you)?) (?:a|some|another|one more)(?: quick)? questions?",
            r"(?:can|could) you (?:please )?help(?: me)?",
            r"i need (?:some |your )?help",
            r"(?:it['’]?s )?me again",
        ),
        _HELP,
    ),
    (
        _only(
            r"(?:who|what) are you",
            r"who (?:is this|am i (?:talk|speak|chatt|writ)ing (?:to|with))",
            r"what(?: is|['’]s) your name",
            r"what (?:can|do) you do(?: (?:for me|here))?",
            r"(?:how|what) can you help(?: me)?(?: with)?",
        ),
        f"{AUTOMATED} {_HELP}",
    ),
    (
        re.compile(
            r"^\W*(?:(?:ok(?:ay)?|great|perfect|super|cool)\W+){0,3}(?:many thanks|thanks|thank you|thx|cheers)\b"
            r"[^?]{0,30}$",
            re.IGNORECASE,
        ),
        "You are welcome! Is there anything else I can help you with?",
    ),
    (_only("bye", "goodbye", "see you", "have a nice day"), "Thank you, have a great day!"),
)
_PLEASED = re.compile(rf"^\W*(?:{_GOOD})(?:\W+(?:{_GOOD}|now|then|so|very much))*\W*$", re.IGNORECASE)
_YES = _only("yes", "yeah", "yep", "yup", "sure")


def courtesy(message: str, told: str = "") -> str:
    """The reply; empty for a message that asks for something, or answers what it was asked in `told`, the answer that
    it follows."""
    for pattern, reply in _REPLIES:
        if pattern.match(message):
            return reply
    if asks_what_you_are(message):
        return f"{AUTOMATED} {_HELP}"
    if declines(message):
        return "All right! Let me know if you need anything else."
    if asks_back(told):
        return ""
    if _PLEASED.match(message):
        return "Good! Is there anything else I can help you with?"
    return _HELP if _YES.match(message) else ""
