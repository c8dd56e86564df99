from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmdemo.errors import StorageError, UserError
from mmdemo.media.image import decode_image
from mmdemo.models.calibration import Calibration, fit_calibration
from mmdemo.models.captioning.agreement import count, together
from mmdemo.models.captioning.proposals import Known, how_sure, propose_captions
from mmdemo.models.captioning.seen import shipped
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.batch_norm import fold_batch_norm
from mmdemo.models.encoders.efficientnet_minilm import bundled_weights
from mmdemo.models.explain import explain, where
from mmdemo.models.find_model import find_preset
from mmdemo.models.heads.residual import HeadShape, Projection, ResidualHead
from mmdemo.models.heads.saved import load_head, save_head
from mmdemo.models.presets import PRESETS
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from tests.conftest import TASK

PICTURES = [name for name, preset in PRESETS.items() if preset.loader == "efficientnet-minilm"]
CAT = ASSETS / "photos" / "chelsea.jpg"
CUP = ASSETS / "photos" / "coffee.jpg"


@pytest.mark.parametrize("preset", PICTURES)
def test_every_preset_loads_from_its_wheel_and_knows_a_cat(preset: str, app: App) -> None:
    towers = app.models.towers(preset)
    features = towers.media.encode([decode_image(CAT)])
    assert features.shape == (1, PRESETS[preset].feature_dim) and features.dtype == np.float32
    names = towers.media.classes.names
    best = np.argsort(-towers.media.class_probabilities(features)[0])[:3]
    assert {names[i] for i in best} & {"tabby", "tiger cat", "egyptian cat"}


@pytest.mark.parametrize("preset", PICTURES)
def test_folding_the_norms_changes_nothing_but_the_time(preset: str, app: App) -> None:
    import timm

    network = timm.create_model(PRESETS[preset].media_tower, pretrained=False)
    network.load_state_dict(bundled_weights(PRESETS[preset], network.state_dict()))
    norms = sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    tower = app.models.towers(preset).media
    batch = torch.from_numpy(tower.prepare(decode_image(CAT)))[None]
    with torch.inference_mode():
        torch.testing.assert_close(
            tower.feature_map(batch), network.eval().forward_features(batch), rtol=1e-3, atol=1e-3
        )
        assert fold_batch_norm(network) == norms == fold_batch_norm(network) + norms


def test_vectors_of_both_towers_have_unit_length(app: App) -> None:
    aligner = app.models.aligner(TASK)
    for vectors in (
        aligner.encode_media([decode_image(CAT)]),
        aligner.encode_text(["a cat", "", "猫 🐈 קט"]),
    ):
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_order_and_company_of_texts_does_not_change_their_vectors(app: App) -> None:
    aligner = app.models.aligner(TASK)
    texts = ["a cat", "a very long caption about a red apple on a wooden table in the garden", "dog"]
    together = aligner.encode_text(texts)
    alone = np.concatenate([aligner.encode_text([t]) for t in texts])
    assert np.allclose(together, alone, atol=1e-4)


def test_a_fitting_caption_scores_higher_than_one_that_does_not(app: App) -> None:
    scores = app.models.aligner(TASK).align(decode_image(CAT), ["a rocket", "a tabby cat"])
    assert [s.text for s in scores] == ["a rocket", "a tabby cat"]
    assert scores[1].probability > 0.9 > 0.5 > scores[0].probability


def test_stored_sample_features_are_those_of_the_model(app: App) -> None:
    from mmdemo.retrieval.embed import feature_file

    item = next(i for i in app.ws.items.listed("image") if i.name == "chelsea.jpg")
    towers = app.models.towers(app.settings.model)
    fresh = towers.media.encode([decode_image(app.ws.media_path(item), at_least_px=224)])
    stored = feature_file(app.ws, towers).get([item.id])
    assert np.abs(fresh - stored).max() < 0.02


