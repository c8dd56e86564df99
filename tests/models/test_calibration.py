from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdemo.errors import NumberError
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.media.image import decode_image
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.calibration import (
    BASE,
    OVER_MEDIA,
    OVER_TEXTS,
    SIMILARITY,
    Calibration,
    PairFit,
    at_base_rate,
    fit_pairs,
)
from mmdemo.models.judge import Grounds, Judge, nearest, speak_for
from mmdemo.models.presets import PRESETS
from mmdemo.models.reliability import CANNOT_TELL, DOES_NOT_FIT, FITS, Zones, find_zones, reliability
from mmdemo.models.shipped import fits_of_version, shipped_fit
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from tests.conftest import TASK, drawing

CAT = ASSETS / "photos" / "chelsea.jpg"
BUNDLED = [
    p.id for p in PRESETS.values() if p.loader in {"efficientnet-minilm", "efficientnet-minilm-frames"}
]


def validation_drawings() -> list[tuple[Path, str]]:
    """Some of those that no fit has seen, with their titles."""
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        rows = [row for row in csv.DictReader(f) if row["split"] == "validation"]
    return [(ASSETS / "clipart" / row["file_name"], row["text"]) for row in rows[::5]]


def drawing_pairs(aligner: HeadAligner, count: int) -> PairArrays:
    """So many of them as pairs, as a version is measured on."""
    rows = validation_drawings()[:count]
    codes = np.arange(len(rows), dtype=np.int64)
    features = aligner.media_features([decode_image(path) for path, _ in rows])
    texts = aligner.text_vectors([text for _, text in rows])
    return PairArrays(features, texts, np.ones(len(rows), bool), codes, codes)


@pytest.fixture(scope="module")
def judged(loaded: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, Zones]:
    """(56, 56) probabilities of validation drawings with each other's titles."""
    from mmdemo.settings import load_settings

    app = App(load_settings({}, workspace=tmp_path_factory.mktemp("w"), samples=False, device="cpu"), loaded)  # type: ignore[arg-type]
    aligner = app.models.aligner(TASK)
    rows = validation_drawings()
    features = aligner.media_features([decode_image(path) for path, _ in rows])
    said = aligner.probabilities(features, aligner.text_vectors([text for _, text in rows]))
    app.close()
    return said, aligner.zones


def test_on_drawings_that_calibrated_nothing_a_probability_is_what_it_says(
    judged: tuple[np.ndarray, Zones],
) -> None:
    said, _ = judged
    match = np.eye(len(said), dtype=bool)
    found = reliability(said.ravel(), match.ravel(), at_base_rate(match.ravel()), "drawings")
    assert found.ece <= 0.06
    assert (said[~match] >= 0.5).mean() <= 0.08


def test_what_is_said_to_fit_fits_and_what_is_said_not_to_does_not(judged: tuple[np.ndarray, Zones]) -> None:
    said, zones = judged
    match = np.eye(len(said), dtype=bool).ravel()
    weight, flat = at_base_rate(match), said.ravel()
    yes, no = flat >= zones.fits, flat <= zones.does_not
    assert yes.any() and weight[yes & match].sum() / weight[yes].sum() >= 0.9
    assert no.any() and weight[no & match].sum() / weight[no].sum() <= 0.12  # 56 drawings tell no more


def test_a_rocket_does_not_fit_the_cat_and_a_tabby_cat_does(app: App) -> None:
    scores = app.models.aligner(TASK).align(decode_image(CAT), ["A rocket lifting off", "a tabby cat"])
    assert scores[0].probability < 0.12 and scores[0].zone == DOES_NOT_FIT
    assert scores[1].probability > 0.9 and scores[1].zone == FITS


@pytest.mark.parametrize("preset", BUNDLED)
def test_every_bundled_model_ships_fits_that_say_what_they_were_measured_on(preset: str) -> None:
    for name in (preset, f"{preset}/tuned"):
        fit = shipped_fit(name)
        assert fit is not None and fit.reliability is not None, (
            f"run python assets/fit_calibration.py {preset}"
        )
        assert fit.reliability.ece < 0.06 and fit.reliability.pairs >= 100 and fit.reliability.on
        assert 0 < fit.zones.does_not < fit.zones.fits < 1
        assert PairFit.of(fit.as_json()) == fit


def test_stored_features_and_the_file_itself_give_one_probability(app: App) -> None:
    from mmdemo.retrieval.embed import feature_file, text_vectors

    aligner = app.models.aligner(TASK)
    item = next(i for i in app.ws.items.listed("image") if i.name == "chelsea.jpg")
    stored = aligner.probabilities(
        feature_file(app.ws, aligner.towers).get([item.id]),
        text_vectors(app.ws, aligner.towers, ["a tabby cat"]),
    )
    (score,) = aligner.align(decode_image(app.ws.media_path(item), at_least_px=224), ["a tabby cat"])
    assert stored[0, 0] == pytest.approx(score.probability, abs=0.02)


