"""Every architecture learns by each of its methods, serves as a version and is exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mmdemo.data.samples import SPEECH
from mmdemo.errors import StorageError, UserError
from mmdemo.media.audio import decode_audio
from mmdemo.modality import TASKS
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.models.version_source import NETWORK, version_source
from mmdemo.retrieval.embed import load_medium
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests import checkpoints
from tests.conftest import drawing, execute_run
from tests.films import write_film

PICTURES = sorted(p.stem for p in drawing("x").parent.glob("*.jpg"))[:16]
SETTINGS = {"image-text": "model", "speech-text": "speech_model", "video-text": "video_model"}


def labelled(make_app: Callable[..., App], task: str, name: str) -> App:
    """A workspace with labelled items of a task, videos by two spans each, and a model of its own."""
    app = make_app(**{SETTINGS[task]: name}, samples=False)
    files, spans = [drawing(n) for n in PICTURES], [(0.0, 0.0)]
    if task == "speech-text":
        files = sorted((SPEECH / "samples").glob("sentence-*.ogg"))[:5]
    elif task == "video-text":
        spans, folder = [(0.0, 1.0), (1.0, 2.0)], app.ws.folder.parent
        files = [write_film(folder / f"{i}.mp4", PICTURES[2 * i : 2 * i + 2]) for i in range(6)]
    items = [app.ws.add_media(TASKS[task], f.read_bytes(), f.name, source="test") for f in files]
    texts = (n.replace("-", " ") for n in PICTURES)
    with app.ws.database.write() as session:
        for (i, item), (start, end) in product(enumerate(items), spans):
            side = "held-out" if i % 4 == 0 else "train"
            span = {"start_s": start, "end_s": end} if end else {}
            pair, _ = app.ws.pairs.add(session, task, item.id, next(texts), source="test", split=side, **span)
            app.ws.labels.add_in(session, pair, NewLabel("match"))
    return app


def scores(app: App, task: str) -> np.ndarray:
    """What the active version says of one item and two texts."""
    item = app.ws.items.of([app.ws.pairs.browse(task, state="match")[0].item]).popitem()[1]
    aligner = app.models.aligner(task)  # type: ignore[arg-type]
    medium = load_medium(app.ws, aligner.towers.media, item)
    return np.array([s.similarity for s in aligner.align(medium, ["a cat", PICTURES[1]])])


def learn(app: App, task: str, methods: Sequence[str], **how: object) -> None:
    """Two epochs by each method, one on the other; every version says something else."""
    said = [scores(app, task)]
    for method in methods:
        how = {"epochs": 2, "batch": 4, "learning_rate": 2e-2 if method == "head" else 1e-2} | how
        run_id = create_run(app.ws, task, method, TrainSettings(**how), "ask")  # type: ignore[arg-type]
        done = execute_run(app, run_id)
        assert done.status == "done" and done.version_id, done.message
        app.versions.activate(done.version_id)
        said.append(scores(app, task))
        assert not np.allclose(said[-1], said[-2], atol=1e-4), method


@pytest.mark.slow
@pytest.mark.parametrize("towers", ["cnn+rnn", "vit+transformer"])
def test_towers_from_scratch_learn_from_labelled_pictures_and_are_opened_again(
    towers: str, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    app = labelled(make_app, "image-text", f"towers:{towers}")
    assert find_preset(f"towers:{towers}").methods == ("full", "head")
    learn(app, "image-text", ["full", "head"] if towers == "cnn+rnn" else ["full"], batch=6)
    out = app.versions.export(app.ws.versions.active("image-text"), tmp_path / "out")["path"]
    again = load_towers(find_preset(f"towers:{out}"), app.settings)[0]
    picture = app.pictures.picture(app.ws.items.listed("image", limit=1)[0])
    own = app.models.aligner("image-text").towers
    assert np.allclose(again.media.encode([picture]), own.media.encode([picture]), atol=1e-5)
    assert np.allclose(again.text.encode(["a cat"]), own.text.encode(["a cat"]), atol=1e-5)
    app.context.keeper.update()
    found = app.media.search(Query(text="a cat", k=3, everything=True))
    assert len(found.results) == 3 and found.version == app.ws.versions.active("image-text")


@pytest.mark.slow
@pytest.mark.parametrize("towers", ["rnn+rnn", "cnn+transformer", "transformer+rnn"])
def test_towers_from_scratch_learn_from_labelled_sounds(towers: str, make_app: Callable[..., App]) -> None:
    learn(labelled(make_app, "speech-text", f"sound-towers:{towers}"), "speech-text", ["full"])


@pytest.mark.slow
def test_a_backbone_of_timm_and_a_bert_are_joined_and_learn_by_every_method(
    tmp_path: Path, make_app: Callable[..., App]
) -> None:
    media, text = checkpoints.save_timm(tmp_path / "timm"), checkpoints.save_bert(tmp_path / "bert")
    name = f"towers:local-dir:{media}+{text}"
    app = labelled(make_app, "image-text", name)
    assert find_preset(name).methods == ("head", "lora", "full")
    learn(app, "image-text", ["lora", "full", "head"])
    for folder in (media, text):  # a version stands by itself
        folder.rename(folder.with_name(f"{folder.name}-moved"))
    network = next((app.ws.folder / "versions").glob(f"*/{NETWORK}"))
    load_towers(find_preset(f"towers:{network}"), app.settings)


@pytest.mark.slow
@pytest.mark.parametrize("media", ["timm", "cnn"])
def test_what_joins_two_backbones_learns_by_lora_and_is_kept_with_the_adapter(
    media: str, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    text = checkpoints.save_bert(tmp_path / "bert")
    tower = f"local-dir:{checkpoints.save_timm(tmp_path / 'timm')}" if media == "timm" else media
    app = labelled(make_app, "image-text", f"towers:{tower}+{text}")
    new = {"media_projection.weight", "text_projection.weight"}
    new |= {"media.network.conv1.weight"} if media == "cnn" else set()
    seen = [weights_of(app)]
    for method in ("lora", "lora", "full"):
        settings = TrainSettings(epochs=2, batch=4, learning_rate=1e-2)
        run_id = create_run(app.ws, "image-text", method, settings, "ask")
        done = execute_run(app, run_id)
        assert done.status == "done" and done.version_id, done.message
        app.versions.activate(done.version_id)
        seen.append(weights_of(app))  # as another process would load them
        assert all(not np.allclose(seen[-1][name], seen[-2][name], atol=1e-4) for name in new), method
    backbone = [n for n in seen[0] if n.startswith("media.network.") and media == "timm"]
    assert all(np.array_equal(seen[0][n], seen[2][n]) for n in backbone)  # what was trained before stays


def weights_of(app: App) -> dict[str, np.ndarray]:
    """The network of the active version, loaded anew."""
    towers, _ = load_towers(version_source(app.ws, app.ws.versions.active("image-text")).preset, app.settings)
    state = towers.media.encoder.network.state_dict()  # type: ignore[attr-defined]
    return {name: t.numpy() for name, t in state.items() if t.is_floating_point()}


@pytest.mark.slow
@pytest.mark.parametrize("save", [checkpoints.save_xclip, checkpoints.save_videoprism, checkpoints.save_clip])
def test_encoders_of_videos_learn_from_labelled_videos(
    save: Callable[[Path], Path], tmp_path: Path, make_app: Callable[..., App]
) -> None:
    app = labelled(make_app, "video-text", f"frames:{save(tmp_path / 'model')}")
    learn(app, "video-text", ["head", "lora", "full"])
    version = app.ws.versions.active("video-text")
    out = app.versions.export(version, tmp_path / "out")["path"]
    load_towers(find_preset(f"frames:{out}"), app.settings)


@pytest.mark.parametrize("kind", [pytest.param("whisper", marks=pytest.mark.slow), "ctc"])
def test_recognisers_learn_from_corrected_texts_by_every_method(
    kind: str, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    save = {"whisper": checkpoints.save_whisper, "ctc": checkpoints.save_ctc}[kind]
    app = labelled(make_app, "speech-text", f"{kind}:{save(tmp_path / kind)}")
    tower = app.models.aligner("speech-text").towers.media
    item = app.ws.items.listed("audio", limit=1)[0]
    states = [load_medium(app.ws, tower, item).windows[0]]
    for method in ("full", "lora"):
        settings = TrainSettings(epochs=2, batch=4, learning_rate=1e-3)
        run_id = create_run(app.ws, "speech-text", method, settings, "ask")
        done = execute_run(app, run_id)
        assert done.status == "done" and done.version_id, done.message
        app.versions.activate(done.version_id)
        tower = app.models.aligner("speech-text").towers.media
        states.append(load_medium(app.ws, tower, item).windows[0])
        assert not np.allclose(states[-1], states[-2], atol=1e-4)
    out = app.versions.export(done.version_id, tmp_path / "out")["path"]
    again = load_towers(find_preset(f"{kind}:{out}"), app.settings)[0].media
    samples = decode_audio(app.ws.media_path(item))
    assert np.allclose(again.prepare(samples).windows[0], states[-1], atol=2e-3)  # kept as float16


def test_a_tower_that_is_not_known_and_weights_that_do_not_fit_are_told(
    tmp_path: Path, make_app: Callable[..., App]
) -> None:
    for name, told in (
        ("towers:cnm+rnn", "no tower 'cnm' for image"),
        ("towers:rnn+rnn", "no tower 'rnn' for image"),
        ("towers:cnn+nothing-there", "nothing-there could not be found"),
        ("towers:timm/no_such_net+rnn", "no_such_net"),
    ):
        with pytest.raises(UserError, match=told):
            find_preset(name)
    app = make_app(samples=False)
    towers, _ = load_towers(find_preset("towers:vit+rnn"), app.settings)
    towers.media.encoder.save(tmp_path / "pair")  # type: ignore[attr-defined]
    weights = tmp_path / "pair" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(StorageError, match="do not fit"):
        load_towers(find_preset(f"towers:{tmp_path / 'pair'}"), app.settings)
    weights.unlink()
    with pytest.raises(StorageError, match="no weights"):
        load_towers(find_preset(f"towers:{tmp_path / 'pair'}"), app.settings)
