"""The language of a few sentences. None of these was used to choose the words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.escalation.language import language_of

PAIRS = {
    "de": "Mein Paket ist seit zwei Wochen unterwegs. Wie kann ich das prüfen?",
    "en": "My parcel has been on its way for two weeks. How can I check that?",
    "fr": "Mon colis est en route depuis deux semaines. Pouvez-vous m’aider ?",
    "es": "Mi paquete lleva dos semanas en camino. ¿Cómo lo puedo comprobar?",
    "pt": "O meu pacote está a caminho há duas semanas. Como posso verificar?",
    "it": "Il mio pacco è in viaggio da due settimane. Come posso controllare?",
    "nl": "Mijn pakket is al twee weken onderweg. Hoe kan ik dat nakijken?",
    "ja": "荷物が二週間前から届きません。どうすればいいですか？",
    "ko": "소포가 이 주째 오지 않습니다. 어떻게 확인할 수 있나요?",
}


@pytest.mark.parametrize(("language", "text"), PAIRS.items())
def test_two_sentences_are_enough(language: str, text: str) -> None:
    assert language_of(text.split(". ")) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "E42",
        "RMA 88213",
        "Refund!",
        "hello?",
        "Mitt paket har inte kommit fram än.",
        "Gdzie jest moja paczka?",
        "Где моя посылка?",
        "Paketim nerede?",
        "我的包裹在哪里？",
    ],
)
def test_what_cannot_be_told_is_not_guessed(text: str) -> None:
    assert language_of([text]) is None


def test_names_of_products_change_nothing() -> None:
    assert language_of(["Kavendry Duo Pro 2 の電源が入りません。直してください。"]) == "ja"
    assert language_of(["My Kavendry Café de la Casa does not start when I press the button"]) == "en"


def test_two_languages_of_the_same_length_are_none() -> None:
    assert language_of(["I want my money back and you know it", "Ich will mein Geld und nicht noch mehr"]) is None


@given(st.lists(st.text(max_size=200), max_size=5))
def test_any_text_has_an_answer(texts: list[str]) -> None:
    assert language_of(texts) in {None, *PAIRS}
