"""Captions by the path of the page and the command line: counted, refused, or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from mmdemo.models.captioning.agreement import SURE
from mmdemo.models.captioning.seen import words
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import ASSETS
from tests.service.conftest import over_both

PRINTS = """
from dataclasses import replace

from mmdemo.modality import MODALITIES
from mmdemo.models.presets import LOADERS, PRESETS, Loader


def load(preset, settings):
    from mmdemo.models.load import load_towers

    towers, device = load_towers(PRESETS["efficientnet-lite0-devise"], settings)
    towers.media.id = preset.media_features
    return towers, device


def register():
    LOADERS.add("prints", Loader("prints", "print-text", load))
    base = PRESETS["efficientnet-lite0-devise"]
    PRESETS.add("my-prints", replace(base, id="my-prints", task="print-text", loader="prints"))
    own = {"default_model": "my-prints", "model_setting": "", "tab": ""}
    MODALITIES.add("print", replace(MODALITIES["image"], name="print", task="print-text", **own))
"""


@over_both("app")
def test_what_people_said_of_captions_is_counted_with_what_ships(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "coffee.jpg").id
    before = ask(app, "caption", item=item)["captions"][0]
    assert before["text"] == "an espresso" and before["like_this"].startswith("Of ten captions like this one")
    how = {"item": item, "origin": "caption", "claimed": before["score"]}
    ask(app, "label_result", text="a dog on a beach", verdict="mismatch", **how)
    after = ask(app, "caption", item=item)["captions"][0]
    assert (after["agreed"], after["judged"]) == (before["agreed"], before["judged"] + 1)
    ask(app, "label_result", text="a cup", verdict="match", **how)
    told = ask(app, "caption", item=item)["captions"][0]
    assert (told["text"], told["source"], told["score"]) == ("a cup", "confirmed", 1.0)
    ask(app, "label_result", text="a cup", verdict="mismatch", **how)
    assert "a cup" not in [c["text"] for c in ask(app, "caption", item=item)["captions"]]


def test_what_a_package_says_is_captioned_as_pictures_are_is_captioned_by_its_own_model_and_labels(
    plug_in: Callable[[str, str], Path], make_app: Callable[..., App], tmp_path: Path
) -> None:
    plug_in("brings_prints", PRINTS)
    app = make_app("prints")
    coffee, copy = ASSETS / "photos" / "coffee.jpg", tmp_path / "coffee.png"
    Image.open(coffee).save(copy)  # the same bytes would be the same item
    picture, printed = app.media.keep(coffee).id, app.media.keep(copy, task="print-text").id
    before = ask(app, "caption", item=printed)
    assert before["model"] == "my-prints"
    how = {"verdict": "mismatch", "origin": "caption", "claimed": before["captions"][0]["score"]}
    ask(app, "label_result", item=picture, text="a dog on a beach", **how)
    assert ask(app, "caption", item=printed)["captions"][0]["judged"] == before["captions"][0]["judged"]
    ask(app, "label_result", item=printed, text="a dog on a beach", **how)
    assert ask(app, "caption", item=printed)["captions"][0]["judged"] == before["captions"][0]["judged"] + 1
    assert ask(app, "explain", item=printed, texts=["a cup"])["model"] == "my-prints"


def test_where_no_caption_fits_there_is_none_and_a_sentence(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "gravel.jpg").id
    told = ask(app, "caption", item=item)
    assert told["captions"] == [] and told["note"] == "No caption I know fits. Write one?"


@over_both("app")
def test_a_text_that_people_confirmed_of_others_has_no_count_of_what_the_classifier_saw(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "tiger.jpg").id
    told = ask(app, "caption", item=item)["captions"]
    assert {c["source"] for c in told} == {"class", "kind", "labelled"}
    for caption in told:
        assert bool(caption["like_this"]) == (caption["source"] in {"class", "kind"})


def test_what_is_seen_beside_the_classes_is_not_said_to_be_one_and_is_counted_as_they_are(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "grass.jpg").id
    grass = next(c for c in ask(app, "caption", item=item)["captions"] if c["text"] == "grass")
    assert grass["source"] == "thing" and grass["like_this"]
    about = {"task": "image-text", "version": "", "value": grass["score"]}
    told = ask(app, "measured_on", kind="caption", of="thing", **about)
    assert "has no class of this" in told["about"]


def test_the_photographs_that_have_a_sure_caption_have_a_right_one_textures_and_galaxies_too(
    app: App,
) -> None:
    right = {
        "astronaut.jpg": {"a person"},
        "camera.jpg": {"a tripod", "a person"},
        "chelsea.jpg": {"a cat"},
        "coffee.jpg": {"an espresso", "a cup", "a drink", "a hot drink", "food"},
        "grass.jpg": {"grass"},
        "hubble_deep_field.jpg": {"stars"},
    }
    for name in sorted(path.name for path in (ASSETS / "photos").glob("*.jpg")):
        told = app.caption(app.media.keep(ASSETS / "photos" / name))["captions"]
        sure = {c["text"] for c in told if c["score"] >= SURE and c["source"] != "labelled"}
        assert sure <= right.get(name, set()), name
        assert sure or name not in right, name


def test_what_is_surely_a_cat_is_not_called_an_animal_as_well(app: App) -> None:
    cat = app.caption(app.media.keep(ASSETS / "photos" / "chelsea.jpg"))["captions"]
    assert cat[0]["text"] == "a cat" and cat[0]["score"] >= SURE
    assert "an animal" not in {caption["text"] for caption in cat}


def test_people_are_seen_though_the_classifier_has_no_class_of_them(app: App) -> None:
    drawing = ASSETS / "clipart" / "images" / "woman_doctor.jpg"
    told = app.caption(app.media.keep(drawing))["captions"]
    assert told[0]["text"] == "a person" and told[0]["like_this"].startswith("Of ten captions like this one")


def test_a_caption_is_written_as_a_person_would_write_it() -> None:
    texts = [word.text for word in words()]
    assert len(set(texts)) == len(texts)  # three mushrooms are a mushroom
    assert {"an hourglass", "an umbrella", "a unicycle", "a German shepherd", "chain mail"} <= set(texts)
    assert {i for word in words() for i in word.classes} == set(range(1000))


def test_a_text_that_is_given_twice_is_scored_once(app: App) -> None:
    item = app.ws.items.listed("image", limit=1)[0]
    scores = app.media.align(item, ["A cat", "a dog", " a  cat", "a dog"])["scores"]
    assert [s["text"] for s in scores] == ["A cat", "a dog"]
