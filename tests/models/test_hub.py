"""Models of the Hub, on small random checkpoints in folders: loaded by the code path that a Hub id takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

from mmdemo.errors import UserError
from mmdemo.models.captioning.transformers import HubCaptioner
from mmdemo.models.device import decide_compute
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.models.video.aligner import VideoTower
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests import checkpoints
from tests.conftest import drawing, execute_run
from tests.training.test_architectures import labelled

SETTINGS = load_settings({}, device="cpu")
CPU = decide_compute("cpu")
PICTURES = {
    "clip": checkpoints.save_clip,
    "siglip": checkpoints.save_siglip,
    "siglip2": checkpoints.save_siglip2,
    "blip": checkpoints.save_blip_retrieval,
}
CLIPS = {"xclip": checkpoints.save_xclip, "videoprism": checkpoints.save_videoprism}
WRITERS = {
    "blip": checkpoints.save_blip,
    "git": checkpoints.save_git,
    "smolvlm": checkpoints.save_smolvlm,
}
RED, BLUE = Image.new("RGB", (40, 60), "red"), Image.new("RGB", (64, 32), "blue")
TEXTS = ["a red square", "blue"]


@pytest.mark.parametrize("family", PICTURES)
def test_vectors_of_a_dual_encoder_are_those_that_transformers_own_call_gives(
    family: str, tmp_path: Path
) -> None:
    import transformers

    folder = PICTURES[family](tmp_path / family)
    towers, _ = load_towers(find_preset(f"dual:{folder}"), SETTINGS)
    encoder = towers.media.encoder  # type: ignore[attr-defined]
    network = getattr(transformers, encoder.family.architecture).from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    given = {**processor(images=[RED, BLUE], return_tensors="pt"), **encoder.tokens(TEXTS)}
    with torch.no_grad():
        if family == "blip":  # which gives the cosines themselves
            expected = network(**given, use_itm_head=False)[0].numpy()
            found = towers.media.encode([RED, BLUE]) @ towers.text.encode(TEXTS).T
            assert np.allclose(found, expected, atol=1e-4)
            return
        out = network(**given)
    assert np.allclose(towers.media.encode([RED, BLUE]), normalize(out.image_embeds, dim=1), atol=1e-4)
    assert np.allclose(towers.text.encode(TEXTS), normalize(out.text_embeds, dim=1), atol=1e-4)


def test_a_clip_of_x_clip_has_the_vector_that_transformers_gives_it(tmp_path: Path) -> None:
    import transformers

    folder = checkpoints.save_xclip(tmp_path / "xclip")
    towers, _ = load_towers(find_preset(f"frames:{folder}"), SETTINGS)
    assert isinstance(towers.media, VideoTower)
    frames = towers.media.frames
    encoder = frames.encoder  # type: ignore[attr-defined]
    clip = torch.stack([torch.from_numpy(frames.prepare(i)) for i in (RED, BLUE, RED, RED)])
    network = transformers.XCLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        whole = network.get_video_features(clip[None]).pooler_output
        rows = encoder.clips(clip[None])
    assert torch.allclose(rows.mean(1), whole, atol=1e-5)
    assert frames.encode([RED, BLUE, RED, RED, BLUE]).shape == (5, 16)  # a clip and a part of one


def test_a_clip_of_videoprism_has_the_vector_that_transformers_gives_it(tmp_path: Path) -> None:
    import transformers

    folder = checkpoints.save_videoprism(tmp_path / "videoprism")
    towers, _ = load_towers(find_preset(f"frames:{folder}"), SETTINGS)
    assert isinstance(towers.media, VideoTower)
    frames = towers.media.frames
    images = [RED, RED, BLUE, BLUE]
    pixels = torch.stack([torch.from_numpy(frames.prepare(i)) for i in images for _ in range(2)])
    network = transformers.VideoPrismClipModel.from_pretrained(folder).eval()
    with torch.no_grad():
        whole = network.get_video_features(pixels[None]).pooler_output.reshape(1, -1)
    assert np.allclose(frames.encode(images), normalize(whole, dim=1).expand(4, -1), atol=1e-4)


def test_sounds_are_carried_to_the_rate_that_clap_hears_at(tmp_path: Path) -> None:
    folder = checkpoints.save_clap(tmp_path / "clap")
    preset = find_preset(f"sounds:{folder}")
    towers, _ = load_towers(preset, SETTINGS)
    tone = np.sin(np.arange(16_000) * 0.3).astype(np.float32)
    vectors = towers.media.encode([tone, np.zeros(8_000, np.float32)])
    assert preset.task == "speech-text" and vectors.shape == (2, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    with pytest.raises(UserError, match="is for audio, not for image-text"):
        load_towers(find_preset(f"dual:{folder}"), SETTINGS)


def test_clap_finds_sounds_and_says_that_it_hears_no_words(
    tmp_path: Path, make_app: Callable[..., App]
) -> None:
    folder = checkpoints.save_clap(tmp_path / "clap")
    app = make_app(speech_model=f"sounds:{folder}")
    item = app.ws.items.listed("audio")[0]
    assert len(app.media.align(item, ["a bell", "a voice"])["scores"]) == 2
    app.context.keeper_of("speech-text").update()
    assert app.media.search(Query(text="a bell", k=3), "speech-text").as_json()["results"]
    with pytest.raises(UserError, match="hears sounds, no words"):
        app.speech.transcribe(item)


@pytest.mark.parametrize("family", WRITERS)
def test_a_captioner_writes_the_same_of_a_picture_each_time(family: str, tmp_path: Path) -> None:
    writer = HubCaptioner(str(WRITERS[family](tmp_path / family)), CPU)
    said = writer.caption([RED])
    assert said and said == writer.caption([RED]) and " " * 2 not in said


def test_a_video_captioner_is_shown_as_many_frames_as_it_takes(tmp_path: Path) -> None:
    writer = HubCaptioner(str(checkpoints.save_git(tmp_path / "git", frames=3)), CPU)
    assert writer.frames == 3
    assert writer.inputs([RED, BLUE])["pixel_values"].shape == (1, 3, 3, 32, 32)
    assert writer.caption([RED, BLUE, RED, RED])


def test_a_dual_encoder_aligns_searches_captions_explains_learns_and_is_activated(
    tmp_path: Path, make_app: Callable[..., App]
) -> None:
    folder, writer = PICTURES["clip"](tmp_path / "clip"), WRITERS["blip"](tmp_path / "blip")
    app = make_app(model=f"dual:{folder}", captioner=str(writer), samples=False)
    names = [p.stem for p in sorted(drawing("x").parent.glob("*.jpg"))[:12]]
    items = [app.ws.add_media("image", drawing(n).read_bytes(), f"{n}.jpg", source="test") for n in names]
    scores = app.media.align(items[0], ["a cat", "a harp"])["scores"]
    assert len(scores) == 2 and all((s["measured"], s["zone"]) == (False, "") for s in scores)
    assert all(0 <= s["probability"] <= 1 for s in scores)  # a guess, which the page does not show
    captions = app.caption(items[0])["captions"]
    assert captions[0]["source"] == "written" and len(captions) == 5
    maps = app.pictures.explain(items[0], ["a cat"])[1].maps
    assert maps.shape == (1, 7, 7) and maps.max() == 1.0
    app.context.keeper.update()
    found = app.media.search(Query(text="a cat", k=3)).results
    assert len(found) == 3 and all(r.probability is None for r in found)
    for i, item in enumerate(items):
        with app.ws.database.write() as session:
            split = "held-out" if i % 4 == 0 else "train"
            pair, _ = app.ws.pairs.add(session, "image-text", item.id, names[i], source="test", split=split)
            app.ws.labels.add_in(session, pair, NewLabel("match"))
    run_id = create_run(app.ws, "image-text", "head", TrainSettings(epochs=2), promote="ask")
    run = execute_run(app, run_id)
    assert run.status == "done" and run.version_id
    app.versions.activate(run.version_id)
    assert app.media.align(items[0], ["a cat"])["model"] == run.version_id


@pytest.mark.parametrize("family", CLIPS)
def test_a_video_model_finds_moments_and_learns(
    family: str, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    folder = CLIPS[family](tmp_path / family)
    app = labelled(make_app, "video-text", f"frames:{folder}")
    item = app.ws.items.listed("video")[0]
    found = app.video.moments(item, "a harp")
    assert found["moments"] and found["complete"] and found["model"].startswith(f"frames-{family}")
    run_id = create_run(app.ws, "video-text", "head", TrainSettings(epochs=2, head="temporal"), promote="ask")
    run = execute_run(app, run_id)
    assert run.status == "done", run.message


def _spoil(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    if how == "half-downloaded":
        weights.write_bytes(weights.read_bytes()[:2000])
    elif how == "a pickle":
        weights.unlink()
        torch.save({"x": torch.zeros(1)}, folder / "pytorch_model.bin")
    elif how == "other keys":
        found = load_file(weights)
        save_file({k: v for k, v in found.items() if "visual_projection" not in k}, weights, {"format": "pt"})
    elif how == "remote code":
        config = json.loads((folder / "config.json").read_text())
        config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "evil.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n")
    elif how == "no tokeniser":
        for file in folder.glob("*token*"):
            file.unlink()
        for file in ("vocab.json", "merges.txt"):
            (folder / file).unlink(missing_ok=True)
    elif how == "another picture size":
        file = folder / "preprocessor_config.json"
        facts = json.loads(file.read_text())
        facts |= {"size": {"shortest_edge": 48}, "crop_size": {"height": 48, "width": 48}}
        file.write_text(json.dumps(facts))
    elif how == "no numbers":
        tensors = load_file(weights)
        tensors["visual_projection.weight"][0, 0] = float("nan")
        save_file(tensors, weights, {"format": "pt"})
    elif how == "another architecture":
        checkpoints.save_blip(folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("half-downloaded", "model.safetensors is cut off"),
        ("a pickle", "has its weights only as pytorch_model.bin"),
        ("other keys", "lacks tensors of CLIPModel: visual_projection.weight"),
        ("remote code", "could not be found"),
        ("another architecture", "is a model of type 'bert'"),
        ("no tokeniser", "tokeniser"),
        ("another picture size", "fails at a picture"),
        ("no numbers", "has values in its tensor visual_projection.weight that are no numbers"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_refused_in_a_sentence(
    how: str, says: str, tmp_path: Path
) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    _spoil(folder, how)
    with pytest.raises(UserError, match=says) as refused:
        load_towers(find_preset(f"dual:{folder}"), SETTINGS)
    assert refused.value.cure and "\n" not in str(refused.value)
    assert not (folder / "ran").exists()


def test_tensors_that_an_architecture_does_not_use_are_told_and_the_rest_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors.torch import load_file, save_file

    folder = checkpoints.save_clip(tmp_path / "clip")
    weights = folder / "model.safetensors"
    found = load_file(weights)
    plain = load_towers(find_preset(f"dual:{folder}"), SETTINGS)[0].text.encode(TEXTS)
    save_file(found | {"another_head.weight": torch.ones(2)}, weights, {"format": "pt"})
    towers, _ = load_towers(find_preset(f"dual:{folder}"), SETTINGS)
    assert np.allclose(towers.text.encode(TEXTS), plain, atol=1e-6)
    assert "1 tensors that CLIPModel does not use, such as another_head.weight" in caplog.text


def test_a_hub_id_that_does_not_exist_or_has_no_network_is_told_apart_from_a_fault(
    make_app: Callable[..., App],
) -> None:
    with pytest.raises(UserError, match="could not be found"):
        find_preset("dual:nobody/no-such-model")
    app = make_app(model="clip-vit-base-patch32", samples=False)
    with pytest.raises(UserError, match="openai/clip-vit-base-patch32 could not be"):
        app.models.aligner("image-text")
    assert app.models.status("image-text").state == "failed"


def test_a_model_is_chosen_while_another_serves_and_one_that_cannot_be_loaded_changes_nothing(
    tmp_path: Path, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    before = app.models.aligner("image-text").version
    damaged = PICTURES["clip"](tmp_path / "damaged")
    _spoil(damaged, "half-downloaded")
    for name, says in {
        f"dual:{damaged}": "model.safetensors is cut off",
        "whisper-tiny-en-minilm": "is a model of speech-text",
        "no-such-model": "no-such-model could not be found",
        "nothing:at-all": "could not be found",
        str(WRITERS["git"](tmp_path / "git")): "is a model of type 'git'",
        "siglip2-base-patch16-224": "could not be",
    }.items():
        with pytest.raises(UserError, match=says):
            app.versions.choose_model("image-text", name)
    good = PICTURES["siglip"](tmp_path / "good")
    with monkeypatch.context() as patch:
        patch.setattr("mmdemo.models.memory.free_mb", lambda compute: 0)
        patch.setattr("mmdemo.models.memory.weights_mb", lambda preset: 900)
        with pytest.raises(UserError, match="needs about 1170 MB of memory and cpu has 0 MB free"):
            app.versions.choose_model("image-text", f"dual:{good}")
    assert app.ws.versions.active("image-text") == before
    assert app.models.status("image-text").state == "ready"
    chosen = app.versions.choose_model("image-text", str(good))  # what it is, its configuration tells
    active = next(v["id"] for v in chosen["versions"] if v["active"])
    item = app.ws.items.listed("image", limit=1)[0]
    assert active.startswith("dual-good") and app.media.align(item, ["a cat"])["model"] == active
    app.versions.activate(before)
    assert app.media.align(item, ["a cat"])["model"] == before
