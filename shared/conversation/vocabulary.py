"""English words that exclude each other, and the negations of a few languages.

A value is a word that stands for one of several: hours, not days; before, not after; all, not some. Words of one group
are values of the same kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from shared.knowledge.terms import terms

NUMBER = "number"
MONTH = "month"
MODAL = "modal"
QUANTITY = "quantity"
CURRENCY = "currency"

Value = tuple[str, str]
"""Group, and the value in it."""

_UNITS = {
    "time": "millisecond/ms second/sec/secs/s minute/min/mins hour/hr/hrs/h day week/wk month year/yr/yrs decade "
    "century",
    "data": "byte kb/kilobyte/kib mb/megabyte/mib gb/gigabyte/gib tb/terabyte",
    "rate": "kbps mbps gbps",
    "frequency": "hz/hertz khz mhz ghz",
    "current": "ma/milliamp A/amp/ampere mah ah",
    "voltage": "mv/millivolt V/volt kv",
    "power": "mw W/watt kw/kilowatt kwh",
    "length": "mm/millimeter/millimetre cm/centimeter/centimetre m/meter/metre km/kilometer/kilometre inch "
    "foot/feet/ft mile yard",
    "weight": "mg g/gram kg/kilo/kilogram lb/lbs/pound oz/ounce ton/tonne",
    "volume": "ml l/liter/litre gallon",
    "temperature": "C/celsius F/fahrenheit",
    CURRENCY: "€/eur/euro $/usd/dollar £/gbp chf cent",
    "share": "%/percent/pct",
    "scale": "hundred thousand million billion trillion",
    "half": "am/a.m pm/p.m",
}
AFTER_NUMBER = frozenset(
    "s h m g l A V W C F ms min mins sec secs second ma am pm a.m p.m ah mm foot feet ton mw".split()
)
"""Units that are other words, too, unless they follow a number."""
_OPPOSITES = (
    "before/prior after", "with without", "more fewer/less", "minimum maximum above/over below/under/beneath",
    "include exclude", "increase decrease/reduce", "enable disable", "active/activate inactive/deactivate",
    "available unavailable", "first last", "open close", "add remove", "install uninstall", "connect disconnect",
    "lock unlock", "high low", "higher lower", "highest lowest", "left right", "inside outside", "start/begin stop/end",
    "accept refuse/reject/decline", "approve deny", "free paid", "public private", "valid invalid", "same different",
    "large/larger/big/bigger small/smaller", "largest/biggest smallest", "up down", "on off",
    "early/earlier late/later", "earliest latest", "long/longer short/shorter", "fast/faster slow/slower",
    "strong/stronger weak/weaker", "better worse", "best worst", "internal external", "upload download",
    "online offline", "always never sometimes/occasionally often/usually rarely/seldom", "top bottom", "front back",
    "daily weekly monthly yearly/annually hourly", "true false", "success/successful/succeed fail/failure/unsuccessful",
    "full empty", "input output", "positive negative", "manual automatic", "temporary permanent",
    "safe unsafe/dangerous", "legal illegal", "secure insecure", "visible invisible/hidden", "show hide", "buy sell",
    "send receive", "win lose", "north south east west", "northern southern eastern western",
    "monday tuesday wednesday thursday friday saturday sunday", "morning afternoon evening night",
    "compatible incompatible", "complete incomplete", "correct incorrect/wrong", "necessary unnecessary",
    "direct indirect", "domestic international", "single double", "married unmarried", "employed unemployed",
    "agree disagree", "improve worsen", "major minor", "cheap/cheaper expensive", "hot cold", "wet dry",
    "old/older new/newer",
)  # fmt: skip
_KINDS = {
    MODAL: "must/shall/required/require/mandatory/obligatory "
    "can/could/may/might/able/possible/optional/allow/allowed/permit/permitted "
    "forbidden/forbid/prohibit/prohibited/ban/banned",
    QUANTITY: "all/every/each/everyone/everything some/several/few/certain many most least any/anyone/anything both",
}
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_TENS = "thirty forty fifty sixty seventy eighty ninety".split()
_MONTHS = (
    "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sep/sept october/oct "
    "november/nov december/dec"
).split()
# The negations of other languages too: little else of them is known here.
NEGATIONS = frozenset(
    "not no never none nor neither cannot without non nobody nothing nowhere impossible unable nicht kein keine keinen "
    "keinem keiner keines nie niemals ohne pas jamais aucun aucune nunca jamás sin senza niet geen nooit".split()
)
SAME: Mapping[str, str] = dict.fromkeys("click press tap hit select choos pick".split(), "press")
"""Stems that mean the same where the talk is of buttons and menus."""
AUXILIARIES = frozenset("is are was were be been will would should do does did has have had".split())
CLAUSE_OPENERS = frozenset("but because if when while although though unless until which who whereas".split())
LIMITS = frozenset("only solely exclusively".split())
WORDING = frozenset(
    terms(
        "according regarding concerning documentation document article guide passage page says states state note yes "
        "sure course however furthermore moreover additionally simply please thus therefore hence otherwise instead "
        "following instance case"
    )
)
"""Stems that claim nothing themselves, as in "according to the documentation"."""
LIGHT = frozenset(terms("offer provide supply give"))
"""Stems of verbs that, like "have", only say that there is something; what it is, their object says."""
INTERJECTIONS = frozenset("yes sure note however please".split())


def stem(word: str) -> str:
    """The word as texts are compared by; stop words too."""
    return (terms(word) or [word])[0]


def _values(group: str, row: str) -> dict[str, Value]:
    """Each word's stem with its value: in `before/prior after`, two words have the first of two values."""
    alternatives = [words.split("/") for words in row.split()]
    return {form: (group, words[0]) for words in alternatives for word in words for form in (word, stem(word))}


