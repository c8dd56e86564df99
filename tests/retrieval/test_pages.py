"""Pages of a search: one order to the last item, counts beside it, and the order without people's answers."""

from __future__ import annotations

import pytest

from mmdemo.errors import UserError
from mmdemo.label_kinds import UNLABELLED
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.results import BEST
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.store.changes import HIDE, SHOW, Target
from mmdemo.store.labels import NewLabel

WORDS = "an animal"


def tick(app: App, item: str, verdict: str, words: str = WORDS) -> None:
    app.labels.add_on(item, words, NewLabel(verdict, origin="search", query=words, rank=1))


def items(app: App, **asked: object) -> list[str]:
    found = ask(app, "search", query=WORDS, everything=True, **asked)
    return [row["item"] for row in found["results"]]


def test_pages_go_on_to_the_last_picture_and_show_each_once(app: App) -> None:
    crossed = items(app, k=1)[0]
    tick(app, crossed, "mismatch")
    pages = [items(app, k=60, offset=offset) for offset in range(0, 360, 60)]
    shown = [item for page in pages for item in page]
    assert pages[0] == items(app, k=60) and crossed in pages[0]
    assert len(shown) == len(set(shown))
    assert set(shown) == set(app.ws.items.ids("image", shown=True))
    numbers = [
        row["probability"]
        for offset in range(0, 360, 60)
        for row in ask(app, "search", query="a boat", everything=True, k=60, offset=offset)["results"]
    ]
    assert numbers == sorted(numbers, reverse=True)


def test_what_people_said_is_left_aside_where_the_order_without_it_is_asked_for(app: App) -> None:
    before = items(app, k=60)
    tick(app, before[40], "match")
    tick(app, before[0], "mismatch")
    assert items(app, k=60) != before
    found = ask(app, "search", query=WORDS, everything=True, k=60, feedback=False)
    assert [row["item"] for row in found["results"]] == before
    assert (found["ticked"], found["crossed"]) == (0, 0)
    assert [found["results"][at]["verdict"] for at in (40, 0)] == ["match", "mismatch"]


def test_other_orders_keep_what_fits_before_the_rest(app: App) -> None:
    for sort in ("unsure", "newest", "name"):
        rows = ask(app, "search", query="an apple", everything=True, k=60, sort=sort)["results"]
        fits = [row["probability"] >= BEST for row in rows]
        assert fits == sorted(fits, reverse=True) and any(fits), sort
    named = [row["file"].casefold() for row, fit in zip(rows, fits, strict=True) if fit]
    assert named == sorted(named)


def test_a_facet_counts_what_each_value_would_leave_beside_what_is_chosen_of_the_other(app: App) -> None:
    item = app.ws.items.ids("image")[0]
    whole = ask(app, "search", query=WORDS, facets=True)["facets"]
    tick(app, item, "match", "something new")
    app.ws.changes.edit_item(item, "", "elsewhere")
    found = ask(app, "search", query=WORDS, facets=True, everything=True, k=60, sources=["elsewhere"])
    assert [row["item"] for row in found["results"]] == [item]
    assert found["facets"]["total"] == 1 and found["facets"]["answers"]["match"] == 1
    assert found["facets"]["answers"][UNLABELLED] == 0
    assert found["facets"]["sources"]["elsewhere"] == 1
    assert sum(found["facets"]["sources"].values()) == whole["total"] == app.ws.items.count("image")
    left = ask(app, "search", query=WORDS, facets=True, answers=[UNLABELLED])["facets"]
    assert left["total"] == left["answers"][UNLABELLED] and left["sources"]["elsewhere"] == 0
    app.curation.make(HIDE, Target((item,)), False)
    hidden = ask(app, "search", query=WORDS, facets=True)["facets"]
    assert hidden["total"] == whole["total"] - 1 and "elsewhere" not in hidden["sources"]
    app.curation.make(SHOW, Target((item,)), False)
    assert ask(app, "search", query=WORDS, facets=True, sources=["elsewhere"])["facets"]["total"] == 1
    with pytest.raises(UserError, match="There is no answer 'perhaps'"):
        ask(app, "search", query=WORDS, answers=["perhaps"])


def test_filters_of_a_query_leave_what_all_of_them_leave(app: App) -> None:
    ids = app.ws.items.ids("image")
    tick(app, ids[0], "match")
    found = app.media.search(Query(text=WORDS, k=60, everything=True, state="match", source="nowhere"))
    assert found.results == ()


def test_ticks_on_a_search_by_a_picture_are_there_when_it_is_made_again(app: App) -> None:
    seen = {"item": items(app, k=1)[0], "k": 10}
    first, second = [row for row in ask(app, "search", **seen)["results"] if not row["verdict"]][:2]
    tick(app, first["item"], "match", first["text"])
    tick(app, second["item"], "mismatch", second["text"])
    again = {row["item"]: row for row in ask(app, "search", **seen)["results"]}
    assert (again[first["item"]]["text"], again[first["item"]]["verdict"]) == (first["text"], "match")
    assert (again[second["item"]]["text"], again[second["item"]]["verdict"]) == (second["text"], "mismatch")
    text = ask(app, "search", **seen, target="text", everything=True)["results"][0]["text"]
    tick(app, seen["item"], "match", text)
    found = ask(app, "search", **seen, target="text", everything=True)["results"]
    assert [row["verdict"] for row in found if row["text"] == text] == ["match"]
