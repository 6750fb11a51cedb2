"""Promises that nobody would keep: what an answer says will be done, or was just done, for this customer.

The assistant itself can do nothing but answer and hand over. "I have refunded you" is therefore never true, "someone
will contact you" only if there is a ticket. What documents say of all customers is no promise of that kind ("Refunds
are issued within 5 days", "We will call you if the repair costs more"): whether it stays is for the verification of its
source to say.

The rules are a small grammar of English, and the commonest phrases of some other languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal, cast

Kind = Literal["contact", "forwarded", "done", "action"]

CANNOT_DO = "I cannot do this myself, but a colleague can."
"""Stands in for a promise; an offer to ask that colleague must follow."""
LEFT_TO_COLLEAGUE = "I cannot do this myself; the colleague who answers you can."
"""The same when a ticket is open, for a promise that goes beyond it."""


@dataclass(frozen=True, slots=True)
class Promise:
    """`contact`: the company will get in touch. `forwarded`: people of the company know of it, or will. `done`:
    something was carried out for the customer. `action`: something will be.

    `by_ticket`: an open ticket makes it true.
    """

    kind: Kind
    by_ticket: bool


def keep_promises(sentence: str, *, ticket_open: bool) -> str:
    """The sentence, or what is told instead of a promise in it that no ticket keeps; white space at its end stays."""
    promise = find_promise(sentence)
    if promise is None or (promise.by_ticket and ticket_open):
        return sentence
    return (LEFT_TO_COLLEAGUE if ticket_open else CANNOT_DO) + sentence[len(sentence.rstrip()) :]


def find_promise(sentence: str) -> Promise | None:
    """What one sentence promises this customer; citations in it do not matter."""
    if found := _OTHER_LANGUAGES.search(sentence.casefold().replace("’", "'")):
        return Promise(cast("Kind", found.lastgroup), by_ticket=found.lastgroup in ("contact", "forwarded"))
    words = _QUESTION.sub("", _words(sentence))
    general, dated = _GENERAL.search(words), _DATE.search(words)
    present = {subject for subject, pattern in _subjects().items() if pattern.search(words)}
    for rule in _RULES:
        if rule.subject not in present or (general and rule.unconditional) or (rule.dated and not dated):
            continue
        if rule.pattern.search(words):
            # When the ticket is due is told by the product, from its rules; any other time may be wrong.
            return Promise(rule.kind, rule.by_ticket and not (dated or _SPAN.search(words)))
    return None


def _words(sentence: str) -> str:
    """In small letters, contractions written out, without quotations, citations and mark-up; only `, : ; ?` stay."""
    plain = re.sub("[’`´]", "'", sentence.casefold())
    plain = re.sub(r"\[\d+\]|“[^”]{0,300}”|\"[^\"]{0,300}\"", " ", plain)
    plain = " ".join(re.findall(r"[\w'-]+|[,:;?]", plain))
    for pattern, replacement in _REWRITES:
        plain = pattern.sub(replacement, plain)
    return plain


def _any(listed: str) -> str:
    """A pattern for any one of the listed words, in which `_` stands for a space."""
    return f"(?:{'|'.join(listed.split()).replace('_', ' ')})"


_ADVERB = _any(
    "just already also personally gladly immediately successfully certainly definitely automatically actively currently"
)
_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bwon't\b", "will not"),
        (r"n't\b", " not"),
        (r"'ll\b", " will"),
        (r"'ve\b", " have"),
        (r"\bi'm\b", "i am"),
        (r"'re\b", " are"),
        (r"'s (?=(?:now |already |just )?been\b)", " has "),
        (r"'s (?=(?:now |already )?(?:on its|being|going)\b)", " is "),
        (r"\be-mail", "email"),
        (r"\b(?:gonna)\b", "going to"),
        (rf"\b{_ADVERB} (?=\w)", ""),
        (r"(?<!\bis )(?<!\bare )\bnow (?=\w)", ""),
        (r"\bgone ahead and\b", ""),
        (r"\bgo ahead and\b", ""),
        (r" {2,}", " "),
        # "We are sorry and will refund you": both are said of the same.
        (r"\b(we|i|they) ([^,:;?]{1,80}?) and (?=(?:will|am|are|have)\b)", r"\1 \2 and \1 "),
    )
)

_QUESTION = re.compile(r"(?:^|(?<=[,:;?]))[^,:;?]*\?")

# What makes a statement one about all customers, or about a case that may never come.
_GENERAL = re.compile(
    r"\b"
    + _any(
        "if when whenever once after as_soon_as unless until before in_case upon every each always usually normally"
        " generally customers members orders should_you as_long_as provided for_example"
    )
    + r"\b(?! the (?:end|weekend)| possible| i (?:hear|know|have)\b)"
    # "Send us your number and we will call you": only who does it is called.
    r"|^(?:(?:please|simply|just|then) )*"
    + _any("send write call contact reply fill give leave share email tell submit enter visit use return")
    + r"\b.* and "
)
_WEEKDAY = _any("monday tuesday wednesday thursday friday saturday sunday")
_DATE = re.compile(
    r"\b(?:today|tonight|tomorrow|shortly|soon|right away|immediately|momentarily|later|straight away|at once|asap"
    rf"|(?:by|on|this|next|until|before) (?:\w+ ){{0,2}}{_WEEKDAY}"
    r"|(?:this|next) (?:morning|afternoon|evening|week|month)|end of the (?:day|week|month)"
    r"|(?:in|within) (?:an?|the|\d+|\w+)(?: \w+)? (?:moment|second|minute|hour)s?)\b"
)
_SPAN = re.compile(r"\b(?:in|within) [\w-]+(?: \w+){0,2} (?:day|week)s?\b")

# ---- who

_TRADE = _any(
    "agents? admins? consultants? couriers? drivers? colleagues? technicians? specialists? supervisors? managers?"
    " engineers? advis[eo]rs? representatives? reps? experts? operators? developers? people humans? persons?"
    " employees?"
)
_TEAM = _any("team teams department desk staff service support care workshop warehouse office accounting billing")
_SOMEONE = (
    rf"(?:they|some(?:one|body)(?: (?:else|(?:from|in|at) (?:the |our )?(?:\w+ )?\w+))?"
    rf"|(?:an?|another|one of|the|our|my)(?: (?:our|my|the))?(?: \w+){{0,2}}? {_TRADE}(?: \w+)?"
    rf"|an? member of (?:the|our) (?:\w+ )?{_TEAM}|(?:the |our |my )?(?:\w+ )?{_TEAM}(?: {_TEAM})?)"
)
_I, _WE, _YOU, _YOUR, _LET_ME = r"\bi ", r"\bwe ", r"\byou ", r"\byour ", r"\blet me "
_COMPANY = rf"\b(?:we|{_SOMEONE}) "
_ANYBODY = ""
"""The subject of a rule that more than one of these begin."""
_NOT = r"(?!not\b|never\b|no longer\b|only\b)"
_FUTURE = rf"(?:will|shall|(?:am|are|is) going to|(?:am|are|is) about to) {_NOT}"

# ---- what

_REACH = _any(
    "contact_you call_you email_you mail_you phone_you ring_you text_you message_you write_to_you write_you"
    " reach_out get_back come_back_to_you be_in_touch be_in_contact get_in_touch follow_up reply respond"
    " answer_you answer_here inform_you update_you notify_you let_you_know keep_you_posted keep_you_updated"
    " keep_you_informed keep_you_in_the be_with_you provide_you_with be_right_with_you drop_you_a tell_you"
    " get_to_you join_you"
) + (
    r"|give you an? (?:\w+ )?(?:call|ring|buzz|update)"
    r"|send you an? (?:\w+ )?(?:update|message|reply|answer|response)"
)
_DO = _any(
    "refund reimburse cancel process issue send change update reset credit delete remove schedule book arrange"
    " organi[sz]e activate deactivate reactivate extend order reorder visit collect honou?r unlock unblock block"
    " lock approve apply add waive reverse correct fix resolve close upgrade downgrade replace ship dispatch"
    " initiate request adjust restore renew stop pause grant release assign merge transfer compensate repair solve"
    " sort handle rectify redeliver resend enable disable prolong exchange swap postpone revoke confirm register"
    " complete settle reserve"
)
_DO_PAST = (
    r"(?:refunded|reimbursed|cancell?ed|processed|issued|sent|changed|updated|reset|credited|deleted|removed"
    r"|scheduled|booked|arranged|organi[sz]ed|(?:de|re)?activated|extended|(?:re)?ordered|unlocked|unblocked"
    r"|approved|applied|added|waived|reversed|corrected|fixed|resolved|closed|upgraded|downgraded|replaced|shipped"
    r"|dispatched|initiated|requested|adjusted|restored|renewed|stopped|paused|granted|released|assigned|merged"
    r"|transferred|accepted|honou?red|compensated|repaired|solved|rectified|resent|enabled|disabled|prolonged"
    r"|exchanged|swapped|postponed|revoked|registered|settled|handled|taken care|taken|made sure|given|set up"
    r"|set you up|sorted|put|confirmed|completed|reserved|secured|marked"
    r"|made (?:that|the|this|your|an?|another) (?:\w+ )?(?:reservation|booking|appointment|change|payment|exception))"
)
_TELL_PAST = (
    r"(?:forwarded|escalated|passed|transferred|handed|submitted|raised|logged|filed|reported|flagged|opened|created"
    r"|informed|notified|alerted|contacted|asked|told|shared|brought|made a note|relayed|involved|messaged|emailed|let"
    r"|spoken|called|connected|referred|redirected|looped|noted|recorded|put in)"
)
_TELL = _any(
    "forward escalate pass transfer hand submit raise log file report flag open create inform notify alert"
    " contact share relay involve bring connect put redirect make_a_note"
)
_TELLING = _any(
    "forwarding escalating passing transferring handing submitting raising logging reporting flagging opening"
    " creating informing notifying alerting connecting putting redirecting"
)
_DOING = _any(
    "refunding cancell?ing reviewing investigating processing issuing sending changing updating resetting"
    " crediting deleting removing scheduling booking arranging activating extending ordering unlocking unblocking"
    " applying adding replacing fixing checking_with looking_into taking_care sorting restoring correcting calling"
    " emailing"
)
_CASE = r"\b(?:you|your|yours|this|it|that|everything|things)\b"
_TICKET = r"(?:ticket|case|service request|support request|complaint|incident|claim|report)"
_BENEFIT = (
    r"(?:refund|money|replacement|parcel|package|order|machine|credit|return label|voucher|new \w+|code|points|label"
    r"|(?:\w+ )?(?:refund|machine|parcel|label))"
)

# What the assistant does do: it talks, and looks into the documents.
_CHAT = (
    "(?!"
    + _any(
        "explain show walk guide list summari[sz]e answer tell need assume try describe quote translate remember"
        " repeat say outline break help assist use start begin search mention point have_to like love go_through"
        " read stick want not never only take_you leave ask_you find be_happy be_glad be_able be_here do_my focus"
        " refer look_it_up look_up look_this_up look_that_up look_through look_in check_our check_the keep_it"
        " keep_this look_for keep_my send_you_the_steps give_you_the give_you_some give_you_an_overview"
        " give_you_a_short give_you_step share_the no_longer be_brief be_honest continue recommend suggest provide"
    )
    + r"\b)"
)
_TALKED = (
    "(?!"
    + _any(
        "listed summari[sz]ed explained described mentioned answered tried translated included quoted received used"
        " noticed considered searched looked provided checked attached misunderstood learned needed based compared"
    )
    + r"\b)"
)


# ---- who does what


@dataclass(frozen=True)
class _Rule:
    """Patterns of a promise: `subject`, and `predicate` right after it. `unconditional`: not of a sentence about all
    customers, or a case that may never come. `dated`: only of one that tells a time."""

    kind: Kind
    subject: str
    predicate: str
    by_ticket: bool = field(default=False, kw_only=True)
    unconditional: bool = field(default=True, kw_only=True)
    dated: bool = field(default=False, kw_only=True)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when it is first needed: most sentences are about nobody who could promise anything."""
        return re.compile(f"{self.subject}(?:{self.predicate})")


