"""Of a recording, that a text was said and that it is what is spoken about are two probabilities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assets.sounds import wav_bytes
from mmdemo.command_line import main
from mmdemo.media.audio import RATE_HZ
from mmdemo.models.calibration import PairFit
from mmdemo.models.shipped import shipped_fit
from mmdemo.models.speech.aligner import ABOUT_FIT, LEAST_SAID, SAID_FIT, about, probability
from mmdemo.models.speech.language import NO_SPEECH, language_note, query_note
from mmdemo.models.speech.recogniser import EncoderStates
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App

TASK = "speech-text"
SECONDS = np.arange(3 * RATE_HZ) / RATE_HZ


@pytest.fixture
def app(heard_app: App) -> App:
    """What is found is asked here, and not what listening to the recordings takes."""
    return heard_app


def fit(name: str) -> PairFit:
    found = shipped_fit(name)
    assert found is not None and found.reliability is not None
    return found


@pytest.mark.parametrize(("name", "pairs"), [(SAID_FIT, 500), (ABOUT_FIT, 60)])
def test_what_ships_says_what_is_so_of_voices_that_it_was_not_fitted_on(name: str, pairs: int) -> None:
    measured = fit(name).reliability
    assert measured is not None and measured.pairs > pairs and measured.ece <= 0.06


def test_no_probability_is_certain_and_none_are_made_equal() -> None:
    nats = np.linspace(0.0, 8.0, 40)
    found = probability(SAID_FIT, {"likelihood": nats, "worst": nats, "shared": np.zeros(40)})
    assert found[-1] < 0.998 and (np.diff(found) > 0).all()


def test_a_topic_is_no_sentence_and_still_found_with_a_number_that_is_its_own(app: App) -> None:
    found = app.media.search(Query(text="public transport", k=5), TASK)
    assert found.measure == "about" and not found.no_match
    assert any(word in found.results[0].text for word in ("train", "bus", "taxi"))
    for result in found.results:
        assert result.about == pytest.approx(result.probability) and result.said is not None
        assert result.start is None  # what nobody says has no place
        assert result.said < LEAST_SAID and result.about == pytest.approx(about(np.array([result.score]))[0])
    said = app.media.search(Query(text="heavy snow in the mountains", k=5, given=False), TASK)
    assert said.measure == "said" and said.results[0].said == pytest.approx(said.results[0].probability)
    for result in (found, said):
        numbers = [r.probability for r in result.results]
        assert numbers == sorted(numbers, reverse=True)


def test_texts_for_a_recording_stand_in_the_order_of_that_they_were_said(app: App) -> None:
    item = app.ws.items.listed("audio")[0]
    found = app.media.search(Query(item=item.id, target="text", k=4, everything=True), TASK)
    assert found.measure == "said" and found.results[0].said == found.results[0].probability
    assert found.results[0].about is not None and found.results[0].about > 0.5


def test_the_command_says_both(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    item = next(i for i in app.ws.items.listed("audio") if "sentence-01" in i.name)
    told = app.media.align(item, ["public transport", "the train to the coast", "a bowl of soup"])
    topic, said, neither = told["scores"]
    assert topic["about"] > 0.3 > topic["probability"] and said["probability"] > 0.5
    assert max(neither["about"], neither["probability"]) < 0.2
    assert (told["language"], told["note"]) == ("en", "")
    foreign = app.media.align(item, ["ein Zug mit dem Wagen"])["scores"][0]
    assert foreign["about"] is None and foreign["probability"] < 0.1 and foreign["doubt"] == ""
    space = ["--workspace", str(app.ws.folder), "--json"]
    assert main(["search", "public transport", "--task", TASK, *space]) == 0
    row: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert row["measure"] == "about" and row["results"][0]["about"] == row["results"][0]["probability"]


def sounds() -> dict[str, np.ndarray]:
    """What is no speech."""
    rng = np.random.default_rng(0)
    chord = sum(np.sin(2 * np.pi * hz * SECONDS) for hz in (220.0, 277.2, 329.6))
    tune = np.concatenate(
        [np.sin(2 * np.pi * hz * SECONDS[: RATE_HZ // 2]) for hz in (262, 294, 330, 349, 392, 440)]
    )
    return {
        "silence": np.zeros(2 * RATE_HZ),
        "noise": rng.normal(0, 0.05, 2 * RATE_HZ),
        "chord": 0.2 * np.asarray(chord),
        "tune": 0.3 * tune * (0.6 + 0.4 * np.cos(2 * np.pi * 4 * SECONDS)),
    }


@pytest.mark.parametrize("kind", ["silence", "noise", "chord", "tune"])
def test_where_nobody_speaks_it_is_said_and_no_number_is_given(app: App, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"{kind}.wav"
    path.write_bytes(wav_bytes(sounds()[kind].astype(np.float32)))
    item = app.media.keep(path, "test", TASK)
    told = app.media.align(item, ["a cat", "music"])
    assert told["note"] == NO_SPEECH and told["language"] == ""
    assert all(row["about"] is None and row["doubt"] == NO_SPEECH for row in told["scores"])
    for query in (
        Query(item=item.id),
        Query(item=item.id, target="text"),
        Query(medium=app.media.decoded(path, TASK)),
    ):
        found = app.media.search(query, TASK)
        assert found.note == NO_SPEECH and not found.results and found.no_match
    assert app.speech.transcribe(item)["note"] and not app.speech.transcribe(item)["words"]


def test_words_in_another_language_are_told_to_find_only_what_is_said() -> None:
    for words in ("ein Zug mit dem Wagen", "une pomme rouge", "поезд к морю", "電車"):
        assert "knows English only" in query_note(words), words
    for words in ("the train", "snow", "Krzysztof", "who is late", "", "a café in Paris", "42"):
        assert query_note(words) == "", words
    assert language_note("en") == language_note("") == "" and "“de”" in language_note("de")


def test_a_search_in_another_language_says_so(app: App) -> None:
    assert "knows English only" in app.media.search(Query(text="ein Zug mit dem Wagen"), TASK).note
    assert app.media.search(Query(text="the train"), TASK).note == ""


def test_a_topic_that_is_denied_can_not_be_told_and_what_was_said_can(app: App) -> None:
    item = next(
        i
        for i in app.ws.items.listed("audio")
        if "sugar" in app.ws.pairs.of_items(TASK, [i.id])[i.id][0].text
    )
    said, topic = app.media.align(item, ["He drinks his coffee without sugar.", "no coffee"])["scores"]
    assert said["zone"] == "fits" and said["about_zone"] == topic["about_zone"] == "can't tell"
    assert topic["note"] == "As a topic it can't be told: the text model doesn't read “no”."
    found = app.media.search(Query(text="no travel at all"), TASK)
    assert found.measure == "about" and "doesn't read “no”" in found.note and found.no_match
    assert app.media.search(Query(text="coffee without sugar"), TASK).note == ""


def test_speech_in_a_language_that_the_text_model_does_not_know_is_told(app: App) -> None:
    german = EncoderStates((np.zeros((20, 384), np.float16),), "Der Zug ans Meer.", "de")
    aligner = app.models.aligner(TASK)
    assert aligner.told_of(german) == ("de", language_note("de"))
    found = app.media.search(Query(medium=german, target="text"), TASK)
    assert found.note == language_note("de") and found.results[0].said is not None
    assert aligner.told_of(EncoderStates(german.windows, "")) == ("", NO_SPEECH)
