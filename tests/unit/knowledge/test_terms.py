import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.knowledge.terms import code_pattern, codes, spellings, terms


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("error ERR-1042 on the KX-4410-B", ["ERR-1042", "KX-4410-B"]),
        ("firmware 2.3.1, not 2.3", ["2.3.1", "2.3"]),
        ("E-21. And E21?", ["E-21", "E21"]),
        ("status 0xFF, or 0Xff", ["0xFF", "0Xff"]),
        ("I ordered 2 machines on 24 May", []),
        ("a well-known two-factor log-in", []),
    ],
)
def test_codes(text: str, found: list[str]) -> None:
    assert codes(text) == found


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        *[("err-1042", "ERR-1042"), ("err1042", "ERR-1042"), ("E-21", "E21"), ("e21", "E-21")],
        *[("KX4410B", "KX-4410-B"), ("kx-4410-b", "KX4410B"), ("0X1f3c", "0x1F3C"), ("V2.3.1", "v2.3.1")],
    ],
)
def test_a_code_may_be_typed_in_other_ways_than_it_is_printed(typed: str, printed: str) -> None:
    assert printed in spellings(typed)
    assert re.fullmatch(code_pattern(typed), printed, re.IGNORECASE)


@pytest.mark.parametrize(("typed", "printed"), [("E21", "E2-1"), ("2.3.1", "2-3-1"), ("ERR-10", "ERR-1-0")])
def test_digits_are_not_taken_apart(typed: str, printed: str) -> None:
    assert printed not in spellings(typed)
    assert not re.fullmatch(code_pattern(typed), printed)


def test_terms_are_stemmed_content_words() -> None:
    assert terms("How do I return the returned items?") == ["return", "return", "item"]


def test_terms_keep_numbers_and_other_languages() -> None:
    assert terms("30 Tage Rückgaberecht") == ["30", "tage", "rückgaberecht"]


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns after every few steps."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_texts_that_are_read_at_the_same_time_do_not_mix() -> None:
    # Words that nobody has read before; of each, the ending is cut off.
    texts = [" ".join(f"{kind}{number}s" for number in range(2_000)) for kind in ("lamp", "grinder", "bean", "kettle")]
    with ThreadPoolExecutor(len(texts)) as threads:
        found = list(threads.map(terms, texts))
    assert found == [[word.removesuffix("s") for word in text.split()] for text in texts]
