from hypothesis import given
from hypothesis import strategies as st

from shared.knowledge.index import Chunk, Match
from shared.knowledge.question import Question, parts
from shared.knowledge.ranking import rank


def chunk(text: str, *, document: str, of: int = 1) -> Chunk:
    return Chunk(f"{document}/{text}", document, "1", text, "", 0, len(text), document_chunks=of)


def test_between_equals_the_document_with_more_good_passages_goes_first() -> None:
    lone = Match(chunk("Charge the battery for two hours", document="lone"), 0.4)
    pair = [Match(chunk(f"Charge the battery for {n} hours", document="pair", of=2), 0.4) for n in ("three", "four")]
    ranked = rank(parts(Question("charge the battery")), [lone, *pair])
    assert [passage.chunk.document for passage in ranked] == ["pair", "pair", "lone"]


def test_between_equals_the_document_with_fewer_passages_that_are_not_near_goes_first() -> None:
    leaflet = Match(chunk("Charge the battery for two hours", document="leaflet", of=2), 0.4)
    tome = Match(chunk("Charge the battery for three hours", document="tome", of=200), 0.4)
    ranked = rank(parts(Question("charge the battery")), [tome, leaflet])
    assert [passage.chunk.document for passage in ranked] == ["leaflet", "tome"]


def test_passages_of_a_single_document_are_told_apart_by_their_words() -> None:
    texts = ["The lid is blue", "Descale it with citric acid", "The cable is long"]
    ranked = rank(parts(Question("citric acid?")), [Match(chunk(text, document="manual"), 0.5) for text in texts])
    assert ranked[0].chunk.text == texts[1]


def test_between_equals_the_document_with_the_words_next_to_each_other_goes_first() -> None:
    texts = ["Tax is due for a car and a boat and a property", "For a car and a boat property tax is due"]
    ranked = rank(parts(Question("property tax?")), [Match(chunk(text, document=text), 0.4) for text in texts])
    assert ranked[0].chunk.text == texts[1]


def test_words_of_two_passages_make_no_pair() -> None:
    apart = [Match(chunk(text, document="apart"), 0.4) for text in ("It has a property", "tax is due")]
    pair = Match(chunk("property tax is due. It has a", document="pair"), 0.42)
    assert rank(parts(Question("property tax")), [*apart, pair])[0].chunk.document == "pair"


def under(heading: str, distance: float) -> Match:
    return Match(Chunk(heading, heading, "1", "Breakfast is from seven to ten", heading, 0, 30), distance)


def test_a_heading_that_was_named_before_goes_before_a_nearer_one_but_not_if_half_of_it_was() -> None:
    question = parts(Question("When is breakfast?", said=("I stay at the Aurora Lodge",)))
    named = rank(question, [under("Belmont House", 0.4), under("Aurora Lodge", 0.5)])
    assert named[0].chunk.document == "Aurora Lodge"
    partly = rank(question, [under("Belmont House", 0.4), under("Cherry Lodge", 0.42)])
    assert partly[0].chunk.document == "Belmont House"


def test_a_message_without_words_is_ranked_by_meaning_alone() -> None:
    matches = [Match(chunk(text, document=text), distance) for text, distance in (("Far", 0.6), ("Near", 0.3))]
    assert [passage.chunk.document for passage in rank(parts(Question("?!")), matches)] == ["Near", "Far"]


def test_a_code_decides_a_short_question_and_only_adds_to_a_long_story() -> None:
    near = Match(chunk("Mails that were sent do not appear in the folder", document="near"), 0.3)
    code = Match(chunk("New in 115.3: a calendar", document="code"), 0.6)
    story = "My mails that were sent do not appear, the folder stays empty since yesterday evening; I restarted the "
    story += (
        "computer twice, asked a neighbour, looked into settings, tried another account. Thunderbird 115.3, Windows"
    )
    assert rank(parts(Question("115.3 folder?")), [near, code], ["115.3"])[0].chunk.document == "code"
    assert rank(parts(Question(story)), [near, code], ["115.3"])[0].chunk.document == "near"


def test_it_is_said_why_a_passage_was_found() -> None:
    texts = ["Charging the battery clears ERR-1042", "The battery is flat", "The lid of the battery"]
    ranked = rank(
        parts(Question("ERR-1042 or ERR-7 while I charge the Battery")),
        [Match(chunk(text, document=text), 0.4) for text in texts],
        ["ERR-1042", "ERR-7"],
    )
    why = ranked[0].why
    assert (why.cosine, why.codes) == (0.6, ("ERR-1042",))
    assert why.words[-1] == "battery"
    assert "charge" in why.words
    assert ranked[1].why.codes == ()


