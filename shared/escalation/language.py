"""The language that a customer writes, told from a few sentences, or not at all.

Each language has a few dozen words that hold its sentences together and that nobody can write without. A text is in
the language whose words it has most of; a word that several languages share counts less. Japanese and Korean are told
by their scripts. Everything else has no answer, as has a text of a word or two: a wrong language is worse than none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

MAX_CHARS = 5000
"""Of the text that is looked at."""
ENOUGH = 1.5
"""Least score: two words of that language's own, or several that are shared."""
LEAD = 1.5
"""How many times the score of the next best language is needed."""
SCRIPT_SHARE = 0.2
"""Of all letters. Half of Japanese is written in Chinese characters, and brand names in Latin ones."""

_WORDS = {
    "de": """der die das den dem des ein eine einen einem einer und oder aber ich du er sie es wir ihr mich mir mein
        meine meinen meinem meiner dein deine sein seine unser unsere ihre ihren ihnen ist sind war waren bin habe hat
        haben hatte wird werden wurde kann können könnte könnten muss möchte will soll nicht kein keine auch noch schon
        nur sehr mit von vom für auf aus bei beim nach zu zum zur über unter im am wie wo wann warum was wer welche wenn
        dass weil bitte danke hallo guten mehr immer jetzt heute gestern hier""",
    "en": """the a an and or but i you he she it we they me my your his her our their this that these those is are was
        were be been am have has had do does did don doesn didn can could would should will won not no to of in on at
        for from with without by about as if when where why what which who how there here please thanks thank hello just
        still again any some more than because after before it's i'm""",
    "es": """el la los las un una unos unas y o pero yo tú él ella ellos nosotros usted ustedes me mi mis te tu tus se
        su sus nos nuestro nuestra lo le les es son era está están estoy estaba ser fue he ha han hay tengo tiene quiero
        puedo puede pueden no sí ni muy más ya también con sin de del al a en por para sobre desde hasta que qué cómo
        dónde cuándo cuánto quién cuál si porque este esta esto ese esa eso gracias hola cuando como""",
    "fr": """le la les un une des du de et ou mais je tu il elle on nous vous ils elles me te se mon ma mes ton ta votre
        vos notre nos son sa ses leur ce cet cette ces ça c l d j n s m qu est sont était suis ai a ont avez avons
        j'ai c'est peux peut pouvez voudrais veux dois fait être avoir ne pas plus jamais rien aussi très avec sans pour
        par dans sur sous chez en au aux à que qui quoi où quand comment pourquoi quel quelle si parce bonjour merci""",
    "it": """il lo la i gli le un uno una e o ma io tu lui lei noi voi loro mi ti si ci vi mio mia miei mie tuo tua suo
        sua nostro vostro è sono era sei siamo ho hai ha abbiamo hanno posso può potete vorrei voglio devo non più anche
        molto già ancora con senza di del della dei delle dal dalla al alla ai nel nella sul sulla per da in su a che
        chi cosa come dove quando perché quanto quale se questo questa quello grazie ciao buongiorno""",
    "nl": """de het een en of maar ik jij je hij zij ze wij we jullie u mij mijn me jouw uw zijn haar ons onze hun is
        was waren ben bent heb heeft hebben had wordt worden kan kunnen kunt moet wil zou niet geen ook nog al alleen
        heel erg met van voor op uit bij naar te tot over onder in aan hoe waar wanneer waarom wat wie welke als dat die
        deze dit er omdat alstublieft bedankt hallo meer weer nu""",
    "pt": """o a os as um uma e ou mas eu tu ele ela eles nós você vocês me meu minha meus minhas te teu tua se seu sua
        nos nosso nossa lhe é são era está estão estou estava ser foi tem têm tenho quero posso pode podem não sim nem
        muito mais já também com sem de do da dos das ao à no na nos nas em por para pelo pela sobre desde até que o
        quê como onde quando quanto quem qual se porque este esta isto esse essa isso obrigado obrigada olá""",
}
_VOTES = Counter(word for words in _WORDS.values() for word in set(words.split()))
_WEIGHTS = {language: {word: 1 / _VOTES[word] for word in words.split()} for language, words in _WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_SCRIPTS = {"ja": re.compile("[\u3041-\u309f\u30a1-\u30ff]"), "ko": re.compile("[\uac00-\ud7a3]")}


def language_of(texts: Iterable[str]) -> str | None:
    """The BCP 47 tag of what is written; None if it is too short, or in no language known here."""
    text = " ".join(texts)[:MAX_CHARS].casefold().replace("’", "'")
    letters = sum(map(str.isalpha, text))
    for language, script in _SCRIPTS.items():
        if len(script.findall(text)) > SCRIPT_SHARE * letters:
            return language
    words = Counter(_split(text))
    scores = sorted(
        (sum(weight * words[word] for word, weight in weights.items()), language)
        for language, weights in _WEIGHTS.items()
    )
    (second, _), (best, language) = scores[-2:]
    return language if best >= ENOUGH and best >= LEAD * second else None


def _split(text: str) -> Iterable[str]:
    """Words; of one with an apostrophe both parts too, as in `l'appareil`."""
    for word in _WORD.findall(text):
        yield word
        if "'" in word:
            yield from word.split("'")