@cache
def _subjects() -> Mapping[str, re.Pattern[str]]:
    """Looked for first: where they are not, neither is what begins with them."""
    return {rule.subject: re.compile(rule.subject) for rule in _RULES}


_RULES: Sequence[_Rule] = (
    # -- in touch with people of the company
    _Rule(
        "forwarded",
        _I,
        rf"(?:have )?(?:had )?{_TELL_PAST}\b(?! our (?:documents|articles))",
        by_ticket=True,
        unconditional=False,
    ),
    _Rule("forwarded", _I, rf"(?:am|will be) {_TELLING}\b", by_ticket=True, unconditional=False),
    _Rule(
        "forwarded",
        _ANYBODY,
        rf"\b(?:i (?:will|shall|am going to)|let me) {_TELL}\b",
        by_ticket=True,
        unconditional=False,
    ),
    _Rule(
        "forwarded",
        _ANYBODY,
        rf"^(?:connecting|transferring|escalating|redirecting|forwarding) (?:you |this )?(?:to|with)"
        rf" (?:[\w-]+ ){{0,3}}?(?:{_TRADE}|{_TEAM})\b",
        by_ticket=True,
    ),
    _Rule("forwarded", _LET_ME, rf"get (?:you )?(?:{_SOMEONE}|connected)", by_ticket=True, unconditional=False),
    _Rule("forwarded", _WE, rf"have {_TELL_PAST} .{{0,60}}\b(?:you|your)\b", by_ticket=True),
    _Rule(
        "forwarded",
        _ANYBODY,
        r"\b(?:your|this|the|it) (?:[\w-]+ ){0,4}?(?:has been|was|is being|have been) (?:forwarded|escalated|submitted"
        r"|raised|flagged|passed (?:on |along )?to|handed (?:over )?to|shared with|transferred to|reported to)\b",
        by_ticket=True,
    ),
    _Rule(
        "forwarded",
        _ANYBODY,
        rf"\b{_TICKET}(?: \w+)? (?:has been|was|is being)"
        r" (?:opened|created|logged|filed|raised|registered|submitted)\b",
        by_ticket=True,
    ),
    _Rule("forwarded", _COMPANY, r"(?:has|have) been (?:told|informed|notified|alerted|asked)\b", by_ticket=True),
    _Rule(
        "forwarded",
        _COMPANY,
        r"(?:is|are) (?:currently )?(?:working (?:hard )?(?:on|to \w+)|looking into|looking at|checking"
        r"|investigating) (?:your|this)\b",
        by_ticket=True,
    ),
    _Rule(
        "forwarded",
        _YOUR,
        rf"(?:[\w-]+ ){{1,3}}?is (?:being (?:reviewed|handled|looked (?:at|into)|investigated|checked)"
        rf"|now with {_SOMEONE})",
        by_ticket=True,
    ),
    _Rule("forwarded", _ANYBODY, rf"\b{_TEAM} is on it\b", by_ticket=True),
    # -- contact
    _Rule("contact", _I, rf"{_FUTURE}(?:{_REACH}|keep an eye|be calling|be in)\b", unconditional=False),
    _Rule(
        "contact", _COMPANY, rf"{_FUTURE}(?:[\w-]+ (?:[\w-]+ ){{0,5}}?and (?:will )?)?(?:{_REACH})\b", by_ticket=True
    ),
    _Rule("contact", _COMPANY, rf"will be \w+ing (?:[\w-]+ ){{0,3}}?{_CASE}", by_ticket=True),
    _Rule("contact", _COMPANY, rf"{_FUTURE}(?:take over|look into|help you|assist you)\b", by_ticket=True),
    _Rule(
        "contact",
        _YOU,
        r"(?:will|should) (?:soon )?(?:be (?:contacted|called|notified|informed|updated|connected|emailed)\b"
        r"|hear (?:back|from (?:us|me))|(?:get|receive|have) an? (?:\w+ )?(?:call|reply|answer|response|update)\b)",
        by_ticket=True,
    ),
    _Rule(
        "contact",
        _ANYBODY,
        r"\bexpect (?:to hear from|an? (?:\w+ )?(?:call(?:back)?|email|reply|answer|message))\b",
        by_ticket=True,
    ),
    # -- carried out
    _Rule("done", _I, rf"(?:have )?(?:had )?{_DO_PAST}\b", unconditional=False),
    _Rule("done", _I, rf"have {_TALKED}\w+ed (?:[\w-]+ ){{0,5}}?(?:you|your)\b", unconditional=False),
    _Rule("done", _I, rf"(?:was able|managed|have arranged) to (?:{_DO}|get)\b", unconditional=False),
    _Rule("done", _I, r"(?:have )?(?:checked|looked into|looked at|reviewed) (?:on )?your\b", unconditional=False),
    _Rule("done", _WE, rf"have {_DO_PAST} .{{0,60}}\b(?:you|your)\b"),
    _Rule(
        "done", _YOUR, rf"(?:[\w-]+ ){{1,4}}?(?:has been|have been|was|is now|are now|is being|are being) {_DO_PAST}\b"
    ),
    _Rule("done", _YOUR, r"(?:[\w-]+ ){1,3}?(?:is|are) (?:all set|complete|booked|scheduled|arranged)\b"),
    _Rule(
        "done", _ANYBODY, r"\bthe (?:[\w-]+ ){1,4}?(?:has|have) been (?:refunded|reversed|credited|waived|cancell?ed)\b"
    ),
    _Rule("done", _ANYBODY, r"\b(?:(?:your|an?|the) (?:[\w-]+ ){1,4}?|help )(?:is|are) on (?:its|the|their) way\b"),
    # -- to be carried out
    _Rule(
        "action",
        _ANYBODY,
        r"\b(?:i (?:can )?(?:promise|guarantee|assure)|you have my word|consider it done"
        r"|leave (?:it|this|that) (?:with|to) me|i am on it)\b|(?:^|[,:;] )rest assured\b",
    ),
    _Rule("action", _I, rf"(?:will|shall|am going to|am about to) {_CHAT}\w", unconditional=False),
    _Rule(
        "action",
        _I,
        rf"(?:will|am going to) (?:try|do (?:my|everything) \w+) to (?:{_DO})\b",
        unconditional=False,
    ),
    _Rule("action", _I, rf"am {_DOING}\b", unconditional=False),
    _Rule("action", _ANYBODY, rf"\bwhile i (?:{_DO}|check|look|review|do|get|find out)\b", unconditional=False),
    _Rule(
        "action",
        _LET_ME,
        rf"(?!add)(?:{_DO}|check (?:this |that |it )?with|look into|see what i can|pull up your"
        rf"|(?:get|make|put|take) {_CASE})\b",
    ),
    _Rule("action", _COMPANY, rf"{_FUTURE}(?:{_DO}) (?:[\w-]+ ){{0,5}}?{_CASE}"),
    _Rule("action", _COMPANY, rf"{_FUTURE}(?:take care of|see to|deal with|look after|have|get|make) (?:\w+ )?{_CASE}"),
    _Rule("action", _COMPANY, rf"{_FUTURE}(?:(?:try to )?{_DO}\b|\w+ (?:[\w-]+ ){{0,3}}?{_CASE})", dated=True),
    _Rule("action", _ANYBODY, rf"\b(?:your|an?|the) (?:[\w-]+ ){{1,4}}?will be (?!closed\b){_DO_PAST}\b", dated=True),
    _Rule("action", _YOU, r"will be (?:refunded|reimbursed|credited|compensated)\b", dated=True),
    _Rule("action", _COMPANY, rf"are (?:going to )?{_DOING} {_CASE}"),
    _Rule("action", _YOU, rf"will (?:have|get|receive) (?:your|an?|the) (?:[\w-]+ ){{0,3}}?{_BENEFIT}\b", dated=True),
    _Rule(
        "action",
        _ANYBODY,
        r"\b(?:your|an?|the) (?:[\w-]+ ){1,4}?will (?:arrive|reach you|be (?:there|with you|delivered|ready))\b",
        dated=True,
    ),
)

