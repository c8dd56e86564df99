"""Recordings are candidates for a query by how what was heard of them sounds, and by its words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assets.sounds import spoken_set, wav_bytes
from mmdemo.models.speech.recogniser import EncoderStates
from mmdemo.retrieval import embed
from mmdemo.retrieval.embed import encoder_states
from mmdemo.retrieval.evidence import PairEvidence
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.speech.heard import take_down
from mmdemo.retrieval.speech.sounds_alike import LEAST_SHARED, SoundIndex, sound_of
from mmdemo.service.app import App
from mmdemo.store.words import HEARD

TASK = "speech-text"


@pytest.mark.parametrize(
    ("said", "heard"),
    [("knight", "night"), ("garden", "Garten!"), ("phone", "fone"), ("write", "ride"), ("quick", "kwick")],
)
def test_what_sounds_the_same_has_the_same_key(said: str, heard: str) -> None:
    assert sound_of(said) == sound_of(heard) != ""


def test_what_is_misheard_is_found_by_its_sound_and_what_sounds_otherwise_is_not() -> None:
    index = SoundIndex(
        {"a": "Dogdon.", "b": "your raft.", "c": "", "d": "42", "e": "Please water the tomatoes"}
    )
    assert list(index.like("garden", 2)) == ["a"]
    assert list(index.like("giraffe", 1)) == ["b"]  # in two words
    assert next(iter(index.like("tomato", 5))) == "e"
    assert index.like("42", 5) == {} and index.like("", 5) == {}
    scores = index.scores("garden", ["a", "c", "nobody"])
    assert scores[0] >= LEAST_SHARED and np.isneginf(scores[1:]).all()


def test_what_is_said_is_taken_down_once_and_found_by_its_words(app: App) -> None:
    tower = app.models.aligner(TASK).towers.media
    stop = iter([False, False, True])
    assert take_down(app.ws, TASK, tower, lambda: next(stop)) == 2
    known = app.ws.words.known(HEARD, tower.id)
    assert len(known) == 2 and all(known.values())
    item, heard = next(iter(known.items()))
    assert item in {hit.item for hit in app.ws.words.find(heard, "audio", 5, {HEARD})}
    assert take_down(app.ws, "image-text", tower, lambda: False) == 0


def voice(app: App, name: str, count: int) -> dict[str, str]:
    """The item of each of the first words that a voice says."""
    rows = [(row["text"], samples) for row, samples in spoken_set("words", [name])]
    return {
        text: app.ws.add_media("audio", wav_bytes(samples), f"{text}.wav", source="test").id
        for text, samples in rows[:count]
    }


@pytest.mark.slow
def test_a_collection_that_cannot_be_asked_whole_finds_a_word_by_its_sound(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(samples=False)
    items = voice(app, "rms", 16)
    app.context.keeper_of(TASK).update()
    aligner = app.models.aligner(TASK)
    monkeypatch.setattr(type(aligner), "reranks", 2)

    def found() -> int:
        first = [app.media.search(Query(text=t, k=1, everything=True, given=False), TASK) for t in items]
        return sum(r.results[0].item == item for r, item in zip(first, items.values(), strict=True))

    app.ws.words.put(next(iter(items.values())), HEARD, "another tower", "nothing of it")
    by_space = found()
    take_down(app.ws, TASK, aligner.towers.media, lambda: False)
    assert by_space < found() >= 14


def test_states_of_a_word_that_were_made_without_silence_before_it_are_made_again(app: App) -> None:
    item = app.ws.items.get(voice(app, "slt", 1)["apple"])
    tower = app.models.aligner(TASK).towers.media
    states = encoder_states(app.ws, tower, item)
    path = next((app.ws.folder / "cache" / "states").rglob(f"{item.id[2:]}.npz"))
    old = {"window0": states.windows[0][25:], "heard": np.array(states.heard), "language": np.array("en")}
    np.savez(path, **old)  # type: ignore[arg-type]
    again = encoder_states(app.ws, tower, item)
    assert again.lead_s == 0.5 and np.array_equal(again.windows[0], states.windows[0])
    sentence = next(i for i in app.ws.items.listed("audio") if (i.duration_s or 0) > 2)
    assert encoder_states(app.ws, tower, sentence).lead_s == 0.0


def test_a_recording_that_two_threads_want_at_once_is_heard_once(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower = app.models.aligner(TASK).towers.media
    item = app.ws.add_media("audio", wav_bytes(np.full(8000, 0.01, np.float32)), "two.wav", source="test")
    hears, comes = tower.prepare, threading.Event()
    heard: list[int] = []

    def prepare(samples: np.ndarray) -> EncoderStates:
        heard.append(len(samples))
        assert comes.wait(30)
        made: EncoderStates = hears(samples)
        return made

    monkeypatch.setattr(tower, "prepare", prepare, raising=False)
    looked = threading.Semaphore(0)
    kept = embed._kept_states

    def watched(path: Path, tower: Any) -> EncoderStates | None:
        found = kept(path, tower)
        looked.release()
        return found

    monkeypatch.setattr(embed, "_kept_states", watched)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(encoder_states, app.ws, tower, item) for _ in range(2)]
        for _ in range(3):  # one by who waits, two by who hears it
            assert looked.acquire(timeout=30)
        comes.set()
        first, second = (one.result() for one in both)
    assert len(heard) == 1 and np.array_equal(first.windows[0], second.windows[0])


def test_a_word_that_stands_by_itself_lies_where_it_is_said(app: App) -> None:
    row, samples = next(spoken_set("words", ["slt"]))
    pause = np.zeros(6400, np.float32)
    item = app.ws.add_media("audio", wav_bytes(np.concatenate([pause, samples])), "one.wav", source="test")
    aligner = app.models.aligner(TASK)
    start, end = aligner.place(PairEvidence(app.ws, aligner).medium(item.id), row["text"]) or (0.0, 0.0)
    assert 0.15 < start < 0.6 and 0.5 < end < 0.5 + len(samples) / 16000
