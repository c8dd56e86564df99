"""A Whisper that knows several languages hears which is spoken, once a recording."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdemo.data.samples import SPEECH
from mmdemo.media.audio import decode_audio
from mmdemo.models.device import decide_compute
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.models.speech.aligner import recogniser_of
from mmdemo.models.speech.wheels import installed_weights
from mmdemo.models.speech.whisper_transformers import HubWhisper
from mmdemo.retrieval.embed import encoder_states, spoken_language
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Item
from mmdemo.training.adapting import Method
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from mmdemo.training.trainables.recognisers import AdaptedWhisper, Recording
from tests.checkpoints import save_polyglot, save_whisper
from tests.conftest import execute_run

TASK = "speech-text"
CPU = decide_compute("cpu")
SPOKEN = {"de": SPEECH / "samples" / "sentence-01-slt.ogg", "fr": SPEECH / "samples" / "sentence-02-rms.ogg"}
START, TRANSCRIBE, NO_TIMES = 50257, 50358, 50362


@pytest.fixture(scope="module")
def polyglot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_polyglot(tmp_path_factory.mktemp("hub") / "polyglot", SPOKEN)


@pytest.fixture(scope="module")
def recogniser(polyglot: Path) -> HubWhisper:
    return HubWhisper(str(polyglot), CPU)


@pytest.mark.skipif(installed_weights("base") is None, reason="the optional weights are not installed")
def test_whisper_base_hears_english_in_english_and_nothing_in_silence() -> None:
    towers, _ = load_towers(find_preset("faster-whisper:base"), load_settings({}, device="cpu"))
    base = recogniser_of(towers.media)
    samples = decode_audio(SPOKEN["de"])
    assert base.multilingual and base.language(samples) == base.encode(samples).language == "en"
    assert base.language(np.zeros(32_000, np.float32)) == ""
    assert next(w.word for w in base.align_words(samples, "the train to the coast")) == "the"


def token(recogniser: HubWhisper, code: str) -> int:
    return int(recogniser.hf_tokenizer.convert_tokens_to_ids(f"<|{code}|>"))


@pytest.mark.parametrize("code", SPOKEN)
def test_the_language_of_a_recording_is_heard_and_goes_with_its_states(
    code: str, recogniser: HubWhisper
) -> None:
    samples = decode_audio(SPOKEN[code])
    assert recogniser.language(samples) == recogniser.encode(samples).language == code


def test_where_nobody_speaks_no_language_is_heard(recogniser: HubWhisper) -> None:
    silence = np.zeros(32_000, np.float32)
    assert recogniser.language(silence) == recogniser.encode(silence).language == ""


def test_an_english_model_hears_english_and_its_prompt_names_no_language(tmp_path: Path) -> None:
    english = HubWhisper(str(save_whisper(tmp_path / "english")), CPU)
    samples = decode_audio(SPOKEN["de"])
    assert english.language(samples) == english.encode(samples).language == "en"
    assert english.language(np.zeros(0, np.float32)) == "en"
    assert list(english._in("en").sot_sequence) == [START]


def test_a_text_is_as_likely_as_the_decoder_finds_it_when_told_the_language(tmp_path: Path) -> None:
    plain = HubWhisper(str(save_whisper(tmp_path / "many", multilingual=True)), CPU)
    states = plain.encode(decode_audio(SPOKEN["de"])).windows[0]
    window, ids, every = torch.from_numpy(states.astype(np.float32))[None], [383, 4512], []
    for code in ("de", "fr", "en"):
        every.append(plain._align(states, [ids], code)[0].text_token_probs)
        sequence = torch.tensor([[START, token(plain, code), TRANSCRIBE, NO_TIMES]])
        for one, found in zip(ids, every[-1], strict=True):
            model = plain.network.model
            state = model.decoder(input_ids=sequence, encoder_hidden_states=window).last_hidden_state
            alone = plain.network.proj_out(state[0, -1]).softmax(-1)[one].item()
            assert found == pytest.approx(alone, rel=1e-4)
            sequence = torch.cat([sequence, torch.tensor([[one]])], 1)
    assert all(not np.allclose(a, b, rtol=1e-3) for a, b in pairwise(every))


@pytest.mark.parametrize("code", SPOKEN)
def test_everything_that_is_asked_of_a_recording_is_asked_in_its_language(
    code: str, recogniser: HubWhisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    align = recogniser._align

    def spy(window: np.ndarray, ids: list[list[int]], language: str = "", times: bool = False) -> object:
        asked.append(language)
        return align(window, ids, language, times)

    monkeypatch.setattr(recogniser, "_align", spy)
    samples = decode_audio(SPOKEN[code])
    states = recogniser.encode(samples)
    for ask_for in (
        lambda: recogniser.evidence(states, ["the train to the coast"]),  # and what it is without sound
        lambda: recogniser.place(states, "a coast"),
        lambda: recogniser.align_words(samples, "the train"),
    ):
        asked.clear()
        ask_for()
        assert asked and set(asked) == {code}


def test_every_recording_is_learned_from_in_its_own_language(polyglot: Path, recogniser: HubWhisper) -> None:
    learner = AdaptedWhisper(str(polyglot), CPU, Method("lora"))
    recordings = [
        Recording(lambda p=path: decode_audio(p), "a text", code)  # type: ignore[misc]
        for code, path in SPOKEN.items()
    ]
    _, given, wanted = learner.batch(recordings)
    told = [[START, token(recogniser, code), TRANSCRIBE, NO_TIMES] for code in SPOKEN]
    assert given[:, :4].tolist() == told
    assert (wanted[:, :3] < 0).all() and (wanted[:, 3] >= 0).all()
    english = AdaptedWhisper.__new__(AdaptedWhisper)
    english.multilingual, english._tokenizer = False, learner._tokenizer
    assert english._prompt("de") == [START, NO_TIMES]


def spoken_items(make_app: Callable[..., App], polyglot: Path) -> tuple[App, dict[str, Item]]:
    app = make_app(speech_model=f"whisper:{polyglot}", samples=False)
    items = {
        code: app.ws.add_media("audio", path.read_bytes(), path.name, source="test")
        for code, path in SPOKEN.items()
    }
    return app, items


def test_the_language_is_heard_once_kept_told_and_said_where_texts_are_english_only(
    polyglot: Path, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, items = spoken_items(make_app, polyglot)
    heard: list[str] = []
    hear = HubWhisper._hear
    monkeypatch.setattr(
        HubWhisper, "_hear", lambda self, padded: heard.append(hear(self, padded)) or heard[-1]
    )
    tower = app.models.aligner(TASK).towers.media
    heard.clear()  # the model was tried when it was loaded
    for code, item in items.items():
        answer = ask(app, "transcribe", item=item.id)
        assert answer["language"] == code
        assert bool(answer["language_note"]) == bool(answer["segments"])
        assert not answer["language_note"] or f"“{code}”" in answer["language_note"]
        ask(app, "align", item=item.id, texts=["the train"], task=TASK)
        app.speech.align_words(item, "the train")
    assert list(answer)[-1] == "language_note" and sorted(heard) == ["de", "fr"]
    app.ws.transcripts.put(item.id, "whisper-tiny-en-minilm", "en", [{"text": "a", "words": []}], 1.0, True)
    monkeypatch.setattr("mmdemo.models.speech.language.TEXTS_IN", "fr")
    assert not app.context.transcripts.state(items["fr"], app.ws.versions.active(TASK))["language_note"]
    assert spoken_language(app.ws, tower, items["de"]) == "de" and sorted(heard) == ["de", "fr"]


def test_states_that_were_kept_without_a_language_are_made_again_by_a_model_that_knows_several(
    polyglot: Path, make_app: Callable[..., App]
) -> None:
    app, items = spoken_items(make_app, polyglot)
    tower = app.models.aligner(TASK).towers.media
    encoder_states(app.ws, tower, items["de"])
    (kept,) = (app.ws.folder / "cache" / "states").rglob("*.npz")
    with np.load(kept) as found:
        old = {name: found[name] for name in found.files if name != "language"}
    np.savez(kept, **old | {"heard": np.array("what English would have been")})
    again = encoder_states(app.ws, tower, items["de"])
    assert again.language == "de" and again.heard != "what English would have been"


def test_a_run_tells_the_network_the_language_of_each_recording(
    polyglot: Path, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, items = spoken_items(make_app, polyglot)
    for code, item in items.items():
        with app.ws.database.write() as session:
            pair, _ = app.ws.pairs.add(
                session, TASK, item.id, f"a text in {code}", source="test", split="train"
            )
            app.ws.labels.add_in(session, pair, NewLabel("match"))
    told: set[tuple[str, str]] = set()
    batch = AdaptedWhisper.batch
    monkeypatch.setattr(
        AdaptedWhisper,
        "batch",
        lambda self, rs: told.update((r.text, r.language) for r in rs) or batch(self, rs),
    )
    run_id = create_run(app.ws, TASK, "lora", TrainSettings(epochs=1, batch=2), "ask")
    done = execute_run(app, run_id)
    assert done.status == "done", done.message
    assert told == {("a text in de", "de"), ("a text in fr", "fr")}
