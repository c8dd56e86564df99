"""The better model, one click away: what is offered, tried on the collection's own pairs, and taken."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from mmdemo.errors import UserError
from mmdemo.models.hub import reach
from mmdemo.models.presets import PRESETS
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.versions import BY_GATE
from tests import checkpoints
from tests.conftest import BASE, TASK, drawing
from tests.models.fake_hub import Repository, point_at, serving
from tests.service.conftest import over_both
from tests.waiting import wait_for

CLIP, SIGLIP2 = "clip-vit-base-patch32", "siglip2-base-patch16-224"
PUBLISHED = "30.4 % of COCO's pictures are found at rank 1 by their captions"


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 GB of the machine's 16 are free."""
    monkeypatch.setattr("mmdemo.models.memory._machine", lambda: (8_000_000_000, 16_000_000_000))


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Put a small CLIP into the Hub's cache, in the place of the one of the catalogue."""
    yield lambda: checkpoints.put_in_cache(
        checkpoints.save_clip(tmp_path / "small", dim=512), PRESETS[CLIP].media_tower
    )
    shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)


@pytest.fixture
def labelled(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., App]]:
    """Open a workspace of drawings, so many of them labelled on each side."""
    opened: list[App] = []
    on_server = getattr(request, "param", "sqlite") == "postgresql"
    how: dict[str, Any] = {"device": "cpu", "samples": False}
    how |= {"database_url": request.getfixturevalue("postgresql_url")} if on_server else {}

    def make(validation: int = 6, held_out: int = 4) -> App:
        app = App(load_settings({}, workspace=tmp_path / "w", **how))
        opened.append(app)
        sides = ["validation"] * validation + ["held-out"] * held_out
        paths = sorted(drawing("x").parent.glob("*.jpg"))
        for side, path in zip(sides, paths, strict=False):
            item = app.ws.add_media("image", path.read_bytes(), path.name, source="test")
            with app.ws.database.write() as session:
                text = path.stem.replace("_", " ")
                pair, _ = app.ws.pairs.add(session, TASK, item.id, text, source="test", split=side)
                app.ws.labels.add_in(session, pair, NewLabel("match"))
        return app

    yield make
    for app in opened:
        app.close()


def tried(app: App, model: str = CLIP) -> dict[str, Any]:
    """Try a model and wait for the end of it."""
    ask(app, "try_model", task=TASK, model=model)
    wait_for(lambda: ask(app, "model_trial", task=TASK)["status"] != "running", 120)
    return dict(ask(app, "model_trial", task=TASK))


def test_what_is_offered_fits_the_memory_and_its_reason_is_the_published_figure_called_so(
    labelled: Callable[..., App], cached: Callable[[], Path]
) -> None:
    app = labelled()
    cached()
    offer = app.offers.offer(TASK)["model"]
    assert offer["id"] == CLIP and offer["at_hand"] and offer["size_mb"] == 605 and offer["pairs"] == 6
    assert offer["published"].startswith(PUBLISHED) and offer["against"] == BASE
    assert app.offers.offer(TASK, ask_hub=False)["model"] == offer
    assert app.offers.offer("captioning") == {"model": None, "sentence": "", "trial": None}


