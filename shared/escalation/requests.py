"""The words in which a customer asks for a person outright: a small grammar of English, phrases of other languages."""

from __future__ import annotations

import re


def asks_for_human(text: str) -> bool:
    """Whether the customer asks to be put in touch with a person of the company.

    First each mention of such a person becomes one word, unless what follows makes it another noun ("human
    resources"). A request is then a verb of contact or of wish right before that word, so "are you human?" and "the
    seller's agent" are none.
    """
    if _OTHER_LANGUAGES.search(text.casefold()):
        return True
    for sentence in re.split(r"[.!?;\n]+", re.sub("[’`´]", "'", text.casefold())):
        words = " ".join(re.findall(r"[\w']+|[,:()]", sentence))
        for pattern, replacement in _REWRITES:
            words = pattern.sub(replacement, words)
        if _ALONE.fullmatch(words.strip()):
            return True
        if any(not _NO_REQUEST.search(f"{words[: found.start()]}>{found[0]}") for found in _REQUEST.finditer(words)):
            return True
    return False


def asks_what_you_are(sentence: str) -> bool:
    """Whether all the customer wants to know, in English, is if a person or a machine answers."""
    plain = " ".join(re.findall(r"[\w']+", re.sub("[’`´]", "'", sentence.casefold())))
    return bool(_IDENTITY.search(plain)) and not _NOT_ONLY_IDENTITY.search(plain)


def declines(message: str) -> bool:
    """Whether the customer says no, in English, and no more: to the offer of a person, or of more help."""
    return bool(_NO.match(message))


def _any(listed: str) -> str:
    """A pattern for any one of the listed words, in which `_` stands for a space."""
    return f"(?:{'|'.join(listed.split()).replace('_', ' ')})"


_KIND = _any(
    "real live actual human living proper different qualified competent senior customer client service services support"
    " care help helpdesk desk sales technical tech billing account call center centre phone online chat"
)
# At most four of a kind, or a long row of such words would be tried from each of its words.
_BEFORE = rf"\b(?:{_any('a an any some another')} )?(?:{_KIND} ){{0,4}}"
_FOLLOWING = _any(
    "please now right instead today here there urgently quickly again already first soon rather thanks thank and or but"
    " because cause since so if about regarding concerning not via by through over i we at as with can could than this"
    " it me in_person in_charge in_your on_the_phone on_the_line on_your for_help for_this for_that for_support"
    " from_your from_the from_TEAM of_TEAM from_support from_sales from_billing"
)
_RELATIVE = f"{_any('who that which')} {_any('can could will would is knows understands speaks has')}"
_TASK = _any("help assist talk speak chat look call contact fix answer handle resolve sort explain solve take join")
_AFTER = rf"\b(?= ?(?:$|[,:()]|(?:{_FOLLOWING}|{_RELATIVE}|(?:to )?(?:\w+ )?{_TASK})\b))"

_PERSON = _any(
    "humans? human_beings? persons? agents? representatives? reps? operators? advis[eo]rs? supervisors?"
    " human_help human_assistance human_support"
)
_COLLEAGUE = _any(
    "managers? colleagues? assistants? associates? specialists? executives? technicians? people employees? staff"
    " staff_members? team_members? members?_of_staff"
)
_SOMEONE = f"(?:some|any)(?:one|body)(?: {_any('else here there alive')})?"
_SERVICE = (
    f"(?:{_any('customer client technical tech')} {_any('services? support care')}|your support|help ?desk"
    r"|support(?= (?:team|staff|department)))(?: (?:team|staff|department))?"
)
_MACHINE = (
    f"(?:{_any('a an the this your some stupid dumb useless')} ){{0,3}}"
    + _any("chat_?bots? bots? robots? machines? computers? ai")
)  # fmt: skip
_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"n't\b|(?<=\bdo)nt\b|(?<=\bca)nt\b", " not"),
        (r"\bwanna\b", "want to"),
        (r"'d\b", " would"),
        (r"\bi'?m\b", "i am"),
        (r"\bur\b", "your"),
        (r"\b(?:pls|plz)\b", "please"),
        (rf"\b{_any('please actually really just simply fucking damn immediately asap directly')} (?=\w)", ""),
        (rf"\b{_MACHINE}\b", "BOT"),
        (rf"{_BEFORE}{_SERVICE}{_AFTER}", "TEAM"),
        (rf"(?:{_BEFORE}{_PERSON}|\b(?:someone|somebody) (?:real|human)){_AFTER}", "PERSON"),
        (rf"(?:{_BEFORE}{_COLLEAGUE}|\b{_SOMEONE}){_AFTER}", "SOMEONE"),
    )
)

