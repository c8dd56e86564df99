"""What the server tells of numbers on the page: the words that a click on each shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmdemo.errors import UserError
from mmdemo.models.aligner import Towers
from mmdemo.models.captioning.seen import shipped
from mmdemo.models.shipped import shipped_fit
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.service.sources.table import SOURCES
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.conftest import TASK, execute_run
from tests.service.conftest import over_both


@pytest.fixture(scope="module")
def tuned(
    tmp_path_factory: pytest.TempPathFactory, loaded: dict[str, Towers], new_workspace: Path
) -> Iterator[tuple[App, dict[str, Any]]]:
    """A workspace with a run on labels of all three sides, and the JSON of the run."""
    folder = tmp_path_factory.mktemp("tuned") / "workspace"
    shutil.copytree(new_workspace, folder)
    app = App(load_settings({}, workspace=folder, device="cpu"), loaded)
    for pair in app.ws.pairs.browse(TASK, state="unlabelled", limit=1000):
        if pair.is_own:
            app.ws.labels.add(pair.id, NewLabel("match"))
    run = create_run(app.ws, TASK, "head", TrainSettings(members=1, epochs=10), "ask")
    execute_run(app, run)
    yield app, ask(app, "training", run=run)
    app.close()


def facts(told: dict[str, Any]) -> dict[str, str]:
    return dict(told["facts"])


def test_a_probability_tells_what_answers_that_said_as_much_were_worth(app: App) -> None:
    version, fit = app.settings.model, shipped_fit(app.settings.model)
    assert fit is not None and fit.reliability is not None
    told = ask(app, "measured_on", kind="fits", version=version, value=0.96)
    (diagram,) = told["diagrams"]
    bin = fit.reliability.bins[diagram["mine"]]
    assert 0.9 <= bin.said < 1
    assert diagram["sentence"] == f"Of 100 answers that said 90 to 100 %, {100 * bin.right:.0f} were right."
    assert ("measured on", fit.reliability.on) in diagram["facts"] and facts(told) == {"model": version}
    about = ask(app, "measured_on", kind="about", version=app.settings.speech_model, value=0.5)
    assert "(that it is what is spoken about)" in about["diagrams"][0]["sentence"]


def test_the_similarity_says_why_a_higher_one_can_be_less_likely(app: App) -> None:
    for kind in ("similarity", "fits"):
        about = ask(app, "measured_on", kind=kind, version=app.settings.model, value=0.9)["about"]
        assert "can be less likely" in about and "background" in about and "classifier" in about
    app.ws.versions.add_base(TASK, "clip-vit-base-patch32", "clip-vit-base-patch32")  # knows nothing else
    assert (
        "less likely"
        not in ask(app, "measured_on", kind="similarity", version="clip-vit-base-patch32")["about"]
    )


def test_a_search_tells_the_facts_of_the_version_that_answers(
    app: App, tuned: tuple[App, dict[str, Any]]
) -> None:
    own, run = tuned
    base, version = own.settings.model, run["model"]
    rows = facts(ask(own, "measured_on", kind="result", version=base))
    assert rows["percent of Align, measured on"].startswith("350 drawings")
    assert rows["searches measured on"].startswith("this model, with 280 drawings")
    rows = facts(ask(own, "measured_on", kind="result", version=version))
    of_card = own.versions.card(version)["reliability"]["diagrams"][0]["reliability"]["on"]
    assert rows["percent of Align, measured on"] == of_card
    assert rows["searches measured on"].startswith(f"its base {base}, not this version")
    app.ws.versions.add_base(TASK, "clip-vit-base-patch32", "clip-vit-base-patch32")
    rows = facts(ask(app, "measured_on", kind="result", version="clip-vit-base-patch32"))
    assert rows["searches"] == "not measured with this model" and "at 50 % and more" not in rows


@over_both("app")
def test_what_was_not_measured_is_said_to_be_so_and_has_no_diagram(app: App) -> None:
    app.ws.versions.add_base(TASK, "clip-vit-base-patch32", "clip-vit-base-patch32")
    told = ask(app, "measured_on", kind="fits", version="clip-vit-base-patch32", value=0.7)
    assert told["diagrams"] == () and "was not measured" in told["about"]
    near = ask(app, "measured_on", kind="similarity", version="clip-vit-base-patch32")["about"]
    assert "so there is no percent" in near and "The percent beside it" not in near
    word = ask(app, "measured_on", kind="word", version=app.settings.speech_model)
    assert "not calibrated" in word["about"] and "was not measured" in word["about"]
    assert "no probability" in ask(app, "measured_on", kind="heard")["about"]


@over_both("app")
def test_the_count_of_captions_is_that_of_what_ships_and_of_the_labels_here(app: App) -> None:
    most = shipped().agreed[0]
    about = {"version": app.settings.model, "value": 0.9}
    rows = facts(ask(app, "measured_on", kind="caption", of="class", **about))
    assert rows["claim 80 % and more"] == f"{most.right} of {most.of} right, as this one claims"
    assert rows["of them here"] == "0 answers"
    item = app.ws.items.listed("image", limit=1)[0].id
    how = {"item": item, "origin": "caption", "claimed": 0.9}
    ask(app, "label_result", text="a dog on a beach", verdict="mismatch", **how)
    rows = facts(ask(app, "measured_on", kind="agreed", **about))
    assert rows["claim 80 % and more"].startswith(f"{most.right} of {most.of + 1} right")
    assert rows["of them here"] == "1 answer"
    other = ask(app, "measured_on", kind="caption", of="labelled", **about)
    assert "was not counted" in other["about"] and set(facts(other)) == {"model"}


def test_figures_of_a_run_tell_their_pairs_versions_and_day_by_run_and_by_card(
    tuned: tuple[App, dict[str, Any]],
) -> None:
    app, run = tuned
    pairs, items = run["before"]["pairs"], run["gate"]["items"]
    assert run["model"] and pairs >= items >= 30
    for source in ({"run": run["run"]}, {"version": run["model"]}):
        told = ask(app, "measured_on", kind="retrieval", of="R@10", **source)
        assert told["about"].startswith("Of 100 queries so many have a right answer among the first 10.")
        assert "95 of 100 draws" in told["about"]
        rows = facts(told)
        assert (
            rows["measured on"] == f"{pairs} held-out matches of {items} items, which no version learns from"
        )
        assert (rows["before"], rows["after"]) == (app.settings.model, run["model"])
        assert rows["when"].startswith("20") and rows["when"].endswith("UTC")
        assert rows["trained on"].startswith(f"{run['trained_on']['match']} matches")
    gate = facts(ask(app, "measured_on", kind="gate", run=run["run"]))
    assert gate["measured on"] == f"{items} held-out items"
    assert run["gate"]["attempt"] and "are allowed" in gate["by chance"]
    watched = facts(ask(app, "measured_on", kind="validation", run=run["run"]))
    assert watched["measured on"] == f"{run['trained_on']['validation']} matches of the validation side"
    ahead = facts(ask(app, "measured_on", kind="visible", task=TASK))
    assert ahead["held out here"] == f"{items} items" and ahead["attempt"].endswith("on this held-out set")
    beside = {"version": run["model"], "against": app.settings.model, "split": "train", "of": "mean recall"}
    told = ask(app, "measured_on", kind="side-by-side", **beside)
    assert "does better on what it learned from" in facts(told)["measured on"]


def test_a_number_without_a_source_is_refused_in_a_sentence(app: App) -> None:
    for values, sentence in (
        ({"kind": "luck"}, "There is no kind of number 'luck'"),
        ({"kind": "fits", "version": "v99"}, "There is no version 'v99'"),
        ({"kind": "gate", "run": "run-99"}, "There is no run 'run-99'"),
        ({"kind": "fits", "version": app.settings.model, "value": 3}, "at most 1"),
    ):
        with pytest.raises(UserError, match=sentence):
            ask(app, "measured_on", **values)


def test_no_source_says_nothing(tuned: tuple[App, dict[str, Any]]) -> None:
    app, run = tuned
    for kind in SOURCES:
        source = {"run": run["run"]} if kind in {"loss", "validation", "worth"} else {}
        told = ask(app, "measured_on", kind=kind, version="" if source else run["model"], **source)
        assert told["title"] and told["about"] and "  " not in told["about"]
        assert "people confirmed" not in str(told)  # titles that ship are labels that nobody here confirmed
        assert told["about"].endswith(".") and all(name and said for name, said in told["facts"])
