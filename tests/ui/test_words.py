"""The words of the page in other languages: no sentence is lacking, none is there for nothing."""

from __future__ import annotations

import re

import pytest

from mmdemo.service.app import App
from mmdemo.ui.page_words import language_choice, language_names, languages
from tests.ui.conftest import gated
from tests.ui.page_sentences import counted, script_sentences, table_sentences, tagged, template_sentences
from tests.ui.server_sentences import server_sentences, server_strings

Sentence = str | dict[str, str]


def forms(said: Sentence) -> list[str]:
    return [said] if isinstance(said, str) else list(said.values())


def holes(words: str) -> set[str]:
    return set(re.findall(r"\{\d+\}", words))


@pytest.mark.parametrize("code", languages())
def test_a_language_has_every_sentence_of_the_page_and_none_that_nothing_says(code: str) -> None:
    written = script_sentences() | template_sentences() | table_sentences()
    has = set(languages()[code]["page"])
    assert not sorted(written - has), "these lack in the language"
    assert not sorted(has - written), "these are said nowhere"


@pytest.mark.parametrize("code", languages())
def test_a_language_has_every_sentence_of_the_server_that_the_page_shows(code: str) -> None:
    has = set(languages()[code]["server"])
    assert not sorted(server_sentences() - has), "these lack in the language"
    assert not sorted(has - server_strings()), "these are said nowhere"


@pytest.mark.parametrize("code", languages())
def test_a_translation_puts_in_nothing_that_the_sentence_does_not_have(code: str) -> None:
    table = languages()[code]
    for part in ("page", "server"):
        for key, said in table[part].items():
            assert all(form.strip() and holes(form) <= holes(key) for form in forms(said)), key


def test_sentences_are_found_however_they_are_written() -> None:
    script = "tr`Remove ${n > 1 ? `all ${many(n, 'x')}` : tr`it`}? It\\`s \\n gone`; const str`no`;"
    assert list(tagged(script)) == ["Remove {0}? It`s \n gone", "it"]
    assert list(counted('many(found[")"].n, "match", "matches"); some(n, "label")')) == [
        "{0} matches",
        "{0} labels",
    ]


def test_only_the_words_of_the_chosen_language_are_sent_and_a_browser_keeps_them(app: App) -> None:
    client, names = gated(app), language_names()
    assert "window.mmWords" in language_choice() and "相符" not in language_choice()
    for code, named in names.items():
        if code == "en":
            assert "src" not in named
            continue
        got = client.get(f"/{named['src']}")
        assert got.status_code == 200 and "max-age=31536000" in got.headers["cache-control"]
        assert got.text.startswith("window.mmWords=") and len(got.content) < 250_000
    assert client.get("/mmdemo/words/xx.js").status_code == 404
