from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from assets.sounds import spoken_set
from mmdemo.data.samples import SPEECH
from mmdemo.media.audio import RATE_HZ, decode_audio
from mmdemo.media.voice_activity import has_speech
from mmdemo.models.speech.aligner import SpeechTower
from mmdemo.models.speech.whisper_ctranslate2 import Recogniser
from mmdemo.models.speech.word_alignment import Word, snap_to_energy
from mmdemo.service.app import App

TASK = "speech-text"
NOISE = np.random.default_rng(0).normal(0, 0.05, 3 * RATE_HZ).astype(np.float32)
SILENCE = np.zeros(2 * RATE_HZ, np.float32)


@pytest.fixture
def tower(app: App) -> SpeechTower:
    found = app.models.aligner(TASK).towers.media
    assert isinstance(found, SpeechTower)
    return found


@pytest.fixture
def recogniser(tower: SpeechTower) -> Recogniser:
    return tower.recogniser


def sentence(number: int) -> tuple[np.ndarray, str]:
    with (SPEECH / "samples.csv").open(encoding="utf-8") as f:
        row = list(csv.DictReader(f))[number]
    return decode_audio(SPEECH / row["file_name"]), row["text"]


def words_of(voice: str, count: int) -> tuple[list[str], list[np.ndarray]]:
    rows = [(r["text"], s) for r, s in spoken_set("words", [voice])][:count]
    return [t for t, _ in rows], [s for _, s in rows]


def test_a_sentence_is_written_down_with_the_time_of_each_word(recogniser: Recogniser) -> None:
    samples, text = sentence(0)
    segments = [s for part, _ in recogniser.transcribe([samples]) for s in part]
    words = [w for s in segments for w in s.words]
    assert " ".join(w.word for w in words) == text
    assert all(a.start <= a.end <= b.start for a, b in pairwise(words))
    assert 0.2 < words[0].start < 0.4 and words[-1].end < len(samples) / RATE_HZ


@pytest.mark.parametrize("samples", [SILENCE, NOISE, SILENCE[:1600]], ids=["silence", "noise", "0.1 s"])
def test_nothing_is_guessed_where_nobody_speaks(samples: np.ndarray, recogniser: Recogniser) -> None:
    assert not has_speech(samples)
    assert [s for part, _ in recogniser.transcribe([samples]) for s in part] == []
    assert recogniser.encode(samples).heard == ""