UNITS: Mapping[str, Value] = {
    word: value for group, row in _UNITS.items() for word, value in _values(group, row).items()
}
VALUES: Mapping[str, Value] = {
    word: value
    for group, row in [*((row, row) for row in _OPPOSITES), *_KINDS.items()]
    for word, value in _values(group, row).items()
}
NUMBERS: Mapping[str, str] = {
    **{word: str(number) for number, word in enumerate(_NUMBER_WORDS)},
    **{word: str(number) for number, word in zip(range(30, 100, 10), _TENS, strict=True)},
}
ORDINALS: Mapping[str, str] = {
    word: str(number)
    for number, word in enumerate("second third fourth fifth sixth seventh eighth ninth tenth".split(), start=2)
}
"""With the numbers that they stand for, as in "2nd"; "first" is an opposite of "last"."""
MONTHS: Mapping[str, str] = {word: str(number) for number, words in enumerate(_MONTHS, 1) for word in words.split("/")}
_ALIKE = (
    "cost price fee", "delivery deliver shipping ship shipment postage", "warranty guarantee", "parcel package",
    "phone telephone", "invoice bill", "broken faulty defective", "delete remove erase", "buy purchase",
    "picture photo image", "change modify edit", "repair fix", "turn switch", "begin start", "weight weigh",
)  # fmt: skip
_ONE: Mapping[str, str] = {stem(word): stem(row.split()[0]) for row in _ALIKE for word in row.split()}
_NOUNS: Mapping[str, str] = {
    "much": "cost", "long": "duration", "heavy": "weight", "tall": "height", "wide": "width", "deep": "depth",
    "hot": "temperature",
}  # fmt: skip
"""Questions ask with an adjective for what documents, and the columns of their tables, call by a noun."""
_HOW = re.compile(
    rf"how ({'|'.join(_NOUNS)})\b"
    r"(?=\W*$| (?:is|are|was|were|do|does|did|will|would|can|could|must|should|may|have|for|to|until)\b)"
)
DURATION = stem("duration")
"""Said by whatever names a unit of time: an answer to "how long"."""
_SEND_BACK = re.compile(r"\b(?:send|give|bring)(?:s|ing)?\b(?: \w+){0,3} back\b")
"""What customers call it to return something."""
AMOUNTS = frozenset((DURATION, stem("cost")))
"""Asked for with "how long" and "how much"."""
_TIMES = frozenset(map(stem, "minute hour day week month year".split()))


@lru_cache(maxsize=4096)
def meant(text: str) -> frozenset[str]:
    """The terms of a text, with one for all words that customers and documents use for the same thing."""
    text = text.lower()
    if "how " in text:
        text = _HOW.sub(lambda how: f"at what {_NOUNS[how[1]]} ", text)
    if " back" in text:
        text = _SEND_BACK.sub("return", text)
    said = terms(text.replace("e-mail", "email").replace("wi-fi", "wifi"))
    found = frozenset(map(_ONE.get, said, said))
    return found if found.isdisjoint(_TIMES) else found | {DURATION}