# The commonest phrases only. Negations and conditions are seldom between their words.
_OTHER_LANGUAGES = re.compile(
    r"""
    \b(?:
    (?P<contact>
      (?:wir\ melden\ uns|(?:wir|ein\ kollege|eine\ kollegin|jemand|unser\ team)\ (?:wird|werden)
      \ (?:sie|ihnen|dich|dir|sich)\ (?:\w+\ ){0,4}(?:anrufen|kontaktieren|melden|schreiben|zurückrufen|informieren)
      | nous\ vous\ (?:re)?(?:contacterons|appellerons|rappellerons|écrirons|tiendrons)
      | (?:quelqu'un|un\ (?:collègue|conseiller|technicien))\ (?:va\ )?vous\ (?:re)?(?:contacter|appeler|rappeler)\w*
      | (?:(?:nos\ )?pondremos\ en\ contacto|(?:le|te|lo|la)\ (?:contactaremos|llamaremos|escribiremos|avisaremos))
      | (?:alguien|un\ (?:compañero|agente|colega))\ (?:le|te|se)\ (?:llamará|contactará|pondrá\ en\ contacto)
      | (?:alguém|um\ (?:colega|agente))\ (?:vai|irá|entrará)\ (?:em\ contacto|em\ contato|ligar|contactar)\w*
      | (?:ti|la|vi)\ (?:contatteremo|richiameremo|chiameremo)
      | (?:we\ nemen\ contact\ met\ (?:u|je)|(?:een\ collega|iemand)\ (?:belt|neemt\ contact)))
    )|(?P<forwarded>
      (?:ich\ (?:habe|leite)\ (?:\w+\ ){1,6}weiter(?:geleitet|gegeben)?
      | j'ai\ (?:transmis|transféré|signalé|informé|prévenu)|je\ (?:transmets|transfère|vais\ transmettre)
      | he\ (?:reenviado|transferido|derivado|escalado|avisado|informado)
      | (?:encaminhei|transferi|ho\ (?:inoltrato|segnalato|trasmesso))
      | ik\ heb\ (?:\w+\ ){1,6}doorg(?:estuurd|egeven))
    )|(?P<done>
      (?:ich\ habe\ (?:\w+\ ){1,6}(?:storniert|erstattet|gekündigt|geändert|veranlasst|gebucht|zurückgesetzt|gelöscht)
      | j'ai\ (?:annulé|remboursé|modifié|réinitialisé|supprimé|programmé|commandé)
      | he\ (?:cancelado|reembolsado|cambiado|tramitado|restablecido|programado|devuelto)
      | (?:cancelei|reembolsei|ho\ (?:annullato|rimborsato|modificato)))
    )|(?P<action>
      (?:ich\ (?:werde\ (?:\w+\ ){1,6}(?:stornieren|erstatten|kündigen|ändern|veranlassen|klären|prüfen)|kümmere\ mich)
      | wir\ kümmern\ uns|je\ (?:vais|m'en)\ (?:occupe\w*|annuler|rembourser|modifier|vérifier)
      | (?:voy\ a|me\ encargo\ de|me\ encargaré)\ (?:cancelar|reembolsar|cambiar|tramitar|revisar|ello)))
    )\b
    """,
    re.VERBOSE,
)