def test_what_does_not_fit_is_not_offered(
    labelled: Callable[..., App], cached: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = labelled()
    cached()
    monkeypatch.setattr("mmdemo.models.memory._machine", lambda: (700_000_000, 16_000_000_000))
    assert app.offers.offer(TASK) == {"model": None, "sentence": "", "trial": None}


def test_where_the_hub_cannot_be_reached_there_is_a_sentence_and_no_offer(
    labelled: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = labelled()
    reach._known.clear()
    offer = app.offers.offer(TASK)
    assert offer["model"] is None
    assert offer["sentence"] == (
        f"{SIGLIP2} may be a better model. It is not on this machine, and HF_HUB_OFFLINE forbids to fetch it."
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    unasked = app.offers.offer(TASK, ask_hub=False)["model"]  # whether it can be fetched is left open
    assert unasked["id"] == SIGLIP2 and not unasked["at_hand"] and not reach._known
    assert app.offers.offer(TASK)["sentence"].endswith("and 127.0.0.1:9 cannot be reached.")


def test_a_model_is_tried_beside_the_active_version_while_that_answers_and_nothing_is_taken(
    labelled: Callable[..., App], cached: Callable[[], Path]
) -> None:
    app = labelled()
    cached()
    trial = tried(app)
    assert trial["status"] == "done" and trial["against"] == BASE
    assert [row["version"] for row in trial["compared"]["rows"]] == [BASE, CLIP]
    by_hand = app.versions.compare([BASE, CLIP], "validation", TASK)
    assert trial["compared"] == by_hand and by_hand["pairs"] == 6
    gain = by_hand["rows"][1]["gain"]
    assert f"{gain['gain']:+.1f} points of mean recall (95 % {gain['low']:+.1f} to" in trial["message"]
    assert trial["message"].endswith("on 6 validation pairs.")
    assert app.ws.versions.active(TASK) == BASE
    assert app.offers.offer(TASK)["trial"] == trial


@over_both("labelled")
def test_with_few_held_out_pairs_the_gate_says_so_and_the_person_decides(
    labelled: Callable[..., App], cached: Callable[[], Path]
) -> None:
    app = labelled()
    cached()
    with pytest.raises(UserError, match=f"{CLIP} was not tried yet"):
        ask(app, "take_model", task=TASK, model=CLIP)
    tried(app)
    answer = ask(app, "take_model", task=TASK, model=CLIP, annotator="ada")
    assert not answer["taken"] and answer["sentence"].startswith("4 held-out items are too few to decide by")
    assert app.ws.versions.active(TASK) == BASE
    assert app.offers.trial(TASK)["refused"] == answer["sentence"]
    assert ask(app, "take_model", task=TASK, model=CLIP, annotator="ada", anyway=True)["taken"]
    assert app.ws.versions.active(TASK) == CLIP and app.ws.versions.is_chosen(TASK)
    assert app.offers.offer(TASK)["model"] is None  # of those with a higher figure none is here


@pytest.mark.slow
@over_both("labelled")
def test_the_gate_lets_through_what_is_certainly_better_and_asks_once_for_a_held_out_set(
    labelled: Callable[..., App], cached: Callable[[], Path]
) -> None:
    app = labelled(validation=6, held_out=60)
    cached()
    tried(app)
    answer = app.offers.take(TASK, CLIP)  # nobody has trained it
    assert not answer["taken"] and answer["sentence"].startswith(("Not better: ", "Not certain: "))
    assert len([a for a in app.ws.attempts.of_version(CLIP) if a.number]) == 1
    again = app.offers.take(TASK, CLIP)
    assert again["sentence"] == f"{CLIP} was asked about on 60 held-out items, and there are no more now."
    assert len([a for a in app.ws.attempts.of_version(CLIP) if a.number]) == 1

    app.versions.activate(CLIP)  # and from there what ships is better
    from mmdemo.training.promotion import weigh_base

    verdict = weigh_base(app.ws, BASE, app.models.towers)
    assert verdict.certain and app.ws.versions.active(TASK) == BASE
    assert app.ws.versions._newest(TASK).annotator == BY_GATE  # type: ignore[union-attr]


def test_without_validation_pairs_nothing_is_claimed(
    labelled: Callable[..., App], cached: Callable[[], Path]
) -> None:
    app = labelled(validation=0, held_out=2)
    cached()
    trial = tried(app)
    assert trial["status"] == "done" and trial["compared"] is None
    works = "It works here. 0 validation pairs are too few to measure on."
    assert trial["message"] == f"{works} If you use it, it is tested on the 2 held-out ones first."


def test_without_any_pairs_there_is_nothing_but_the_published_figure(
    labelled: Callable[..., App], cached: Callable[[], Path]
) -> None:
    app = labelled(validation=0, held_out=0)
    cached()
    assert tried(app)["message"].endswith("too few to measure on. Label some, and try again.")
    answer = app.offers.take(TASK, CLIP)
    assert not answer["taken"] and "Nothing was measured" in answer["sentence"]


def test_a_damaged_download_is_not_offered_and_one_that_fails_is_told(
    labelled: Callable[..., App], cached: Callable[[], Path]
) -> None:
    app = labelled()
    folder = cached()
    (folder / "tokenizer.json").unlink()
    trial = tried(app)
    assert trial["status"] == "failed" and CLIP.removeprefix("clip-") in trial["message"]
    assert "\n" not in trial["message"] and app.models.status(TASK).state != "failed"
    (folder / "model.safetensors").write_bytes(b"")
    assert app.offers.offer(TASK)["model"] is None


def test_it_is_fetched_from_the_hub_first(
    labelled: Callable[..., App], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = labelled()
    folder = checkpoints.save_clip(tmp_path / "hub", dim=768)
    with serving({PRESETS[SIGLIP2].media_tower: Repository(folder)}) as address:
        point_at(address, monkeypatch)
        reach._known.clear()
        offer = app.offers.offer(TASK)["model"]
        assert offer["id"] == SIGLIP2 and not offer["at_hand"]
        trial = tried(app, SIGLIP2)
    shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)
    assert trial["status"] == "done" and trial["compared"]["rows"][1]["version"] == SIGLIP2, trial


def test_a_trial_can_be_stopped_and_there_is_one_at_a_time(
    labelled: Callable[..., App], cached: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = labelled()
    cached()
    seen: list[str] = []
    from mmdemo.retrieval import embed

    whole = embed.embed_items

    def slow(ws: Any, towers: Any, items: Any, told: Any, stopped: Callable[[], bool]) -> int:
        with pytest.raises(UserError, match="is being tried already"):
            app.offers.try_out(TASK, CLIP)
        ask(app, "stop_loading", task=TASK)
        seen.append("stopped")
        return whole(ws, towers, items, told, stopped)

    monkeypatch.setattr(embed, "embed_items", slow)
    trial = tried(app)
    assert seen == ["stopped"] and trial["status"] == "stopped" and trial["compared"] is None
