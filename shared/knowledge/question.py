"""What a message asks for: the words to compare, and the texts to embed.

A message may be an e-mail: what it quotes, its signature and its courtesies are left out. It may be a follow-up ("and
for two people?"): then what was said before tells what it is about, and counts less the longer ago it was. It may begin
another topic: then what was said before would only lead astray, and hardly counts.

The constants are of docs/decisions/0005-candidate-rescoring.md, measured by `python -m evaluation.retrieval`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.knowledge.embedding import Vectors
from shared.knowledge.terms import terms

ASKED_WEIGHT = 0.5
"""Weight of the question in a short message, beside the whole message: .3 and .5 differ by less than .01 nDCG@10."""
SHORT_MESSAGE = 4
"""Sentences of a message in which a question mark says what is asked. In longer ones it is often "Any ideas?"."""
REPLIED_WEIGHT, ASKED_BEFORE_WEIGHT = 0.5, 0.2
"""Weights of the vectors of the answer before the message and of the customer's message before that."""
BEFORE_TERMS = 0.5
"""Weight of a word that only they have, beside one of the message."""
ALONE = 3
"""Content words of a question that usually stands alone; twice as many if it refers back."""
NEW_TOPIC = 0.1
"""What is left of those weights where a message stands alone, because it may begin another topic. With all of them, of
120 questions that followed two others on the sample company only a third would find their document first, and not one
that no document answers would be declined."""
OPENING = 100
"""Characters of the answer that such a message's vector takes note of. All of it is no better; nothing of it and of the
messages before it costs DSTC11 .017 nDCG@10."""
FADING, EARLIER = 0.5, 3
"""Each message of the customer counts half as much as the one after it; more than three are not looked at."""
NAMED = 6
"""Messages back in which the topic may have been named."""
NAME_WORDS = 3
"""Longest line below "Regards," that is taken for a name."""

_REFERS_BACK = re.compile(
    r"^\W*(?:and|but|or|so|then|also|what about|how about|what if)\b"
    r"|\b(?:it|its|that|this|those|these|they|them|one|ones|same|instead|he|she|his|her)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
# Whatever follows one of these lines is an older message, or a signature.
_BELOW = re.compile(
    r"^[ \t]*(?:On\b.{5,120}\bwrote:|-{2,}[ \t]*(?:Original|Forwarded) [Mm]essage\b.*|--"
    r"|From:.+\n(?:.+\n){0,2}(?:Sent|Date|To|Subject):.+|Sent from my \w+(?: \w+){0,2}\.?)[ \t]*$",
    re.MULTILINE,
)
_CLOSING = re.compile(
    r"^\W*(?:(?:many )?thanks|thank you|thx|cheers|sincerely|yours"
    r"|(?:(?:kind|best|warm)(?:est)? )?(?:regards|wishes))\b",
    re.IGNORECASE,
)
# Words a sentence may consist of without telling anything: "Hi everyone", "Any help would be greatly appreciated!"
_COURTESY = frozenset(
    terms(
        "hi hello hey greetings dear sir madam team folks everyone everybody good day morning afternoon evening thanks "
        "thank thx cheers regards kind best warm wishes sincerely yours advance ahead time many much lot really kindly "
        "appreciate appreciated greatly grateful help helpful helping assist assistance support advice advise advising "
        "guidance idea ideas suggest suggestion suggestions thought thoughts anyone anybody someone somebody know let "
        "look looking forward hear hearing soon sorry problem issue question"
    )
)


@dataclass(frozen=True, slots=True)
class Question:
    """A customer's message, and what was said before it.

    `replied` is the answer that it follows, empty if there was none; `asked` are the customer's earlier messages, and
    `said` all messages, each newest first.
    """

    text: str
    replied: str = ""
    asked: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a question is compared with the passages.

    `words` is the text to take terms from, `before` are earlier ones, with the weight of their terms. `named` are texts
    in which the topic may have been named, newest first. `weighted` are the texts whose unit vectors, so weighted, make
    the query's.
    """

    words: str
    weighted: Sequence[tuple[str, float]]
    before: Sequence[tuple[str, float]] = ()
    named: Sequence[str] = ()


def parts(question: Question) -> Parts:
    """Two texts to embed for the message, and one for each earlier one that it leans on."""
    cleaned = clean(question.text)
    asked = _asked(cleaned)
    own = [(cleaned, 1.0), *([(asked, ASKED_WEIGHT)] if asked else [])]
    # Weights beside a message of weight 1, whatever it is made of.
    share = sum(weight for _, weight in own)
    earlier = [(text, FADING**ago) for ago, text in enumerate(question.asked[:EARLIER])]
    replied = [(question.replied, 1.0)] if question.replied else []
    leaning = _leaning(cleaned)
    # The vector of a long answer is the dearest thing of a turn.
    read = OPENING if stands_alone(cleaned) else None
    leant_on = [(text[:read], leaning * REPLIED_WEIGHT * weight) for text, weight in replied]
    leant_on += [(text, leaning * ASKED_BEFORE_WEIGHT * weight) for text, weight in earlier]
    return Parts(
        words=cleaned,
        weighted=[(text, weight / share) for text, weight in own] + leant_on,
        before=[(text, leaning * BEFORE_TERMS * weight) for text, weight in (*replied, *earlier)],
        named=question.said[:NAMED],
    )


def query_vector(weighted: Sequence[tuple[Vectors, float]]) -> Vectors:
    """The unit vector of weighted ones. Shape: (dimensions,)."""
    total = np.sum([weight * vector for vector, weight in weighted], axis=0)
    return (total / np.linalg.norm(total)).astype(np.float32)


def clean(message: str) -> str:
    """The message without quoted mail, signature and sentences of mere courtesy, or all of it if nothing else is there.

    The other sentences stay as they are, in order.
    """
    own = _QUOTED.sub("", message)
    if below := _BELOW.search(own):
        own = own[: below.start()]
    lines = [stripped for line in own.split("\n") if (stripped := line.strip())]
    if len(lines) > 1 and _CLOSING.match(lines[-2]) and _is_name(lines[-1]):
        del lines[-1]
    kept = [
        " ".join(sentence for sentence in _SENTENCE_END.split(line) if not _is_courtesy(sentence)) for line in lines
    ]
    cleaned = "\n".join(filter(None, kept))
    return cleaned if terms(cleaned) else message


def stands_alone(message: str) -> bool:
    """Whether a message says itself what it is about."""
    words = len(set(terms(message)))
    return words >= ALONE and not (words < 2 * ALONE and refers_back(message))


def refers_back(message: str) -> bool:
    """Whether it has a word that points to what was said before, or goes on from it."""
    return bool(_REFERS_BACK.search(message))


def _leaning(message: str) -> float:
    """How much of what was said before a message needs: 1 all of it, and less the more it says itself."""
    if stands_alone(message):
        return NEW_TOPIC
    return min(1.0, ALONE / max(1, len(set(terms(message)))))


def _is_name(line: str) -> bool:
    return len(line.split()) <= NAME_WORDS and not line.endswith("?")


def _is_courtesy(sentence: str) -> bool:
    return _COURTESY.issuperset(terms(sentence))


def _asked(message: str) -> str:
    """The last question of a short message that says more than it; empty if there is none."""
    sentences = [
        stripped
        for line in message.split("\n")
        for sentence in _SENTENCE_END.split(line)
        if terms(stripped := sentence.strip())
    ]
    if not 1 < len(sentences) <= SHORT_MESSAGE:
        return ""
    return next((sentence for sentence in reversed(sentences) if sentence.endswith("?")), "")
