"""Links in texts that others wrote: kept if they lead to where the company's pages are, removed if they do not.

A customer trusts what the company's own assistant shows. So a link that somebody put into a document or a file must not
reach the language model, the answer or its sources, whatever the text around it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urljoin

REMOVED = "[link removed]"
NESTED = 4
"""Links inside links that are told apart; of what is nested deeper, nothing stays a link."""

# A Markdown link or picture, to an address or to a path; an address with a scheme; one that begins with www; a scheme
# that runs or carries content; a host name by itself. A host in an e-mail address is none of these.
_LINK = re.compile(
    r"(?P<mark>!?)\[(?P<text>[^\[\]\n]{0,300})\]\(\s{0,9}(?:"
    r"(?P<target>(?:[a-z][a-z0-9+.-]{1,20}:|//)[^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*){0,2}|<[^<>\n]{0,300}>)"
    r"|(?P<path>[#?/][^\s<>()]*|[\w%~.-]+/[^\s<>()]*|[\w%~-]+\.(?:md|html?|php|aspx?|pdf|png|jpe?g|gif|svg)\b[^\s<>()]*)"
    r")[^()\n]{0,300}\)"
    r"|(?<![\w@.-])(?:"
    r"(?P<address>[a-z][a-z0-9+.-]{1,20}://[^\s<>\"'`()\[\]{}|]*|www\.[^\s<>\"'`()\[\]{}|]+)"
    r"|(?P<code>(?:javascript|vbscript|livescript):[^\s<>\"'`]+|data:[\w.+/-]{0,60}[;,][^\s<>\"'`]*)"
    r"|(?P<host>(?-i:(?:[a-z0-9-]{1,63}\.){1,4}(?:com|net|org|info|biz|io|xyz|ru|cn|top|site|online|shop)))(?![\w@.-]?\w)"
    r"(?:[:/?#][^\s<>\"'`()\[\]{}|]*)?"
    r")",
    re.IGNORECASE,
)
# Something of each of these, which few texts have: to look for it takes a twentieth of the time, as long as every
# alternative begins with a character.
_PERHAPS = re.compile(r"\]\(|:(?://|(?<=[aAtT]:)\S)|\.(?:[a-zA-Z]|(?<=[wW]\.)\S)")
_SAFE = frozenset({"http", "https"})
_MAIL = ("mailto:", "tel:")
_HOST = re.compile(r"(?:([a-z][a-z0-9+.-]*):)?(?://)?(?:[^/?#\\]*@)?(\[[^\]]*\]|[^/?#:\\\s]*)", re.IGNORECASE)
# What a company puts before its name for its pages of help.
_OWN_PREFIX = re.compile(r"^(?:www|help|support|docs?|kb|faq|community|service)\.(?=[^.]+\.)")
_END = ".,;:!?…*_"


class LinkPolicy:
    """`hosts` are those that may be linked to, with their subdomains. Without any, these are the site of the document
    and the sites of `origins`, where the company lets its customers call from.

    A document's own site is that of its `url`, without a prefix such as `www` or `help`.
    """

    def __init__(self, hosts: Iterable[str] = (), *, origins: Iterable[str] = ()) -> None:
        self._hosts = frozenset(host.strip().lower().strip(".") for host in hosts) - {""}
        self._sites = frozenset[str]().union(*(_site(origin.strip()) for origin in origins))

    def clean(self, text: str, *, url: str = "") -> str:
        """The text of a document whose address is `url`, with each other link replaced.

        A path leads from that address, and is written out; without one it leads nowhere, and only its text is kept.
        """
        if not _PERHAPS.search(text):
            return text
        hosts = self._hosts or self._sites | _site(url)

        def replacement(match: re.Match[str]) -> str:
            if path := match["path"]:
                whole = _joined(url, path)
                return f"{match['mark']}[{match['text']}]({whole})" if _leads_to(hosts, whole) else match["text"]
            link = (match["target"] or "").strip("<>") or match["address"] or match["host"] or match["code"]
            if match["target"] and match["target"].lower().startswith(_MAIL):
                return match.group()
            if not match["code"] and _leads_to(hosts, link):
                return match.group()
            if match["target"]:
                return match["text"]
            whole = match.group()
            return REMOVED + whole[len(whole.rstrip(_END)) :]

        # What is left when a link is taken out of another one may be a link again.
        for _ in range(NESTED):
            cleaned = _LINK.sub(replacement, text)
            if cleaned == text:
                return text
            text = cleaned
        return _broken(_LINK.sub(replacement, _broken(text)))

    def allows(self, url: str) -> bool:
        """Whether a document may give this as its own address."""
        return not self._hosts or _leads_to(self._hosts, url)


def _broken(text: str) -> str:
    """The text without Markdown links."""
    return text.replace("](", "] (")


def _joined(url: str, path: str) -> str:
    """Where the path leads; nowhere, if the document's own address is none."""
    try:
        return urljoin(url, path)
    except ValueError:
        return ""


def _site(url: str) -> frozenset[str]:
    scheme, host = _parts(url)
    return frozenset({_OWN_PREFIX.sub("", host)}) if scheme in _SAFE and "." in host else frozenset()


def _leads_to(hosts: frozenset[str], link: str) -> bool:
    scheme, host = _parts(link)
    if scheme not in _SAFE or "@" in link.partition("?")[0] or "\\" in link:
        return False
    return any(host == allowed or host.endswith(f".{allowed}") for allowed in hosts)


def _parts(link: str) -> tuple[str, str]:
    match = _HOST.match(link)
    return ((match[1] or "https").lower(), match[2].lower().rstrip(_END)) if match else ("", "")
