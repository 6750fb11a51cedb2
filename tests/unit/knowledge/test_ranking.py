from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.index import Chunk, Match
from shared.knowledge.ranking import rank


def chunk(text: str, *, document: str) -> Chunk:
    return Chunk(f"{document}/{text}", document, "1", text, "", 0, len(text))


def test_between_equals_the_document_with_more_good_passages_goes_first() -> None:
    lone = Match(chunk("Charge the battery for two hours", document="lone"), 0.4)
    pair = [Match(chunk(f"Charge the battery for {n} hours", document="pair"), 0.4) for n in ("three", "four")]
    assert [p.chunk.document for p in rank("charge the battery", [lone, *pair])] == ["pair", "pair", "lone"]


def test_passages_of_a_single_document_are_told_apart_by_their_words() -> None:
    texts = ["The lid is blue", "Descale it with citric acid", "The cable is long"]
    ranked = rank("citric acid?", [Match(chunk(text, document="manual"), 0.5) for text in texts])
    assert ranked[0].chunk.text == texts[1]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz ", max_size=20), st.floats(0, 2)), max_size=12),
    st.text("xyz? ", max_size=20),
)
def test_ranking_keeps_every_candidate_and_its_shares_are_shares(
    candidates: list[tuple[str, str, float]], question: str
) -> None:
    matches = [Match(chunk(text, document=name), distance) for name, text, distance in candidates]
    passages = rank(question, matches)
    key = lambda entry: (entry.chunk.id, entry.distance)  # noqa: E731
    assert sorted(map(key, passages)) == sorted(map(key, matches))
    assert all(0 <= p.coverage <= 1 + 1e-9 and 0 <= p.relevance <= 1 for p in passages)
