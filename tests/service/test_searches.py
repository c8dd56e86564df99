"""What a search found is asked by Label next, of whoever chose it; one by one's own file is not saved."""

from __future__ import annotations

import pytest

from mmdemo.asker import Asker, asking
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.store.labels import NewLabel
from tests.conftest import TASK, png
from tests.service.conftest import over_both

ANNA = Asker("annotator", session="two", name="Anna", by="grant 1")
BEN = Asker("annotator", session="three", name="Ben", by="grant 2")


def asked_first(app: App, who: Asker, count: int = 2) -> list[tuple[str, str]]:
    with asking(who):
        pairs = ask(app, "queue", task=TASK, count=count, holder=who.name)["pairs"]
    return [(pair["item"], pair["text"]) for pair in pairs]


@over_both("app")
def test_what_is_to_be_labelled_later_is_asked_next_of_whoever_chose_it_until_it_has_a_label(
    app: App,
) -> None:
    app.context.queue.make()
    first, second, third = (item.id for item in app.ws.items.listed("image", limit=3))
    done = app.ws.labels.add_on(TASK, third, "a red car", NewLabel("mismatch"), "search")[1]
    with asking(ANNA):
        answer = ask(app, "label_later", items=[first, second, third, first], texts=["a red car"] * 4)
    assert len(answer["pairs"]) == 2 and answer["answered"] == 1
    chosen = [(first, "a red car"), (second, "a red car")]
    assert sorted(asked_first(app, ANNA)) == sorted(chosen)
    assert not set(asked_first(app, BEN)) & set(chosen)
    own = app.ws.pairs.of_items(TASK, [first])[first]
    assert not next(pair for pair in own if pair.text == "a red car").is_own  # it names the picture nowhere
    with asking(ANNA):
        pair = next(pair for pair in own if pair.text == "a red car")
        app.labels.add(pair.id, NewLabel("match"))
    assert asked_first(app, ANNA)[0] == chosen[1] and done not in app.ws.asked_later.waiting(TASK, ANNA)


def test_texts_and_items_that_do_not_go_together_are_refused(app: App) -> None:
    (item,) = app.ws.items.listed("image", limit=1)
    for items, texts in (([], []), ([item.id], []), ([item.id], [" "]), (["0" * 64], ["a"])):
        with pytest.raises(UserError):
            ask(app, "label_later", items=items, texts=texts)


def test_a_search_by_a_picture_that_only_its_sender_sees_is_not_saved(app: App) -> None:
    own = app.ws.add_media("image", png((9, 9, 9)), "own.png", source="upload", listed=False)
    with pytest.raises(UserError, match="not in the collection"):
        ask(app, "save_search", name="mine", state=f"view=search&by=item&item={own.id}")
    saved = ask(app, "save_search", name="boats", state="view=search&text=a+boat")
    assert ask(app, "saved_searches") == {"searches": [saved]}
    with asking(ANNA):
        (told,) = ask(app, "saved_searches")["searches"]
    assert (saved["mine"], told["mine"], told["own"]) == (True, False, False)
    assert ask(app, "remove_search", search=saved["id"]) == {"removed": True}
    assert ask(app, "saved_searches") == {"searches": []}
