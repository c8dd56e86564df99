"""Captions by the path of the page and the command line: counted, refused, or none."""

from __future__ import annotations

from mmdemo.service.app import App
from mmdemo.service.operations.table import ask


def test_what_people_said_of_captions_is_counted_with_what_ships(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "coffee.jpg").id
    before = ask(app, "caption", item=item)["captions"][0]
    assert before["text"] == "an espresso" and before["like_this"].startswith("Of ten captions like this one")
    how = {"item": item, "origin": "caption", "claimed": before["score"]}
    ask(app, "label_result", text="a dog on a beach", verdict="mismatch", **how)
    after = ask(app, "caption", item=item)["captions"][0]
    assert (after["agreed"], after["judged"]) == (before["agreed"], before["judged"] + 1)
    ask(app, "label_result", text="an espresso", verdict="match", **how)
    told = ask(app, "caption", item=item)["captions"][0]
    assert (told["text"], told["source"], told["score"]) == ("an espresso", "confirmed", 1.0)
    ask(app, "label_result", text="an espresso", verdict="mismatch", **how)
    assert "an espresso" not in [c["text"] for c in ask(app, "caption", item=item)["captions"]]


def test_where_no_caption_fits_there_is_none_and_a_sentence(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "gravel.jpg").id
    told = ask(app, "caption", item=item)
    assert told["captions"] == [] and told["note"] == "No caption I know fits. Write one?"


def test_a_text_that_people_confirmed_of_others_has_no_count_of_what_the_classifier_saw(app: App) -> None:
    item = next(i for i in app.ws.items.listed("image") if i.name == "tiger.jpg").id
    told = ask(app, "caption", item=item)["captions"]
    assert {c["source"] for c in told} == {"class", "labelled"}
    for caption in told:
        assert bool(caption["like_this"]) == (caption["source"] == "class")
