from __future__ import annotations

import csv
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdemo.data.samples import SPEECH
from mmdemo.errors import UserError
from mmdemo.media.audio import decode_audio
from mmdemo.models.device import decide_compute
from mmdemo.models.find_model import find_preset
from mmdemo.models.presets import PRESETS
from mmdemo.models.speech.aligner import SpeechTower
from mmdemo.models.speech.ctc import CtcRecogniser
from mmdemo.models.speech.recogniser import EncoderStates
from mmdemo.models.speech.whisper_transformers import HubWhisper
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from mmdemo.store.versions import BY_SETTING
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.checkpoints import LETTERS, save_ctc, save_whisper
from tests.conftest import execute_run

TASK = "speech-text"
CPU = decide_compute("cpu")
SPOKEN = SPEECH / "samples" / "sentence-01-slt.ogg"


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_whisper(tmp_path_factory.mktemp("hub") / "whisper")


@pytest.fixture(scope="module")
def ctc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_ctc(tmp_path_factory.mktemp("hub") / "ctc")


@pytest.fixture(scope="module")
def recogniser(whisper: Path) -> HubWhisper:
    return HubWhisper(str(whisper), CPU)


def spell(text: str, each: int = 3) -> np.ndarray:
    """(T, 32) states that spell a text, each letter once and then blanks."""
    frames = []
    for letter in text:
        frames += [LETTERS.index("|" if letter == " " else letter.upper()), *[0] * (each - 1)]
    return np.eye(32, dtype=np.float16)[frames]


def test_a_hub_whisper_answers_what_the_bundled_one_answers(recogniser: HubWhisper) -> None:
    samples = decode_audio(SPOKEN)
    states = recogniser.encode(samples)
    assert states.windows[0].shape[1] == 32 and abs(len(states.windows[0]) - 50 * len(samples) / 16000) < 12
    words = recogniser.align_words(samples, "the train to the coast", 1.0)
    assert [w.word for w in words] == ["the", "train", "to", "the", "coast"]
    assert all(1.0 <= w.start <= w.end <= 1.0 + len(samples) / 16000 for w in words)
    segments = [s for part, _ in recogniser.transcribe([samples], ["Kafka"]) for s in part]
    assert all(s.text and s.words for s in segments)
    assert recogniser.language(samples) == "en"
    assert [s for part, _ in recogniser.transcribe([np.zeros(32000, np.float32)]) for s in part] == []


def test_the_likelihood_of_a_hub_whisper_is_that_of_the_decoder_run_alone(recogniser: HubWhisper) -> None:
    states = recogniser.encode(decode_audio(SPOKEN))
    window = torch.from_numpy(states.windows[0].astype(np.float32))[None]
    ids = [383, 4512, 7026]
    given = recogniser._align(states.windows[0], [ids, [383, 4512]])[0].text_token_probs
    sequence = torch.tensor([[50257, 50362]])
    for token, found in zip(ids, given, strict=True):  # one token at a time, no batch, no padding
        model = recogniser.network.model
        state = model.decoder(input_ids=sequence, encoder_hidden_states=window).last_hidden_state
        alone = recogniser.network.proj_out(state[0, -1]).softmax(-1)[token].item()
        assert found == pytest.approx(alone, rel=1e-4)
        sequence = torch.cat([sequence, torch.tensor([[token]])], 1)


def test_a_spelling_model_gives_words_their_times_and_a_wrong_text_a_low_likelihood(ctc: Path) -> None:
    model = CtcRecogniser(str(ctc), CPU)
    states = EncoderStates((spell("the red cat"),), "the red cat")
    found = model.evidence(states, ["the red cat", "the red car", "zebra", "犬"])
    assert found.likelihood[0] > found.likelihood[1] > found.likelihood[2] > found.likelihood[3]
    assert found.worst[0] > -0.5 > found.worst[1]
    words = model._greedy(states.windows[0], 33 / 50)
    assert [w.word for w in words] == ["the", "red", "cat"]
    assert words[1].start == pytest.approx(12 / 50) and words[1].probability > 0.9
    forced = model._force(model._log_probabilities(states.windows[0]), "the red cat")
    assert [(word, first) for word, first, _, _ in forced] == [("the", 0), ("red", 12), ("cat", 24)]
    with pytest.raises(UserError, match="too long"):
        model._force(model._log_probabilities(spell("ab")), "a much longer text")


