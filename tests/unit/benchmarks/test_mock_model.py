"""The model that both sides are given."""

from benchmarks.mock_model import answer


def test_the_mock_model_answers_with_a_sentence_of_a_passage() -> None:
    passage = '{"kind": "passage", "n": 3, "text": "Delivery to Germany takes three to five working days."}'
    messages = [{"role": "user", "content": passage}, {"role": "user", "content": "How long does it take?"}]
    assert answer(messages) == "Delivery to Germany takes three to five working days [3]."
    assert answer(messages[1:]) == "I do not know."


def test_the_mock_model_repeats_the_question_that_it_is_asked_to_word_anew() -> None:
    said = '<data-0a>\n{"from": "user", "text": "Yes."}\n{"from": "user", "text": "And \\"there\\"?"}\n</data-0a>'
    assert answer([{"role": "system", "content": "Write."}, {"role": "user", "content": said}]) == 'And "there"?'
