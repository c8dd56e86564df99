"""Both databases find the same texts by the same words, whatever the language and the signs."""

from __future__ import annotations

import pytest

from mmdemo.store.words import HEARD
from mmdemo.store.workspace import Workspace
from tests.conftest import png

TEXTS = {
    "moon": "The moon",
    "moons": "Two moons, over a harbour",
    "running": "She is running to the stores",
    "generous": "A generous universal university",
    "skies": "Skies and ponies",
    "possessive": "The dog's breakfast isn't ready at five o'clock",
    "hyphens": "A well-known state-of-the-art e-mail",
    "underscore": "file_name_2.txt",
    "numbers": "Apollo 11 landed in 1969, 3.14 and -5 and 1e5 of 4,000",
    "address": "Write to ada@example.com or https://example.org/a/b?q=1",
    "path": "Look into /usr/local/bin",
    "german": "Die Straße führt über große Brücken nach Österreich",
    "ascii german": "Die Strasse fuehrt ueber Bruecken",
    "bare german": "Gross ist uber nicht",
    "french": "Un café crème à l'hôtel",
    "japanese": "猫が好きです",
    "chinese": "月亮 在 天上",
    "russian": "Красная площадь",
    "full width": "\uff21\uff22\uff23 \uff11\uff12",
    "stop": "To be or not to be, that is the question",
    "upper": "ISTANBUL AND İZMIR",
    "sigma": "ΟΔΥΣΣΕΥΣ",
    "combining": "cafe\u0301 noir",
    "emoji": "Rocket 🚀 launch",
    "bare": "... !!! ???",
}
FOUND = {
    "the moon": {"moon", "moons"},
    "MOONS": {"moon", "moons"},
    "run": {"running"},
    "store": {"running"},
    "sky pony": {"skies"},
    "dog": {"possessive"},
    "dog's": {"possessive"},
    "clock": {"possessive"},
    "isn't": {"possessive"},
    "known": {"hyphens"},
    "well-known": {"hyphens"},
    "art": {"hyphens"},
    "mail": {"hyphens"},
    "name": {"underscore"},
    "txt": {"underscore"},
    "file_name_2.txt": {"underscore"},
    "11": {"numbers"},
    "1969": {"numbers"},
    "3.14": {"numbers"},
    "14": {"numbers"},
    "5": {"numbers"},
    "000": {"numbers"},
    "1e5": {"numbers"},
    "ada": {"address"},
    "example": {"address"},
    "org": {"address"},
    "local": {"path"},
    "Straße": {"german", "ascii german"},
    "STRASSE": {"german", "ascii german"},
    "brucken": {"german"},
    "Brücken": {"german"},
    "über": {"german", "bare german"},
    "uber": {"german", "bare german"},
    "Österreich": {"german"},
    "große": {"german", "bare german"},
    "cafe": {"french", "combining"},
    "café": {"french", "combining"},
    "hotel": {"french"},
    "猫が好きです": {"japanese"},
    "月亮": {"chinese"},
    "ПЛОЩАДЬ": {"russian"},
    "abc": {"full width"},
    "\uff11\uff12": {"full width"},
    "question": {"stop"},
    "to be": {"stop"},
    "not": {"stop"},
    "istanbul": {"upper"},
    "izmir": {"upper"},
    "οδυσσευς": {"sigma"},
    "rocket": {"emoji"},
    "": set(),
    "?!": set(),
    "🚀": set(),
    "' OR 2=2 --": {"underscore"},
    '"moon" & !harbour': {"moon", "moons"},
    "moon:* | (harbour": {"moon", "moons"},
    "words:moon NEAR(y, 7)": {"moon", "moons"},
    "moon\\": {"moon", "moons"},
    "moon\0harbour": {"moon", "moons"},
}


def put(ws: Workspace, texts: dict[str, str]) -> None:
    """Texts of pictures that are called as they are."""
    for i, (name, body) in enumerate(texts.items()):
        item = ws.add_media("image", png((i, 0, 0)), f"{name}.png", source="test")
        ws.words.put(item.id, HEARD, "test", body)


def found(ws: Workspace, query: str) -> list[str]:
    """The names of what is found, best first."""
    hits = ws.words.find(query, "image", 50)
    return [ws.items.get(hit.item).name.removesuffix(".png") for hit in hits]  # type: ignore[union-attr]


def test_the_same_texts_are_found_whichever_the_database_and_those_with_more_of_the_words_first(
    ws: Workspace,
) -> None:
    put(ws, TEXTS)
    got = {query: set(found(ws, query)) for query in FOUND}
    assert {q: hits for q, hits in got.items() if hits != FOUND[q]} == {}
    assert found(ws, "a moon over the harbour")[0] == "moons"
    assert found(ws, "great Brücken and Österreich")[0] == "german"


@pytest.mark.slow
def test_of_very_long_texts_and_words_each_word_is_found(ws: Workspace) -> None:
    many, longest = " ".join(f"w{i}" for i in range(120_000)), "a" * 3000
    put(ws, {"long": "filler " * 30_000 + "needle", "many": many, "longest": f"{longest} beside"})
    for query, name in (("needle", "long"), ("w1234", "many"), (longest, "longest"), ("beside", "longest")):
        assert found(ws, query) == [name]
