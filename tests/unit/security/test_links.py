"""Which links of a document reach a customer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversation.evidence import EvidenceSet
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


@given(st.text(alphabet="ab.:/@[]()<>#?hHtTpPwW!-_ \n", max_size=80))
def test_what_was_cleaned_is_clean(text: str) -> None:
    cleaned = LinkPolicy().clean(text)
    assert LinkPolicy().clean(cleaned) == cleaned
    assert "http://a" not in cleaned.lower().replace(" ", "")