_WHO = "(?:the |your |one of your |one of the )?(?:PERSON|SOMEONE|TEAM)"
_TALK = f"{_any('talk speak chat talking speaking chatting')} (?:to |with )?"
_WISH = _any("want need would_like prefer give_me get_me find_me get request demand looking_for ask_for i_have me_have")
_HAND = _any("transfer connect put forward redirect hand pass switch escalate give")
_HANDED = _any("transferred connected forwarded redirected escalated put_through hand_over handed_over passed_on")
_DESK = rf"(?:the |your )?\w+ {_any('team department desk')}"
_DISLIKE = _any("stupid useless annoying pointless frustrating")
_REQUESTS = (
    f"{_TALK}{_WHO}",
    f"{_any('contact contacting contact_with reach reaching get_hold_of get_a_hold_of touch_with complain_to')} {_WHO}",
    f"{_any('call phone')} (?:the |your )?(?:PERSON|TEAM)",
    rf"{_HAND} (?:me|us|it|this|my \w+) (?:{_any('through over on')} )?(?:to|with) (?:{_WHO}|{_DESK})",
    f"{_HANDED} (?:to|with) {_WHO}",
    "put me through",
    f"(?:transfer|escalate) (?:to )?(?:me )?{_WHO}",
    f"escalate (?:this|it|my {_any('case issue ticket problem complaint request')})(?= ?(?:$|,|please|now))",
    f"{_WISH} PERSON",
    f"{_any('is are')} there {_WHO}",
    f"(?:PERSON|SOMEONE|TEAM) (?:(?:who|that) )?(?:i|we) {_any('can could may')} {_any('talk speak chat call')}",
    f"{_any('can could have get want need let')} {_WHO} (?:to )?{_any('call phone contact')} (?:me|us)",
    f"{_any('can could have get let')} PERSON (?:to )?{_any('help assist take_over join talk speak look')}",
    f"get SOMEONE to {_any('help assist talk speak')}",
    f"{_any('help assistance answer reply response call')} from PERSON",
    rf"{_any('not never hate tired sick stop')} (?:\w+ ){{0,3}}?{_TALK}BOT",
    f"{_TALK}BOT (?:is|was) (?:{_any('not no so')} )?{_DISLIKE}",
    f"{_any('no no_more enough_of')} BOT(?= ?$)",
    "(?<=, )PERSON please(?= ?$)",
)
_REQUEST = re.compile(rf"\b(?:{'|'.join(_REQUESTS)})\b")

# The sentence is no more than this, and maybe polite.
_POLITE = (
    f"(?:{_any('hi hello hey ok okay no yes please thanks thank_you now need want get me give right again sorry')}|,)"
)
_ALONE = re.compile(
    rf"(?:{_POLITE} ?)*(?:the |your )?(?:PERSON|TEAM|hand ?off|live chat|call me(?: back)?|(?:chat|contacting) PERSON"
    rf"|SOMEONE {_any('from in at')} (?:the |your )?(?:TEAM|support|sales|billing))(?: ?{_POLITE})*"
)

