"""Links in texts that others wrote: kept if they lead to where the company's pages are, removed if they do not.

A customer trusts what the company's own assistant shows. So a link that somebody put into a document or a file must not
reach the language model, the answer or its sources, whatever the text around it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

REMOVED = "[link removed]"

# A Markdown link or picture; an address with a scheme; one that begins with www; a scheme that runs or carries content;
# a host name by itself. A host in an e-mail address is none of these.
_LINK = re.compile(
    r"!?\[(?P<text>[^\[\]\n]{0,300})\]"
    r"\(\s{0,9}(?P<target>(?:[a-z][a-z0-9+.-]{1,20}:|//)[^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*){0,2}|<[^<>\n]{0,300}>)"
    r"[^()\n]{0,300}\)"
    r"|(?<![\w@.-])(?:"
    r"(?P<address>[a-z][a-z0-9+.-]{1,20}://[^\s<>\"'`()\[\]{}|]*|www\.[^\s<>\"'`()\[\]{}|]+)"
    r"|(?P<code>(?:javascript|vbscript|livescript):[^\s<>\"'`]+|data:[\w.+/-]{0,60}[;,][^\s<>\"'`]*)"
    r"|(?P<host>(?-i:(?:[a-z0-9-]{1,63}\.){1,4}(?:com|net|org|info|biz|io|xyz|ru|cn|top|site|online|shop)))(?![\w@.-]?\w)"
    r"(?:[:/?#][^\s<>\"'`()\[\]{}|]*)?"
    r")",
    re.IGNORECASE,
)
_SAFE = frozenset({"http", "https"})
_MAIL = ("mailto:", "tel:")
_HOST = re.compile(r"(?:([a-z][a-z0-9+.-]*):)?(?://)?(?:[^/?#\\]*@)?(\[[^\]]*\]|[^/?#:\\\s]*)", re.IGNORECASE)
# What a company puts before its name for its pages of help.
_OWN_PREFIX = re.compile(r"^(?:www|help|support|docs?|kb|faq|community|service)\.(?=[^.]+\.)")
_END = ".,;:!?…*_"


class LinkPolicy:
    """`hosts` are those that may be linked to, with their subdomains. Without any, a document may link to its own site.

    A document's own site is that of its `url`, without a prefix such as `www` or `help`.
    """

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        self._hosts = frozenset(host.strip().lower().strip(".") for host in hosts) - {""}

    def clean(self, text: str, *, url: str = "") -> str:
        """The text of a document whose address is `url`, with each other link replaced."""
        if "." not in text and ":" not in text:
            return text
        hosts = self._hosts or _site(url)

        def replacement(match: re.Match[str]) -> str:
            link = (match["target"] or "").strip("<>") or match["address"] or match["host"] or match["code"]
            if match["target"] and match["target"].lower().startswith(_MAIL):
                return match.group()
            if not match["code"] and _leads_to(hosts, link):
                return match.group()
            if match["target"]:
                return match["text"]
            whole = match.group()
            return REMOVED + whole[len(whole.rstrip(_END)) :]

        return _LINK.sub(replacement, text)

    def allows(self, url: str) -> bool:
        """Whether a document may give this as its own address."""
        return not self._hosts or _leads_to(self._hosts, url)


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