def relevances(question: str, distance: float, codes: list[str] | None = None, *texts: str) -> list[float]:
    others = [Match(chunk(f"Something else {n}", document=f"other {n}"), 0.9) for n in range(50)]
    near = [Match(chunk(text, document=text), distance) for text in texts]
    found = rank(parts(Question(question)), [*near, *others], codes or [])
    return [passage.relevance for text in texts for passage in found if passage.chunk.text == text]


def test_what_is_nearer_or_holds_more_of_the_question_is_more_probably_relevant() -> None:
    question, text = "How long does the battery last?", "The battery lasts nine hours"
    assert relevances(question, 0.3, None, text) > relevances(question, 0.6, None, text)
    with_words, without = relevances(question, 0.5, None, text, "Nine hours on one charge")
    assert with_words > without


def test_among_neighbours_as_near_a_passage_is_less_probably_relevant() -> None:
    alone = relevances("battery life", 0.4, None, "Nine hours")
    crowd = relevances("battery life", 0.4, None, "Nine hours", *(f"Hours, {n} of them" for n in range(50)))
    assert crowd[0] < alone[0]


def test_a_single_passage_near_the_question_is_not_held_to_be_irrelevant() -> None:
    (near,), (far,) = (
        rank(parts(Question("How long does it last?")), [Match(chunk("Nine hours", document="a"), d)])
        for d in (0.2, 0.9)
    )
    assert near.relevance > 2 * far.relevance


def test_a_short_question_about_a_code_is_not_answered_by_a_passage_without_it() -> None:
    with_code, without = relevances("What is ERR-7?", 0.4, ["ERR-7"], "ERR-7: lid open", "ERR-9: lid open")
    assert with_code > 0.5 > without
    assert without < relevances("What is it?", 0.4, None, "ERR-9: lid open")[0]


def test_a_long_story_may_mention_versions_that_stand_nowhere() -> None:
    story = (
        "Since yesterday my calendar shows every meeting twice, on the phone and on the desktop computer, although I "
        "deleted the account, added it again, restarted both devices and cleared whatever cache I found; running 2.3.1"
    )
    assert relevances(story, 0.4, ["2.3.1"], "Duplicate entries") == relevances(story, 0.4, [], "Duplicate entries")


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.text("xyz ", max_size=20), st.floats(0, 2)), max_size=12),
    st.text("xyz? ", max_size=20),
)
def test_ranking_keeps_every_candidate_and_its_shares_are_shares(
    candidates: list[tuple[str, str, float]], question: str
) -> None:
    matches = [Match(chunk(text, document=name), distance) for name, text, distance in candidates]
    passages = rank(parts(Question(question)), matches)
    key = lambda entry: (entry.chunk.id, entry.distance)  # noqa: E731
    assert sorted(map(key, passages)) == sorted(map(key, matches))
    assert all(0 <= p.coverage <= 1 + 1e-9 and 0 <= p.relevance <= 1 for p in passages)
    assert all(set(p.why.words) <= set(question.replace("?", " ").split()) for p in passages)


def test_a_follow_up_finds_the_thing_that_was_talked_about() -> None:
    def breakfast(house: str) -> Match:
        text = "Breakfast is served from seven."
        return Match(Chunk(house, house, "1", text, house, 0, len(text)), 0.4)

    houses = [breakfast("Garden House"), breakfast("Bridge House"), breakfast("Corner House")]
    question = Question("When is breakfast?", replied="I found Bridge House.", said=("I found Bridge House.",))
    assert rank(parts(question), houses)[0].chunk.document == "Bridge House"


def test_the_words_of_a_follow_up_are_completed_by_earlier_ones() -> None:
    texts = ["It costs 9 euros to send it to Norway.", "It costs 5 euros to grind it."]
    question = Question("What does it cost?", asked=("Do you ship to Norway?",), said=("Do you ship to Norway?",))
    ranked = rank(parts(question), [Match(chunk(text, document=text), 0.4) for text in reversed(texts)])
    assert ranked[0].chunk.text == texts[0]
    assert "norway" in ranked[0].why.words