# What stands before a request (which begins at `>`) that is none: who is speaking here, what once was, the opposite.
_NO_REQUEST = re.compile(
    r"\b(?:"
    + "|".join(
        (
            rf"{_any('am is are was were been')} (?:{_any('i we you it this still now')} )*>(?:talk|speak|chatt)ing",
            rf"{_any('when if after once before unless until')} (?:i|we|you) (?:{_any('want need try have')} to )?>",
            rf"{_any('without instead_of rather_than avoid no_need_to no_need_for')} (?:having to )?>",
            rf"{_any('do does did')} not (?:{_any('want need like wish have')} (?:to )?)?>(?!\w+ BOT|not|want|need)",
            rf"(?:{_any('do does did will')} (?:i|we|you) (?:have|need) to|(?:must|should) (?:i|we|you)) >",
            r"does >not",
        )
    )
    + ")"
)

_BEING = _any(
    "humans? persons? people man woman bots? chat_?bots? robots? machines? computers? programs? software ai alive real"
)
_IDENTITY = re.compile(
    rf"\b(?:(?:are|r|aren't) (?:you|u)|(?:you|u) (?:are|aren't)|you're|ru|am i (?:talk|speak|chatt|typ|deal)ing"
    rf"|(?:is|was) (?:this|that|it))(?: {_any('a an the to with by just even really truly actually not either')}"
    rf"| {_any('real actual live living some any kind of type support customer service agent or and')})* {_BEING}\b"
)
_NOT_ONLY_IDENTITY = re.compile(
    rf"\b{_any('want need let get give transfer connect put prefer rather please would_like stop no_more useless')}\b"
    r"(?! to know)"
)

_NO = re.compile(
    r"^\W*(?:no|nope|nah|never ?mind|not (?:now|yet|really|needed|necessary)|forget (?:it|about it)|leave it"
    r"|all good|nothing(?: else)?|(?:it|that)(?:['’]?s| is) (?:ok(?:ay)?|fine|all|it|not needed|not necessary)"
    r"|i(?:['’]?m| am) (?:ok(?:ay)?|fine|good))\b"
    r"(?:\W+(?:no|thanks|thank you|thx|cheers|for now|ok(?:ay)?|fine|all good|not (?:now|needed|necessary)|never ?mind"
    r"|nothing(?: else)?|that(?:['’]?s| is) (?:ok(?:ay)?|fine|all|it)|i(?:['’]?m| am) (?:ok(?:ay)?|fine|good)"
    r"|there is no need|no need)){0,4}\W*$",
    re.IGNORECASE,
)

# The commonest phrases only. Japanese has no spaces, hence no word boundaries there.
_OTHER_LANGUAGES = re.compile(
    r"""
    \b(?:mit\ (?:einem|einer|jemandem)(?:\ \w+){0,2}\ (?:sprechen|reden|verbinden|chatten|verbunden)
    | (?:mitarbeiter|mensch(?:en)?|kundendienst|kundenservice)\ (?:bitte|sprechen)
    | (?:will|möchte)\ (?:einen|mit\ einem)\ (?:menschen|mitarbeiter)
    | parler\ (?:à|a|avec)\ (?:un\ (?:conseiller|humain|agent)|une\ (?:vraie\ )?personne|quelqu['’]un)
    | (?:un\ (?:conseiller|humain)|une\ (?:vraie\ )?personne)\ (?:s['’]il\ vous\ pla[iî]t|svp)
    | hablar\ con\ (?:una?\ (?:agente|persona|humano|representante|asesora?)|alguien)
    | una?\ (?:agente|persona|humano)\ por\ favor
    | falar\ com\ (?:uma?\ (?:atendente|pessoa|humano|agente)|algu[eé]m)
    | uma?\ (?:atendente|pessoa|humano)\ por\ favor)\b
    | (?:人|担当者|オペレーター|スタッフ)(?:と|に)(?:話|つない|繋い|代わ|かわ)
    """,
    re.VERBOSE,
)