def test_a_model_of_which_no_fit_was_measured_shows_the_similarity_and_no_percent(app: App) -> None:
    from dataclasses import replace

    towers = replace(app.models.towers(app.settings.model), grounds=Grounds())
    aligner = HeadAligner("plain", TASK, towers, None, Calibration(10.0, -3.0))
    features = aligner.media_features([decode_image(CAT)])
    (score,) = aligner.scores(features[0], ["a tabby cat"])
    assert (score.measured, score.zone) == (False, "") and score.similarity > 0.3
    by_calibration = float(Calibration(10.0, -3.0).probability(score.similarity))  # what labels are chosen by
    known = aligner.probabilities(features, aligner.text_vectors(["a tabby cat"]))
    assert float(known[0, 0]) == pytest.approx(by_calibration, abs=1e-3) and aligner.zones == Zones()
    assert not aligner.measured


class Plain:
    """A space in which nothing is carried anywhere."""

    def media(self, features: np.ndarray) -> np.ndarray:
        return features

    def text(self, vectors: np.ndarray) -> np.ndarray:
        return vectors


def test_a_medium_that_is_near_to_everything_has_to_be_nearer_to_a_text() -> None:
    axes = np.eye(4, dtype=np.float32)
    judge = Judge(Grounds(texts=axes[:2], media=axes[2:]), Plain(), PairFit({OVER_TEXTS: 1.0}, 0.0))
    everywhere = np.full((1, 4), 0.5, np.float32)
    found = judge.evidence(np.concatenate([everywhere, axes[3:]]), axes[3:])
    assert found[SIMILARITY][:, 0] == pytest.approx([0.5, 1.0])
    assert found[OVER_TEXTS][:, 0] == pytest.approx([0.0, 1.0])  # the first is as near to every text
    assert found[OVER_MEDIA][:, 0] == pytest.approx([-0.5, 0.0])  # the text has a medium of its own


def test_a_likely_class_speaks_for_its_text_however_far_the_others_are() -> None:
    names, sure = np.eye(4, dtype=np.float32), np.array([[0.97, 0.01, 0.01, 0.01]])
    said = speak_for(sure, names, names)[0]
    assert said[0] > 1.0 > -1.0 > said[1] and said[1] == pytest.approx(said[2])
    unsure = speak_for(np.full((1, 4), 0.25), names, names)[0]
    assert unsure == pytest.approx(np.zeros(4))  # no class is likelier than another: nothing is said


def test_a_version_is_judged_by_its_own_fit_else_by_what_ships_for_its_base() -> None:
    base, own = "efficientnet-lite0-devise", PairFit({SIMILARITY: 9.0}, -2.0)
    assert fits_of_version(base, {}) == {"": shipped_fit(base)}
    assert fits_of_version(base, {"parent": base, "fit": None}) == {"": shipped_fit(f"{base}/tuned")}
    assert fits_of_version(base, {"parent": base, "fit": own.as_json()}) == {"": own}
    assert fits_of_version(base, {"pair_calibration": {"scale": 1.0, "bias": 0.0}}) == {}
    assert fits_of_version("clip-vit-base-patch32", {}) == {}


def test_the_card_of_a_version_says_what_its_probabilities_were_measured_on(app: App) -> None:
    card, fit = app.versions.card(app.settings.model), shipped_fit(app.settings.model)
    assert fit is not None and fit.reliability is not None
    (told,) = card["reliability"]["diagrams"]
    assert told["reliability"] == fit.reliability.as_json() and told["zones"] == fit.zones.as_json()
    assert ("measured on", fit.reliability.on) in told["facts"]
    assert "one in 5 is right" in card["reliability"]["about"]


def test_the_nearest_are_that_share_and_at_least_one() -> None:
    table = np.arange(200.0)[None]
    assert nearest(table, 0.01) == pytest.approx([198.5])
    assert nearest(table[:, :3], 0.01) == pytest.approx([2.0])


@given(st.integers(0, 500))
def test_a_fit_recovers_what_made_the_labels_and_the_prior_stands_without_any(seed: int) -> None:
    rng = np.random.default_rng(seed)
    evidence = {"a": rng.normal(0, 1, 4000), "b": rng.normal(2, 3, 4000)}
    true = PairFit({"a": 2.0, "b": -0.5}, 0.3)
    match = rng.random(4000) < true.probability(evidence)
    fitted = fit_pairs(evidence, match, np.ones(4000), strength=1.0)
    assert np.abs(fitted.probability(evidence) - true.probability(evidence)).mean() < 0.03
    assert fit_pairs(evidence, match, np.zeros(4000), prior=true) == true


def test_a_few_labels_move_the_prior_a_little() -> None:
    prior = PairFit({"a": 2.0}, 0.0)
    evidence = {"a": np.array([-1.0, 1.0])}
    few = fit_pairs(evidence, np.array([True, False]), np.ones(2), prior=prior)
    many = fit_pairs(
        {"a": np.tile(evidence["a"], 500)}, np.tile([True, False], 500), np.ones(1000), prior=prior
    )
    assert 0.5 < few.weights["a"] < 2.0 and many.weights["a"] < 0


