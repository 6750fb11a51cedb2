"""When a person should take over: the customer asks for one in words, or the agent has no answer twice in a row."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.memory.models import Message


def should_offer_human(history: Sequence[Message], *, abstained: bool) -> bool:
    """Whether the present answer is the second abstention in a row.

    `history` is what was said before, oldest first. An abstention that already handed over does not count again, so a
    customer who goes on asking gets one ticket, not one an answer.
    """
    earlier = next((message for message in reversed(history) if message.role != "user"), None)
    return abstained and earlier is not None and earlier.abstained and not earlier.requires_escalation


def asks_for_human(text: str) -> bool:
    """Whether the customer asks, in English words, to be put in touch with a person of the company.

    A rule per way of asking. Each wants a verb of contact or of wish beside the person, and looks at the next word, so
    that "are you human?", "human resources" or "the seller's agent" is none.
    """
    text = re.sub(r"[’`´]", "'", text.casefold())
    text = re.sub(r"[-–—/_]", " ", text)
    if _BARE.fullmatch(" ".join(re.findall(r"[\w']+", text))):
        return True
    for sentence in re.split(r"[.!?;\n]+", text):
        words = " ".join(re.findall(r"[\w']+|[,:()]", sentence))
        for asking in _ASKING:
            for match in asking.finditer(words):
                if not _NOT_ASKING.search(words[: match.start()]):
                    return True
    return False


def _any(*words: str) -> str:
    return f"(?:{'|'.join(words)})"


# What may stand before the noun. Not "my" or "seller's": that would be somebody else's agent.
_DETERMINER = r"(?:(?:an?|the|any|some|one|your|ur|another|of)\s+)*"
_KIND = (
    r"(?:(?:real|really|live|actual|human|living|breathing|physical|proper|different|qualified|competent|senior|trained|"
    r"customer|client|consumer|service|services|support|care|help|helpdesk|desk|sales|technical|tech|billing|account|"
    r"call|cent(?:er|re)|phone|online|chat|company|fucking|damn|bloody|goddamn)\s+)*"
)
_ROLE = _any(
    r"humans?(?:\s+beings?)?",
    r"agents?",
    r"representatives?",
    r"reps?",
    r"operators?",
    r"advis[eo]rs?",
    r"assistants?",
    r"associates?",
    r"supervisors?",
    r"managers?",
    r"specialists?",
    r"executives?",
    r"technicians?",
    r"persons?",
    r"people",
    r"staff(?:\s+members?)?",
    r"employees?",
    r"team\s+members?",
    r"member\s+of\s+(?:the\s+|your\s+)?(?:staff|team)",
)
_TEAM = _any(
    r"(?:customer|client|technical|tech|live|your|human)\s+(?:services?|support|care)",
    r"(?:the\s+|your\s+)?(?:support|help\s?desk|customer\s+(?:services?|care))(?:\s+(?:team|staff|department))",
    r"help\s?desk",
)
_SOMEONE = r"(?:someone|somebody|anyone|anybody|some\s+one|any\s+one)(?:\s+(?:else|real|human|live|actual|alive|there|here))*"

# What may follow, so that the noun is not the first half of another: "human resources", "agent fees", "person's".
_HELP = _any(
    "help", "assist", "talk", "speak", "chat", "look", "call", "contact", "fix", "answer", "handle", "resolve", "sort",
    "explain", "review", "solve", "deal", "take", "join", "step",
)  # fmt: skip
_END = (
    r"(?=\s*(?:$|[,:()]|(?:please|pls|plz|now|right|asap|immediately|instead|today|here|there|urgently|quickly|again|"
    r"already|directly|first|soon|rather|thanks|thank|and|or|but|because|cause|cuz|since|so|if|about|regarding|"
    r"concerning|not|via|through|over|i|we|at|as|with|can|could|from\s+(?:your|the|customer|support|billing|sales)|"
    r"on\s+(?:the|your|my)\s+(?:phone|line|chat|case|other)|in\s+(?:charge|person|support|customer|billing|your|the)|"
    rf"(?:who|that|which)\s+(?:can|could|will|would|is|knows|understands|speaks|actually|has)|for\s+(?:help|this|that|"
    rf"assistance|support)|to\s+(?:\w+\s+)?{_HELP}|than|the|this|it|my|me)\b))"
)
_PERSON = rf"\b{_DETERMINER}{_KIND}{_ROLE}\b{_END}"
_COLLEAGUE = rf"(?:{_PERSON}|\b{_DETERMINER}{_TEAM}\b{_END}|\b{_SOMEONE}\b{_END})"
_MACHINE = r"(?:chat\s?bots?|(?:ro)?bots?|machines?|computers?|ai|automat\w+|algorithms?|answering\s+machines?)"
_POLITE = _any(
    "please", "pls", "plz", "ok", "okay", "hi", "hello", "hey", "no", "yes", "just", "now", "thanks", "thank you",
    "the", "an?", "your", "asap", "i said", "instead", "need", "want", "get", "me", "give", "right", "again", "sorry",
)  # fmt: skip
_ALONE = _any(
    r"(?:hand\s?off|hand\s?over|escalate(?:\s+(?:this|it|me))?|transfer(?:\s+me)?|call\s+me(?:\s+back)?)",
    r"(?:live|human)\s+(?:chat|support|help|assistance|agent)",
    rf"{_KIND}{_ROLE}",
    r"(?:customer|client)\s+(?:services?|support|care)",
    r"(?:chat|talk|speak|chatting|talking|speaking|contact|contacting)\s+(?:(?:to|with)\s+)?"
    rf"{_DETERMINER}{_KIND}{_ROLE}",
    rf"{_SOMEONE}\s+(?:from|in|at)\s+(?:the\s+|your\s+)?(?:customer\s+|technical\s+)?(?:services?|support|care|sales)",
    r"(?:someone|somebody)\s+(?:real|human)",
)

_BARE = re.compile(rf"(?:{_POLITE}\s+)*{_ALONE}(?:\s+{_POLITE})*")
_TALK = r"(?:talk|speak|chat|converse|talking|speaking|chatting)"
_WISH = _any(
    "want", "wants", "wanna", "need", "needs", "like", "prefer", "give me", "get me", "send me", "find me", "bring me",
    "get", "demand", "request", "requesting", "require", "where is", "where's", "looking for", "asked for", "ask for",
    "asking for", "let me have", "hand me", "pass me", "let me see",
)  # fmt: skip
_MAY = _any(
    "can", "could", "may", "might", "please have", "please let", "have", "get", "let", "want", "need", "like", "will"
)
_ASKING = tuple(
    re.compile(pattern)
    for pattern in (
        # speak to an agent; chat with someone
        rf"\b{_TALK}\s+(?:(?:to|with|w|2)\s+)?{_COLLEAGUE}",
        # reach a person, get hold of somebody, in touch with your support team
        rf"\b(?:contact|contacting|reach|reaching|get\s+a?\s*hold\s+of|(?:in\s+)?touch\s+with|contact\s+with)\s+{_COLLEAGUE}",
        # call customer service; phone an agent
        rf"\b(?:call|phone|ring)\s+(?:an?\s+|the\s+|your\s+)*(?:{_TEAM}|{_KIND}(?:agent|representative|rep|human))\b{_END}",
        # transfer me, put me through, connect me with billing
        rf"\b(?:transfer|connect|put|forward|redirect|hand|pass|switch|escalate|give|refer|route|direct|send)\s+"
        rf"(?:me|us|this|it|this\s+chat|my\s+\w+)\s+(?:(?:through|over|on|up|across|back|straight|directly)\s+)?"
        rf"(?:to|with|onto)\s+(?:{_COLLEAGUE}|(?:the\s+|your\s+)?[\w]+(?:\s+\w+)?\s+(?:department|team|desk))",
        r"\bput\s+me\s+through\b",
        rf"\b(?:transfer|escalate)\s+to\s+{_COLLEAGUE}",
        r"\bescalate\s+(?:this|it|my\s+(?:case|issue|ticket|problem|complaint|request|concern))\s*(?:$|[,:]|please|now)",
        # I need a human; get me an agent
        rf"\b{_WISH}\s+(?:to\s+have\s+|to\s+see\s+)?(?:a\s+|an\s+|the\s+|any\s+|some\s+|your\s+|another\s+)*{_KIND}{_ROLE}\b{_END}",
        rf"\b{_WISH}\s+(?:someone|somebody)\s+(?:real|human)\b",
        rf"\b(?:help|assistance|support|answer|reply|response|call)\s+(?:from|by|of)\s+{_PERSON}",
        # is there a person I can talk to?
        rf"\b(?:is|are)\s+there\s+(?:{_COLLEAGUE})",
        rf"(?:{_ROLE}|{_SOMEONE}|{_TEAM})\s+(?:(?:that|who|whom|to\s+whom)\s+)?(?:i|we)\s+(?:can|could|may|might)\s+"
        rf"(?:actually\s+|directly\s+|please\s+)?(?:talk|speak|chat|call|reach)\b",
        rf"(?:someone|somebody|anyone|anybody)\s+(?:(?:for\s+me\s+)?to\s+)(?:talk|speak|chat)\s+(?:to|with)\b",
        # can someone call me back? have an agent contact me
        rf"\b{_MAY}\s+(?:{_DETERMINER}{_KIND}{_ROLE}|{_SOMEONE}|{_TEAM})\s+(?:please\s+|to\s+)*(?:call|phone|ring|contact)"
        r"\s+(?:me|us)\b",
        rf"\b{_MAY}\s+(?:an?\s+|the\s+|your\s+|some\s+)*{_KIND}(?:humans?|agents?|representatives?|reps?|(?:real|live|actual)"
        r"\s+(?:person|people))\s+(?:please\s+|to\s+)*(?:help|assist|take\s+over|look|join|step\s+in|talk|speak|chat)\b",
        # no more bots
        rf"\b(?:don'?t|do\s+not|not|never|no\s+longer|hate|hating|tired|sick|fed\s+up|done|stop|rather\s+than|instead\s+of)"
        rf"\s+(?:\w+\s+){{0,4}}?(?:talk|speak|chat|deal|talking|speaking|chatting|dealing)\s+(?:to|with)\s+"
        rf"(?:(?:an?|the|this|your|some|any|stupid|dumb|damn|fucking|useless)\s+)*{_MACHINE}\b",
        rf"\b(?:talking|speaking|chatting)\s+(?:to|with)\s+(?:(?:an?|the|this|your)\s+)*{_MACHINE}\s+"
        r"(?:is|was)\s+(?:\w+\s+)?(?:stupid|dumb|useless|annoying|pointless|frustrating|silly|a\s+waste|not|no)",
        rf"\b(?:no|not|enough|any)\s+(?:more\s+)?(?:(?:an?|the|this|with|of|your)\s+)*{_MACHINE}\s*(?:$|[,:]|please)",
        rf"\b(?:human|person|agent|someone\s+real)\s*,?\s+not\s+(?:an?\s+|this\s+|the\s+)?{_MACHINE}\b",
    )
)

# Right before one of those: a question about the one who answers, a report of what was, or the opposite wish.
_NOT_ASKING = re.compile(
    r"(?:"
    r"\b(?:am|is|are|was|were|been|i'm|im|we're|you're|he's|she's)\s+(?:(?:i|we|you|it|this|that|actually|really|just|still|now)\s+)*"
    r"|\b(?:when|whenever|if|after|once|before|unless|until|every\s+time|last\s+time)\s+(?:i|we|you|they)\s+"
    r"(?:(?:have|had|try|tried|want|need)\s+(?:to\s+)?)?"
    r"|\b(?:without|instead\s+of|rather\s+than|avoid|no\s+need\s+(?:to|for)|before|after|besides)\s+(?:having\s+to\s+|to\s+)?"
    r"|\b(?:don'?t|do\s+not|didn'?t|does\s+not|doesn'?t|not|never)\s+(?:want|need|wanna|like|wish|have)\s+(?:to\s+)?"
    r"|\b(?:don'?t|do\s+not|please\s+don'?t|never|not)\s+(?:to\s+)?"
    r"|\b(?:do|does|did|will|must|should|would)\s+(?:i|we|you|they|one)\s+(?:really\s+|actually\s+)?(?:(?:have|need)\s+to\s+)"
    r"|\b(?:must|should)\s+(?:i|we)\s+"
    r"|\b(?:how|why|what)\s+(?:do|does|did)\s+(?:your|the)\s+"
    r")$"
)
