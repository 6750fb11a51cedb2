"""What the customer asks for in so many words. Only that may write, whatever a model makes of the texts it reads.

A document, a file or a remembered fact can talk a model into calling a tool. It cannot change the customer's message of
this turn, so that message alone decides what a call may do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.memory.models import MAX_FACT, Message

# At the beginning of a clause, or after words of asking: "I can't remember" and "do you remember" are no requests.
_ASKING = (
    r"(?:^|[.!?;:,\n(–—-]\s{0,5}|\b(?:please|pls|kindly|bitte|por favor|per favore|(?:can|could|would|will) you"
    r"|you (?:to|should|must)|and|also|just|then|s'il (?:te|vous) pla[iî]t)[\s,]{1,5})"
    r"(?:(?:please|also|always|just|bitte|kindly)[\s,]{1,5}){0,3}"
)
_REMEMBER = (
    r"(?:remember|note|keep in mind|bear in mind|memori[sz]e|make a note|take note|don['’]?t forget|do not forget"
    r"|merk(?:e|en sie)? (?:dir|sich)|notier(?:e|en sie)?|vergiss nicht|vergessen sie nicht"
    r"|souviens-toi|souvenez-vous|retiens|retenez|n['’]oublie[zr]? pas|recuerd[ae]|no olvid[ae]s?|anot[ae]"
    r"|ricorda(?:ti|te)?|non dimenticare|onthoud|vergeet niet|lembre(?:-se)?|n[ãa]o (?:se )?esque[çc]a)\b"
)
_LINK_WORD = r"(?:\s{0,3}bitte\b)?(?:\s{0,3}[:,])?(?:\s{1,3}(?:that|of|dass|que|qu['’]|che|dat)\b)?\s{0,9}"
_NOT_A_FACT = r"(?!\s*(?:what|when|how|if|whether|who|where|why|which|me|to|the time|us|it\?)\b)"
_WISH = re.compile(
    rf"{_ASKING}(?P<phrase>{_REMEMBER}){_NOT_A_FACT}{_LINK_WORD}(?P<fact>[^\n]*?)(?=[.!?](?:\s|$)|\n|$)", re.IGNORECASE
)
# "I take it black. Please remember that.", "… for next time": what is to be remembered was said before.
_BACKWARD = re.compile(
    r"^(?:this|that|it|das|cela|ça|eso|isso|dat)?"
    r"(?:[\s,]*\b(?:please|thanks|thank you|bitte|instead|too|as well|now|from now on|next time"
    r"|for (?:me|later|now|(?:the )?(?:next time|future))))*$",
    re.IGNORECASE,
)

_YES = re.compile(
    r"^\W*(?:yes|yeah|yep|yup|sure|of course|ok(?:ay)?|please|go ahead|do (?:it|so|that)|i would|ja|oui|s[ií]|sim)\b"
    r"(?:\W+(?:please|thanks|thank you|do|do (?:it|so|that)|that would be \w+|i would|go ahead|bitte|gerne?|por favor"
    r"|s['’]il vous pla[iî]t)){0,6}\W*$",
    re.IGNORECASE,
)
_URGENT = re.compile(
    r"\b(?:(?:on|caught|catches|catching) fire|smok(?:e|es|ing)|sparks?|sparking|burn(?:s|t|ed|ing)?|explod\w+"
    r"|electr\w+ shock|shocked me|gas leak|injur\w+|bleed\w*|poison\w*|ambulance|hacked|stolen|fraud\w*|scam\w*"
    r"|phish\w*|unauthori[sz]ed|identity theft)\b",
    re.IGNORECASE,
)


def fact_to_remember(message: str, proposed: str = "") -> str | None:
    """What to remember at the customer's request, in the customer's own words; None if there was no request.

    `proposed`, what a model would remember, is taken if it is a part of the message, and ignored otherwise.
    """
    wish = _WISH.search(message)
    if wish is None:
        return None
    own = _said(proposed, message)
    if own is None:
        told = " ".join(wish["fact"].split())
        if not told or _BACKWARD.match(told):
            told = " ".join(message[: wish.start()].split())
        own = told
    return own.strip(" .!,;:")[:MAX_FACT].strip() or None


def _said(proposed: str, message: str) -> str | None:
    """The words of the proposal as they stand in the message, or None."""
    words = proposed.strip(" \t\n.!,;:").split()
    if len(words) < 2:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), message, re.IGNORECASE)
    return " ".join(found.group().split()) if found else None


def accepts_person(message: str, history: Sequence[Message]) -> bool:
    """Whether the customer says yes to the offer, made just before, that a person takes over."""
    last = history[-1] if history else None
    offered = last is not None and last.role == "assistant" and last.requires_escalation and last.ticket_id is None
    return offered and bool(_YES.match(message))


def is_urgent(message: str) -> bool:
    """Whether the customer tells of danger or crime: then a person is asked at once, not offered."""
    return bool(_URGENT.search(message))