def test_evidence_that_is_no_number_is_an_error_that_names_the_pair() -> None:
    with pytest.raises(NumberError, match="pair 2 is not a number"):
        fit_pairs({"a": np.array([0.0, np.nan])}, np.array([True, False]), np.ones(2))


def test_one_in_five_counts_as_right_however_many_there_are() -> None:
    match = np.array([True] * 3 + [False] * 100)
    weight = at_base_rate(match)
    assert weight[match].sum() / weight.sum() == pytest.approx(0.2)


def test_the_error_is_the_distance_between_what_was_said_and_what_was_right() -> None:
    said, match = np.full(100, 0.8), np.arange(100) < 60
    found = reliability(said, match, np.ones(100), "coins")
    assert found.ece == pytest.approx(0.2) and len(found.bins) == 1
    assert found.bins[0].right == pytest.approx(0.6) and found.on == "coins" and found.pairs == 60


@given(st.integers(0, 200), st.floats(0.5, 4.0))
def test_the_zones_hold_what_they_promise_on_what_they_were_read_from(seed: int, sharp: float) -> None:
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1.5, 2.0, 3000)
    said, match = 1 / (1 + np.exp(-odds)), rng.random(3000) < 1 / (1 + np.exp(-sharp * odds))
    zones, ones = find_zones(said, match, np.ones(3000)), np.ones(3000)
    for here, promise in (
        (said >= zones.fits, lambda s: s >= 0.9),
        (said <= zones.does_not, lambda s: s <= 0.1),
    ):
        is_default = zones in {Zones(), Zones(zones.fits), Zones(does_not=zones.does_not)}
        assert is_default or promise((ones * match)[here].mean())


def test_a_limit_is_never_a_toss_up_and_few_pairs_move_none() -> None:
    sure = np.array([0.51] * 50)
    assert find_zones(sure, np.ones(50, bool), np.ones(50)) == Zones()
    assert find_zones(np.array([0.7]), np.array([True]), np.ones(1)) == Zones()
    assert [Zones(0.7, 0.2).word(p) for p in (0.7, 0.5, 0.2)] == [FITS, CANNOT_TELL, DOES_NOT_FIT]


def test_a_head_is_judged_by_its_own_space_and_by_the_word_of_its_base(app: App) -> None:
    import torch

    from mmdemo.models.heads.residual import HeadShape, ResidualHead

    towers = app.models.towers(app.settings.model)
    head = ResidualHead(HeadShape(towers.media.feature_dim, towers.media.dim)).eval()
    torch.nn.init.normal_(head.text.weight, std=0.02)
    tuned = HeadAligner("tuned", TASK, towers, head, towers.calibration)
    assert BASE in tuned.judge.fit.weights and tuned.judge.base is not None
    base = app.models.aligner(TASK)
    pictures = [decode_image(path) for path in (CAT, drawing("tiger"))]
    features, texts = base.media_features(pictures), base.text_vectors(["a tabby cat", "a tiger"])
    said = tuned.probabilities(features, texts)
    assert said.shape == (2, 2) and said[0, 0] > said[1, 0] and said[1, 1] > said[0, 1]
    assert not np.allclose(said, base.probabilities(features, texts), atol=1e-3)


def test_a_version_is_fitted_on_validation_pairs_and_its_card_says_on_which(app: App) -> None:
    from mmdemo.evaluation.calibrating import fit_version

    aligner = app.models.aligner(TASK)
    pairs = drawing_pairs(aligner, 20)
    fit = fit_version(aligner, pairs)
    assert fit is not None and fit.reliability is not None
    assert fit.reliability.on.startswith("20 validation pairs") and fit.reliability.pairs == 20
    assert set(fit.weights) == set(aligner.judge.fit.weights) and fit.weights != aligner.judge.fit.weights
    assert fit_version(aligner, pairs.take(np.arange(5))) is None  # too few: what ships stands
    same = replace(pairs, texts=pairs.texts[[0] * 20], text_code=np.zeros(20, np.int64))
    assert fit_version(aligner, same) is None  # there is no other text that could be wrong


def test_a_video_is_judged_by_its_best_moment_and_not_as_a_picture_is(make_app: object) -> None:
    app: App = make_app()  # type: ignore[operator]
    item = next(i for i in app.ws.items.listed("video") if i.name == "drawings-1.mp4")
    from mmdemo.retrieval.embed import load_medium

    aligner = app.models.aligner("video-text")
    medium = load_medium(app.ws, aligner.towers.media, item)
    shown, other = aligner.align(medium, ["Classical harp", "Galaxies in deep space"])
    assert shown.probability > 0.5 > 0.3 > other.probability
    assert shown.zone != DOES_NOT_FIT and other.zone != FITS
    given = np.array([shown.similarity, other.similarity])
    again = aligner.probability_of(medium, [shown.text, other.text], given)
    assert again == pytest.approx([shown.probability, other.probability], abs=2e-3)
