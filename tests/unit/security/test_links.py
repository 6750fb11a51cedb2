"""Which links of a document reach a customer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.evidence import EvidenceSet
from shared.security import links
from shared.security.links import REMOVED, LinkPolicy

PAGE = "https://www.kavendry.example/help/returns"


@pytest.mark.parametrize(
    "text",
    [
        "Go to www.kavendry.example/sign-in, then choose Returns.",
        "See https://kavendry.example/a?b=1#c.",
        "[Shop](https://shop.kavendry.example/a) is open.",
        "Write to privacy@other.example or to [us](mailto:us@other.example).",
        "ASP.NET, Booking.com, node.js, report.docx, 1.2.3 and 10:30 are no links; neither is data: this.",
        "No link at all",
    ],
)
def test_links_to_the_documents_own_site_and_what_is_no_link_stay(text: str) -> None:
    assert LinkPolicy().clean(text, url=PAGE) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("See https://bad.example/x.", f"See {REMOVED}."),
        ("See HTTPS://BAD.EXAMPLE/x!", f"See {REMOVED}!"),
        ("www.bad.example now", f"{REMOVED} now"),
        ("badsite.net/path?x now", f"{REMOVED} now"),
        ("visit badsite.com.", f"visit {REMOVED}."),
        ("[Click here](https://bad.example/a) now", "Click here now"),
        ("![x](//bad.example/p.png)", "x"),
        ("[run](javascript:alert(1))", "run"),
        ("javascript:alert(1)", REMOVED),
        ("data:text/html;base64,AAAA", REMOVED),
        ("ftp://kavendry.example/a", REMOVED),
        # A link in a link.
        ("[[a](https://bad.example)](//worse.example)", "a"),
        ("https://bad.example(//worse.example)", "link removed"),
        ("h[t](//bad.example)tps://worse.example", f"ht{REMOVED}"),
        (
            "[" * 9 + "a" + "](//bad.example)" * 9,
            "[[[[[a] (//bad.example)] (//bad.example)] (//bad.example)] (//bad.example)] (//bad.example)",
        ),
        # What looks like the company's address and is not.
        ("https://kavendry.example@bad.example/", REMOVED),
        ("https://www.kavendry.example.bad.example/", REMOVED),
        ("https://bad.example/www.kavendry.example", REMOVED),
        ("https://bad.example#.kavendry.example", REMOVED),
        ("https://badkavendry.example", REMOVED),
    ],
)
def test_other_links_go(text: str, cleaned: str) -> None:
    assert LinkPolicy().clean(text, url=PAGE) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("See [Returns](/returns#how).", "See [Returns](https://www.kavendry.example/returns#how)."),
        ("See [Sizes](sizes.html).", "See [Sizes](https://www.kavendry.example/help/sizes.html)."),
        ("See [below](#below).", f"See [below]({PAGE}#below)."),
        ("![Tank](img/tank.png)", "![Tank](https://www.kavendry.example/help/img/tank.png)"),
        ("See [x](../../../a).", "See [x](https://www.kavendry.example/a)."),
        ("[x](/\\bad.example/a)", "x"),
        ("[x](/a@bad.example)", "x"),
        ("Call handlers[name](event) or f[0](1).", "Call handlers[name](event) or f[0](1)."),
    ],
)
def test_a_path_leads_from_the_documents_address(text: str, cleaned: str) -> None:
    assert LinkPolicy().clean(text, url=PAGE) == cleaned


@pytest.mark.parametrize("path", ["/returns", "returns.md", "../a/b", "#top", "?next=//bad.example"])
def test_without_an_address_a_path_leads_nowhere(path: str) -> None:
    assert LinkPolicy().clean(f"See [Returns]({path}) or [[a](b/)](c/).") == "See Returns or a."


def test_the_sites_that_customers_call_from_may_be_linked_to() -> None:
    policy = LinkPolicy(origins=["https://www.kavendry.example", " http://localhost:3000", ""])
    kept = "https://shop.kavendry.example/a"
    assert policy.clean(f"{kept} https://bad.example http://localhost:3000/a") == f"{kept} {REMOVED} {REMOVED}"
    listed = LinkPolicy(["shop.example"], origins=["https://www.kavendry.example"])
    assert listed.clean(kept) == REMOVED


def test_without_an_address_of_its_own_a_document_links_nowhere() -> None:
    assert LinkPolicy().clean("https://www.kavendry.example/a") == REMOVED


def test_listed_hosts_are_the_only_ones() -> None:
    policy = LinkPolicy([" Shop.Example ", ""])
    assert policy.clean("https://a.shop.example/x https://kavendry.example/y", url=PAGE) == (
        f"https://a.shop.example/x {REMOVED}"
    )
    assert policy.allows("https://shop.example/a")
    assert not policy.allows(PAGE)


def test_neither_the_passage_nor_what_is_told_of_it_keeps_a_link() -> None:
    evidence = EvidenceSet(LinkPolicy(["shop.example"])).add(
        id="c",
        heading="Read https://bad.example",
        content="Go to https://bad.example now.",
        distance=0.1,
        relevance=0.9,
        metadata={"source": "a.b", "title": "www.bad.example", "url": "https://bad.example/", "page": 3},
    )
    assert "bad" not in f"{evidence.heading} {evidence.content} {evidence.metadata}"
    assert evidence.metadata == {"source": "a.b", "title": REMOVED, "page": 3}


ANY = st.text(alphabet="ab.:/@[]()<>#?hHtTpPwW!-_ \n", max_size=80)


@given(ANY, st.sampled_from([PAGE, "https://[a.b", "mailto:a@b.c"]) | ANY)
def test_an_address_may_be_anything(text: str, url: str) -> None:
    cleaned = LinkPolicy().clean(text, url=url)
    assert LinkPolicy().clean(cleaned, url=url) == cleaned


@given(ANY)
def test_what_was_cleaned_is_clean(text: str) -> None:
    cleaned = LinkPolicy().clean(text)
    assert LinkPolicy().clean(cleaned) == cleaned
    assert "http://a" not in cleaned.lower().replace(" ", "")


PIECES = (
    "www.",
    "WWW.",
    "http",
    "javascript",
    "data",
    "mailto",
    ":",
    "//",
    "[a](",
    "](",
    ")",
    ".com",
    "b",
    "/c.md",
    " ",
    "-",
    "\n",
)


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_whatever_is_a_link_is_looked_at(text: str) -> None:
    assert links._PERHAPS.search(text) or not links._LINK.search(text)


def test_a_table_of_contents_goes() -> None:
    page = "In this article:\n\n* [Windows](#windows)\n  1. [Key](#key)\n- [Linux](#linux)\n\nSee [below](#windows)."
    assert LinkPolicy().clean(page) == "In this article:\n\n\nSee below."