def test_the_likelihood_of_a_spelling_model_is_the_sum_over_all_ways_of_spelling(ctc: Path) -> None:
    model = CtcRecogniser(str(ctc), CPU)
    states = np.random.default_rng(0).normal(0, 0.3, (5, 32)).astype(np.float16)
    frames = model._log_probabilities(states).double().exp().numpy()
    wanted = [LETTERS.index("A"), LETTERS.index("T")]
    total = 0.0
    for path in itertools.product([0, *wanted], repeat=5):
        spelled = [k for k, _ in itertools.groupby(path) if k]
        if spelled == wanted:
            total += float(np.prod([frames[t, letter] for t, letter in enumerate(path)]))
    found = model.evidence(EncoderStates((states,), "at"), ["at"]).likelihood[0]
    assert found == pytest.approx(np.log(total) / 2, abs=1e-3)


def test_a_spelling_model_serves_a_workspace(ctc: Path, make_app: Callable[..., App]) -> None:
    app = make_app(speech_model=f"ctc:{ctc}")
    item = app.ws.items.listed("audio", limit=1)[0]
    scores = app.models.aligner(TASK).align(decode_audio(SPOKEN), ["a cat", "犬"])
    assert all(0 <= s.probability <= 1 for s in scores)
    found = app.speech.align_words(item, "the train to the coast")
    assert [w["word"] for w in found["words"]] == ["the", "train", "to", "the", "coast"]
    assert app.speech.transcribe(item)["complete"]


def test_every_preset_says_what_it_is_and_a_name_that_is_none_is_told_so(whisper: Path, ctc: Path) -> None:
    assert all(p.licence and p.about and p.size_mb for p in PRESETS.values())
    named = find_preset(f"whisper:{whisper}")
    assert named.feature_dim == 384 + 32 and named.methods == ("head", "lora", "full") and len(named.id) <= 64
    assert find_preset(named.name) == named and "/" not in named.id
    assert find_preset(f"ctc:{ctc}").feature_dim == 384 + 32
    assert find_preset("faster-whisper:distil-large-v3").feature_dim == 384 + 1280
    for wrong, says in {
        "whisper:/no/such/folder": "There is no folder /no/such/folder",
        "faster-whisper:gigantic": "has no model 'gigantic'. Use one of: tiny.en, tiny, ",
        "faster-whisper:large-x": "has no model 'large-x'",
        "faster-whisper:tiny.xx": "has no model 'tiny.xx'",
        "whisperer": "There is no model",
    }.items():
        with pytest.raises(UserError, match=says):
            find_preset(wrong)


def test_a_model_that_is_not_at_hand_is_told_with_what_to_do(tmp_path: Path) -> None:
    for load in (HubWhisper, CtcRecogniser):
        with pytest.raises(
            UserError, match=r"has no model.safetensors.*choose another checkpoint"
        ) as refused:
            load(str(tmp_path), CPU)
        assert "Traceback" not in str(refused.value)