def test_an_untrained_head_is_the_base_model() -> None:
    torch.manual_seed(0)
    features, texts = torch.randn(5, 40).numpy(), torch.nn.functional.normalize(torch.randn(5, 8)).numpy()
    head = ResidualHead(HeadShape(40, 8, hidden=16))
    head.standardise(torch.randn(50, 40))
    assert np.allclose(Projection(8, head).media(features), Projection(8, None).media(features), atol=1e-6)
    assert np.allclose(Projection(8, head).text(texts), texts, atol=1e-6)


def test_a_saved_head_comes_back_the_same_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    head = ResidualHead(HeadShape(40, 8, hidden=16)).eval()
    torch.nn.init.normal_(head.media_out.weight)
    save_head(head, tmp_path / "v1")
    x = torch.randn(3, 40)
    assert torch.equal(load_head(tmp_path / "v1").project_media(x), head.project_media(x))
    (tmp_path / "v1" / "head.safetensors").write_bytes(b"half")
    with pytest.raises(StorageError, match="weights in v1 cannot be read"):
        load_head(tmp_path / "v1")


@given(st.integers(2, 200), st.integers(0, 1000))
def test_calibration_is_monotonic_and_recovers_what_made_the_labels(scale: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.5, 0.9, 4000)
    true = Calibration(float(min(scale, 30)), -0.3 * min(scale, 30))
    fitted = fit_calibration(x, rng.random(4000) < true.probability(x), Calibration(6.0, -0.4), strength=1.0)
    grid = np.linspace(-1, 1, 21)
    assert (np.diff(fitted.probability(grid)) > 0).all()
    assert np.abs(fitted.probability(grid[8:17]) - true.probability(grid[8:17])).max() < 0.15


def test_without_labels_the_calibration_is_the_prior() -> None:
    prior = Calibration(6.0, -0.4)
    assert fit_calibration(np.empty(0), np.empty(0), prior) == prior
    assert prior.similarity(float(prior.probability(0.3))) == pytest.approx(0.3)


def test_the_heat_map_is_as_bright_as_the_text_is_likely_and_changes_with_it(app: App) -> None:
    aligner, cat = app.models.aligner(TASK), decode_image(CAT)
    found = explain(aligner, cat, ["a tabby cat", "a cat's face", "a tabby cat"])
    assert found.maps.shape == (3, 14, 14) and found.maps.min() >= 0
    assert found.maps[0].max() == pytest.approx(found.scores[0].probability, abs=1e-3)
    assert np.allclose(found.maps[0], found.maps[2])
    raw = where(aligner, cat, ["a tabby cat", "a rocket"])
    assert raw.max((1, 2)) == pytest.approx([1.0, 1.0]) and np.abs(raw[0] - raw[1]).max() > 0.2


def test_nothing_is_lit_where_a_text_does_not_fit_and_a_sentence_says_so(app: App) -> None:
    found = explain(app.models.aligner(TASK), decode_image(CAT), ["a car", "a tabby cat"])
    assert found.maps[0].max() == 0 < found.maps[1].max()
    assert found.notes == ("“a car” doesn't fit this picture, so nothing is lit.", "")


def test_the_heat_map_finds_the_side_on_which_the_thing_is(app: App) -> None:
    from PIL import Image

    canvas = Image.new("RGB", (400, 200), "white")
    canvas.paste(decode_image(CAT).resize((200, 200)), (0, 0))
    canvas.paste(decode_image(CUP).resize((200, 200)), (200, 0))
    maps = where(app.models.aligner(TASK), canvas, ["a tabby cat", "an espresso in a cup"])
    left = maps[:, :, :7].sum((1, 2)) / maps.sum((1, 2))
    assert left[0] > 0.6 > 0.4 > left[1]


def seen_in(app: App, name: str) -> np.ndarray:
    return app.models.towers(app.settings.model).media.encode([decode_image(ASSETS / name)])[0]