@pytest.mark.slow
def test_a_long_recording_is_transcribed_in_pieces_with_one_clock(recogniser: Recogniser) -> None:
    pause = np.zeros(RATE_HZ // 2, np.float32)
    parts, spans, at = [], {}, 0
    for number in (0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 18, 20, 21):  # flite's voices: 45 s, two pieces
        samples, text = sentence(number)
        for word in text.lower().rstrip(".").split():
            spans[word] = None if word in spans else (at / RATE_HZ, (at + len(samples)) / RATE_HZ)
        parts += [samples, pause]
        at += len(samples) + len(pause)
    long = np.concatenate(parts)
    pieces = list(recogniser.transcribe(long[i : i + 7 * RATE_HZ] for i in range(0, len(long), 7 * RATE_HZ)))
    assert len(pieces) == 2 and pieces[-1][1] == pytest.approx(len(long) / RATE_HZ)
    words = [w for part, _ in pieces for s in part for w in s.words]
    told = [(w, span) for w in words if (span := spans.get(w.word.lower().strip(".,")))]
    right = [span[0] - 0.1 <= w.start and w.end <= span[1] + 0.6 for w, span in told]
    assert len(told) > 40 and np.mean(right) > 0.9


def test_the_likelihood_knows_which_word_was_said(recogniser: Recogniser) -> None:
    texts, clips = words_of("rms", 12)
    table = np.stack([recogniser.evidence(recogniser.encode(clip), texts).likelihood for clip in clips])
    assert (table.argmax(1) == np.arange(12)).mean() > 0.9
    assert (table.argmax(0) == np.arange(12)).mean() > 0.9


def test_the_company_of_other_texts_changes_no_likelihood(recogniser: Recogniser) -> None:
    states = recogniser.encode(sentence(1)[0])
    alone = recogniser.evidence(states, ["a cat"]).likelihood
    both = recogniser.evidence(states, ["please water the tomatoes before it gets hot", "a cat"]).likelihood
    assert both[1] == pytest.approx(alone[0], abs=0.05) and both[0] > both[1] + 3


def test_word_times_meet_the_gaps_between_words(recogniser: Recogniser) -> None:
    texts, clips = words_of("slt", 5)
    around, at, parts, spans = RATE_HZ // 20, 0.3, [SILENCE[: round(0.3 * RATE_HZ)]], []
    for clip in clips:
        said = clip[around:-around]
        spans += [at, at + len(said) / RATE_HZ]
        parts += [said, SILENCE[: RATE_HZ // 4]]
        at = spans[-1] + 0.25
    found = recogniser.align_words(np.concatenate(parts), " ".join(texts))
    assert [w.word for w in found] == texts
    errors = np.abs(np.array([t for w in found for t in (w.start, w.end)]) - spans)
    assert np.median(errors) < 0.03


def test_a_pause_belongs_to_one_border_and_no_word_vanishes() -> None:
    loud = np.ones(RATE_HZ // 2, np.float32) * np.sin(np.arange(RATE_HZ // 2) / 5).astype(np.float32)
    samples = np.concatenate([loud, SILENCE[: RATE_HZ // 5], loud])
    words = [Word("one", 0.0, 0.2, 1), Word("two", 0.2, 0.45, 1), Word("three", 0.45, 1.2, 1)]
    one, two, three = snap_to_energy(words, samples, len(samples) / RATE_HZ)
    assert (two.end, three.start) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.7, abs=0.02))
    assert one.end - one.start > 0.1 and two.end - two.start > 0.1 and three.end <= 1.2


def test_which_sentence_was_said_gets_a_high_probability_and_a_wrong_word_lowers_it(app: App) -> None:
    samples, text = sentence(0)
    wrong = text.replace("seven", "purple")
    right, near, other = app.models.aligner(TASK).align(samples, [text, wrong, "The cat is asleep."])
    assert right.probability > 0.95 > near.probability and other.probability < 0.05
    assert [s.probability for s in app.models.aligner(TASK).align(SILENCE, [text])] == [0.001]


def test_stored_sample_features_are_those_of_the_speech_model(app: App, tower: SpeechTower) -> None:
    from safetensors.numpy import load_file

    stored = load_file(SPEECH / "samples.safetensors")["features"][:2].astype(np.float32)
    made = tower.encode([sentence(0)[0], sentence(1)[0]])
    assert np.abs(stored[:, : tower.dim] - made[:, : tower.dim]).max() < 0.02


@pytest.mark.slow
def test_names_that_are_trained_on_are_found_better(make_app: Callable[..., App]) -> None:
    from assets.sounds import wav_bytes
    from mmdemo.store.labels import NewLabel
    from mmdemo.training.config import TrainSettings
    from mmdemo.training.runs import create_run
    from tests.conftest import execute_run

    app = make_app("names", samples=False)
    names = ("Krzysztof", "Xiaomei")
    voices = ["rms", "kal16"]
    rows = [(r, s) for r, s in spoken_set("names", voices) if any(name in r["text"] for name in names)]
    for row, samples in rows:
        item = app.ws.add_media("audio", wav_bytes(samples), "n.wav", source="names")
        with app.ws.database.write() as session:
            pair, _ = app.ws.pairs.add(session, TASK, item.id, row["text"], source="n", split=row["split"])
            app.ws.labels.add_in(session, pair, NewLabel("match"))
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=40, members=1), "when-better")
    run = execute_run(app, run_id)
    assert run.status == "done", run.message
    result = run.result or {}
    # ranked by likelihood, as a search is, the base finds all of these few: what it learned is in the words
    assert result["after"]["mean_recall"] >= result["before"]["mean_recall"]
    assert set(names) <= set(result["vocabulary"])
    rates = result["transcripts"]
    assert rates["recordings"] == len(rows) // 2 and rates["WER"]["after"] < rates["WER"]["before"]