def labelled(
    make_app: Callable[..., App], whisper: Path, name: str = "demo", train: int = 5, held_out: int = 2
) -> App:
    """A workspace of a few train recordings and some held out, each confirmed."""
    app = make_app(name, speech_model=f"whisper:{whisper}", samples=False)
    with (SPEECH / "samples.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    for split, chosen in (("train", rows[:train]), ("held-out", rows[train : train + held_out])):
        for row in chosen:
            data = (SPEECH / row["file_name"]).read_bytes()
            item = app.ws.add_media("audio", data, row["file_name"], source="test")
            with app.ws.database.write() as session:
                pair, _ = app.ws.pairs.add(session, TASK, item.id, row["text"], source="test", split=split)
                app.ws.labels.add_in(session, pair, NewLabel("match"))
    return app


@pytest.mark.slow
def test_a_hub_whisper_learns_from_corrected_texts_by_lora_and_serves_as_a_version(
    whisper: Path, make_app: Callable[..., App]
) -> None:
    app = labelled(make_app, whisper)
    base = app.ws.versions.active(TASK)
    run_id = create_run(app.ws, TASK, "lora", TrainSettings(epochs=2, learning_rate=0.02, batch=2), "ask")
    seen: list[float] = []
    run = execute_run(app, run_id, lambda r: seen.append(r.loss))
    assert run.status == "done", run.message
    assert len(seen) == 2 and seen[1] < seen[0]
    assert run.result["transcripts"]["recordings"] == 2 and run.result["gains"]
    assert app.ws.versions.active(TASK) == base  # a person decides
    own, tuned = app.models.aligner(TASK, base), app.models.aligner(TASK, run.version_id)
    assert own.towers.media.id != tuned.towers.media.id
    samples, texts = decode_audio(SPOKEN), ["The train to the coast leaves at seven in the morning."]
    before, after = (
        a.towers.media.recogniser.evidence(a.towers.media.prepare(samples), texts).likelihood[0]
        for a in (own, tuned)
        if isinstance(a.towers.media, SpeechTower)
    )
    assert after > before + 0.02
    # what comes after stands on it: a head on the adapted states
    app.ws.versions.activate(run.version_id)
    child = create_run(app.ws, TASK, "head", TrainSettings(epochs=2), "ask")
    done = execute_run(app, child)
    assert done.status == "done", done.message
    assert app.models.aligner(TASK, done.version_id).towers.media.id == tuned.towers.media.id


@pytest.mark.slow
def test_a_lora_run_that_was_interrupted_goes_on_to_the_same_weights(
    whisper: Path, make_app: Callable[..., App]
) -> None:
    from safetensors.numpy import load_file

    from mmdemo.models.version_source import ADAPTER

    found = []
    for name, killed in (("whole", False), ("killed", True)):
        app = labelled(make_app, whisper, name, train=4, held_out=1)
        run_id = create_run(app.ws, TASK, "lora", TrainSettings(epochs=2, batch=3), "ask")
        if killed:

            class Killed(BaseException):
                pass

            def kill(record: object) -> None:
                if record.epoch == 1:  # type: ignore[attr-defined]
                    raise Killed

            with pytest.raises(Killed):
                execute_run(app, run_id, kill)
        run = execute_run(app, run_id)
        found.append(load_file(app.ws.version_folder(run.version_id) / ADAPTER / "adapter_model.safetensors"))
    whole, resumed = found
    assert whole.keys() == resumed.keys()
    assert all(np.allclose(whole[name], resumed[name], atol=1e-6) for name in whole)


def test_lora_is_refused_where_the_model_cannot_learn_it(app: App) -> None:
    with pytest.raises(UserError, match="cannot be trained by the method 'lora'"):
        create_run(app.ws, TASK, "lora", TrainSettings(), "ask")


def test_another_base_model_in_the_settings_is_used_but_a_persons_choice_stays(
    whisper: Path, make_app: Callable[..., App]
) -> None:
    first = make_app("one")
    assert first.ws.versions.active(TASK) == "whisper-tiny-en-minilm"
    first.close()
    second = make_app("one", speech_model=f"whisper:{whisper}")
    mine = second.ws.versions.active(TASK)
    assert mine == find_preset(f"whisper:{whisper}").id
    second.ws.versions.activate("whisper-tiny-en-minilm", "ann")
    second.close()
    assert BY_SETTING != "ann"
    third = make_app("one", speech_model=f"whisper:{whisper}")
    assert third.ws.versions.active(TASK) == "whisper-tiny-en-minilm"