def test_captions_are_ranked_by_probability_and_name_what_is_there(app: App) -> None:
    aligner = app.models.aligner(TASK)
    cup, cat = (
        propose_captions(aligner, seen_in(app, f"photos/{n}.jpg"), Known()) for n in ("coffee", "chelsea")
    )
    assert [c.score for c in cup] == sorted((c.score for c in cup), reverse=True)
    assert (cup[0].text, cat[0].text) == ("an espresso", "a cat")
    assert min(cup[0].score, cat[0].score) >= 0.8


@pytest.mark.parametrize("name", ["gravel", "retina", "cell", "astronaut", "brick"])
def test_what_no_caption_fits_has_none_and_nothing_is_joined(name: str, app: App) -> None:
    assert propose_captions(app.models.aligner(TASK), seen_in(app, f"photos/{name}.jpg"), Known()) == []


def test_what_several_classes_have_in_common_is_said_where_one_of_them_is_not_sure(app: App) -> None:
    beagle = propose_captions(
        app.models.aligner(TASK), seen_in(app, "clipart/images/copper_the_beagle.jpg"), Known()
    )
    assert (beagle[0].text, beagle[0].source) == ("a dog", "kind")
    assert "a basset" not in {c.text for c in beagle if c.score >= 0.8}


def test_a_text_is_proposed_where_people_confirmed_it_and_none_that_they_refused(app: App) -> None:
    aligner, features = app.models.aligner(TASK), seen_in(app, "photos/coffee.jpg")
    text = "a cup of strong espresso coffee"
    near = propose_captions(aligner, features, Known(nearest=[text], texts=1))
    assert (text, "labelled") in [(c.text, c.source) for c in near]
    own = propose_captions(aligner, features, Known(own=["Espresso"], refused=["a cup"]))
    assert (own[0].text, own[0].score, own[0].source) == ("Espresso", 1.0, "confirmed")
    assert not {"a cup", "an espresso"} & {c.text for c in own}  # refused, and said once
    among_many = propose_captions(aligner, features, Known(nearest=[text], texts=100_000))
    assert text not in {c.text for c in among_many}  # the best of so many fits by chance


def test_agreement_is_counted_and_said_only_of_enough() -> None:
    counted = count([(0.9, True)] * 8 + [(0.85, False)] * 2 + [(0.6, True)])
    assert [(a.right, a.of) for a in counted] == [(8, 10), (0, 0), (1, 1), (0, 0)]
    assert counted[0].sentence == "Of ten captions like this one, people agreed with eight."
    assert counted[2].sentence == ""
    assert (together(counted, counted)[0].right, together(counted, counted)[0].of) == (16, 20)


def test_the_captions_that_ship_were_counted_right_as_often_as_they_claim() -> None:
    sure = shipped().agreed[0]
    assert sure.of >= 50 and sure.right / sure.of >= 0.8


def test_how_sure_is_said_in_words() -> None:
    assert [how_sure(p) for p in (0.9, 0.7, 0.5, 0.1)] == ["sure", "likely", "perhaps", "a guess"]


def test_an_unknown_model_lists_those_there_are() -> None:
    with pytest.raises(UserError, match=r"no model 'clip'.*efficientnet-lite0-minilm"):
        find_preset("clip")


def test_an_unknown_device_is_named() -> None:
    assert decide_compute("cpu").dtype is torch.float32
    with pytest.raises(UserError, match="'toaster', which is no device"):
        decide_compute("toaster")
    with pytest.raises(UserError, match="sees 0 CUDA devices"):
        decide_compute("cuda:7") if not torch.cuda.is_available() else pytest.skip("there is a GPU")


def test_loading_says_where_it_stands_and_never_blocks_the_status(app: App) -> None:
    assert app.models.status(TASK).state == "ready"
    with pytest.raises(UserError, match="no version 'v9'"):
        app.models.aligner(TASK, "v9")
