"""Captions by the path of the page and the command line: counted, refused, or none."""

from __future__ import annotations

from mmdemo.models.captioning.agreement import SURE
from mmdemo.models.captioning.seen import words
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import ASSETS


def test_what_people_said_of_captions_is_counted_with_what_ships(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "coffee.jpg").id
    before = ask(app, "caption", item=item)["captions"][0]
    assert before["text"] == "a cup" and before["like_this"].startswith("Of ten captions like this one")
    how = {"item": item, "origin": "caption", "claimed": before["score"]}
    ask(app, "label_result", text="a dog on a beach", verdict="mismatch", **how)
    after = ask(app, "caption", item=item)["captions"][0]
    assert (after["agreed"], after["judged"]) == (before["agreed"], before["judged"] + 1)
    ask(app, "label_result", text="a cup", verdict="match", **how)
    told = ask(app, "caption", item=item)["captions"][0]
    assert (told["text"], told["source"], told["score"]) == ("a cup", "confirmed", 1.0)
    ask(app, "label_result", text="a cup", verdict="mismatch", **how)
    assert "a cup" not in [c["text"] for c in ask(app, "caption", item=item)["captions"]]


def test_where_no_caption_fits_there_is_none_and_a_sentence(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "gravel.jpg").id
    told = ask(app, "caption", item=item)
    assert told["captions"] == [] and told["note"] == "No caption I know fits. Write one?"


def test_a_text_that_people_confirmed_of_others_has_no_count_of_what_the_classifier_saw(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "tiger.jpg").id
    told = ask(app, "caption", item=item)["captions"]
    assert {c["source"] for c in told} == {"class", "kind", "labelled"}
    for caption in told:
        assert bool(caption["like_this"]) == (caption["source"] in {"class", "kind"})


def test_the_photographs_that_have_a_sure_caption_have_a_right_one_textures_and_galaxies_too(
    app: App,
) -> None:
    right = {
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
