"""The table of operations: what is refused, by which sentence, on every surface alike."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import Field, ValidationError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.asker import ROLES
from mmdemo.command_line import main
from mmdemo.command_line.parser import make_parser
from mmdemo.errors import RegistryError, UserError
from mmdemo.modality import TASKS
from mmdemo.service.app import App
from mmdemo.service.operations.document import markdown
from mmdemo.service.operations.requests import LONGEST_PERSON, Answer, Request, about
from mmdemo.service.operations.table import (
    OPERATIONS,
    OWN_OPTIONS,
    OWN_VERBS,
    Operation,
    ask,
    operation,
)
from mmdemo.settings import ASSETS
from mmdemo.training.config import TrainSettings
from mmdemo.ui.routes import page_routes
from tests.conftest import BASE

ROOT = ASSETS.parent


class ShoutRequest(Request):
    """A text."""

    text: str


class ShoutAnswer(Answer):
    """It, loudly."""

    text: str


PUBLIC = {  # of other people's programs: names and parameters, in their order; new ones come after
    "align": ["file", "texts", "task"],
    "caption": ["file"],
    "transcribe": ["file"],
    "moments": ["file", "query"],
    "search": ["query", "file", "task", "k"],
    "map": ["task", "version", "query", "limit", "offset"],
    "next_pair": ["task", "batch", "annotator"],
    "label": ["pair", "verdict", "text", "start", "end", "comment", "annotator"],
    "undo": ["label"],
    "label_counts": ["task"],
    "start_training": ["task", "method", "epochs", "seed"],
    "training_status": ["run"],
    "stop_training": ["run"],
    "versions": ["task"],
    "activate": ["version"],
    "export": ["task", "format"],
    "import_state": [],
    "import_pause": [],
    "import_resume": [],
    "import_stop": [],
    "imports": ["task", "limit", "offset"],
    "changes": ["limit"],
    "remove": ["items", "pairs", "import_id", "dry_run"],
    "hide": ["items", "pairs", "import_id", "dry_run"],
    "show": ["items", "pairs", "import_id", "dry_run"],
    "edit_item": ["item", "name", "source"],
    "edit_pair": ["pair", "text", "start", "end", "whole"],
}


@pytest.fixture
def client(app: App) -> TestClient:
    """The page's own routes over a workspace with samples."""
    return TestClient(Starlette(routes=page_routes(app)))


def test_public_operations_keep_their_names_and_the_order_of_their_parameters() -> None:
    found = {o.name: list(o.fields) for o in OPERATIONS.values() if "api" in o.surfaces}
    assert {name: found[name][: len(fields)] for name, fields in PUBLIC.items()} == PUBLIC
    assert set(found) == set(PUBLIC)


def test_every_operation_says_what_it_does_and_who_may_ask() -> None:
    for one in OPERATIONS.values():
        assert one.about.endswith((".", "}")), one.name
        assert one.role in ROLES
        assert "api" not in one.surfaces or all(about(f) for f in one.fields.values()), one.name


def test_every_setting_of_a_run_can_be_asked_for_and_reaches_the_run() -> None:
    asked: dict[str, Any] = {
        "epochs": 3, "seed": 7, "learning_rate": 0.01, "weight_decay": 0.2, "batch": 16, "part": 8,
        "dropout": 0.25, "loss": "sigmoid", "head": "residual", "alone": True, "ema": 0.9, "patience": 2,
        "recompute": True, "deterministic": True, "hidden": 64, "members": 2, "mark_weight": 2.5,
        "scale": 20.0, "trust_labels": True,
    }  # fmt: skip
    assert set(asked) == {field.name for field in fields(TrainSettings)}
    for name in ("start_training", "train", "estimate_training"):
        request = OPERATIONS.get(name).parse(asked, "command")
        assert request.settings() == asked  # type: ignore[attr-defined]
        assert OPERATIONS.get(name).parse({}, "command").settings() == asdict(TrainSettings())  # type: ignore[attr-defined]


def test_the_page_about_the_api_is_what_the_table_says() -> None:
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == markdown()


RECORDING = "(a recording)"  # in the place of its id
PICTURES = BASE  # the base version of pictures
LIMITS = (MaxLen, MinLen, Ge, Gt, Le, Lt)


def test_no_limit_of_a_field_takes_the_place_of_another() -> None:
    """Of two of a kind pydantic keeps one, and not the stricter."""
    for one in OPERATIONS.values():
        for name, field in one.request.model_fields.items():
            kinds = [type(m) for m in field.metadata if isinstance(m, LIMITS)]
            assert len(kinds) == len(set(kinds)), (one.name, name)


def test_every_list_has_a_limit() -> None:
    for one in OPERATIONS.values():
        for name, field in one.request.model_fields.items():
            listed = get_origin(field.annotation) is list
            assert not listed or any(isinstance(m, MaxLen) for m in field.metadata), (one.name, name)


def test_whoever_asks_calls_themselves_by_a_name_that_the_database_can_keep() -> None:
    for one in OPERATIONS.values():
        if "annotator" in one.fields:
            with pytest.raises(ValidationError) as refused:
                one.request.model_validate({"annotator": "x" * (LONGEST_PERSON + 1)})
            assert "annotator" in {fault["loc"][0] for fault in refused.value.errors()}, one.name


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("search", {"query": "x", "k": 0}, "k is 0. Use a number of at least 1."),
    ("search", {"query": "x", "k": 201}, "k is 201. Use a number of at most 200."),
    ("search", {"query": "x", "k": float("inf")}, "k is inf"),
    ("search", {"query": "x", "k": True}, "k is True"),
    ("search", {"query": "x", "k": None}, "k is null, which is not a whole number."),
    ("search", {"query": "x", "k": ""}, "k is '', which is not a whole number."),
    ("search", {"query": "x", "k": 1e30}, "k is 1e+30, which is too large. Use a number of at most"),
    ("search", {"query": "x", "k": -1e30}, "k is -1e+30, which is too small."),
    ("align", {"item": "../../../etc/passwd", "texts": ["x"]}, "There is no item ../../../etc…."),
    ("start_training", {"learning_rate": -1}, "learning rate is -1. Use a number above 0 and up to 0.1."),
    ("start_training", {"epochs": 2**40}, "epochs is 1099511627776. Use a number from 0 to 500."),
    ("estimate_training", {"epochs": 501}, "epochs is 501. Use a number from 0 to 500."),
    ("start_training", {"patience": -1}, "patience is -1. Use a number from 0 to 500."),
    ("compare_versions", {"versions": [PICTURES, "proposed"]}, "proposed is a version of captioning and has"),
    ("queue", {"count": None}, "count is null, which is not a whole number."),
    ("pairs", {"limit": ""}, "limit is '', which is not a whole number."),
    ("items", {"limit": None}, "limit is null, which is not a whole number."),
    ("search", {"query": "\ud800"}, "query holds a character that cannot be stored."),
    ("search", {"query": "a\0b"}, "query holds a character that cannot be stored."),
    ("search", {"query": "x", "task": "smell-text"}, "There is no task 'smell-text'."),
    ("search", {"query": "x", "target": "smells"}, "target is 'smells'."),
    ("label", {"pair": 10**30, "verdict": "match"}, "pair is 1000000000"),
    ("label", {"pair": 1.5, "verdict": "match"}, "pair is 1.5, which is not a whole number."),
    ("label", {"verdict": "match"}, "pair is missing."),
    ("label", {"pair": 1, "verdict": "match", "comment": "x" * 3_000_000}, "comment has 3000000 characters"),
    ("label", {"pair": 1, "verdict": "match", "start": float("nan")}, "start is nan"),
    ("label", {"pair": 1, "verdict": "match", "comment": "x" * 2001}, "comment has 2001 characters"),
    ("label", {"pair": 1, "verdict": "match", "key": "x" * 65}, "key has 65 characters"),
    ("label", {"pair": 1, "verdict": "great"}, "'great'"),
    ("undo", {"label": -1}, "label is -1."),
    ("align", {"item": "nope", "texts": ["x"]}, "There is no item nope."),
    ("align", {"texts": ["x"]}, "No file was given."),
    ("align", {"item": "nope", "texts": 5}, "texts is not a list."),
    ("explain", {"item": "nope", "texts": [5]}, "texts is not a text."),
    ("queue", {"passed": "all"}, "passed is not a list."),
    ("queue", {"passed": [10**40]}, "passed is 1000000000"),
    ("start_training", {"epochs": "ten"}, "epochs is 'ten', which is not a whole number."),
    ("start_training", {"learning_rate": 0}, "learning rate of 0 learns nothing."),
    ("start_training", {"task": "smell-text"}, "There is no task 'smell-text'."),
    ("activate", {"version": "v1"}, "There is no version 'v1'."),
    ("export", {"format": "xml"}, "xml"),
    ("pairs", {"offset": -1}, "offset is -1."),
    ("import_start", {"verdict": "great", "batch": "abcdefgh"}, "great"),
    ("search", {"query": "x", "state": "great"}, "There is no label state 'great'. Use one of: unlabelled"),
    ("search", {"query": "x", "source": "nobody"}, "Nothing of image-text comes from 'nobody'. Use one of"),
    ("search", {"querry": "x"}, "search takes no 'querry'. It takes query, file, task, k,"),
    ("device", {"\ud800": 1}, "device takes no '\\ud800'. Send it nothing."),
    ("next_pair", {"batch": "nothing"}, "Nothing of image-text comes from 'nothing'. Use one of"),
    ("queue", {"batch": "nothing"}, "Nothing of image-text comes from 'nothing'."),
    ("pairs", {"source": "nothing"}, "Nothing of image-text comes from 'nothing'."),
    ("pairs", {"split": "zz"}, "There is no split 'zz'. Use one of: train, validation, held-out."),
    ("pairs", {"state": "unpaired"}, "There is no label state 'unpaired'."),
    ("items", {"state": "match"}, "There is no state of items 'match'."),
    ("evaluate", {"split": "zz"}, "There is no split 'zz'."),
    ("label", {"pair": 1, "verdict": "match", "version": "v9"}, "There is no version 'v9'."),
    ("label", {"pair": 1, "verdict": "match", "origin": "the moon"}, "There is no origin 'the moon'."),
    ("label", {"pair": 1, "verdict": "match", "start": 1, "end": 2}, "A picture has no span in seconds."),
    ("label", {"pair": 1, "verdict": "match", "task": "video-text"}, "There is no pair 1 in video-text."),
    ("transcript_stop", {"item": RECORDING, "version": "v9"}, "There is no version 'v9'."),
    ("transcript", {"item": RECORDING, "version": "v9"}, "There is no version 'v9'."),
    ("subtitles", {"item": RECORDING, "format": "doc"}, "There is no format 'doc'."),
    ("align", {"item": RECORDING, "texts": ["x"], "version": PICTURES}, "is a version of image-text."),
    ("label_result", {"item": RECORDING, "text": "x", "verdict": "match", "start": 1, "end": 9e6}, "ends at"),
    ("label_result", {"item": RECORDING, "text": "x", "verdict": "match", "rank": 0}, "rank is 0."),
    ("compare_versions", {"versions": ["v"] * 21}, "versions has 21 entries, over the limit of 20."),
    ("compare_versions", {"versions": [PICTURES, PICTURES]}, f"{PICTURES} is named twice."),
    ("compare_versions", {"versions": [PICTURES, "v9"], "split": "test"}, "There is no split 'test'."),
    ("start_training", {"seed": -1}, "seed is -1."),
    ("start_training", {"method": "magic"}, "magic"),
    ("estimate_training", {"method": "magic"}, "magic"),
    ("estimate_training", {"loss": "magic"}, "magic"),
    ("estimate_training", {"head": "magic"}, "magic"),
    ("start_training", {"hidden": 20_000}, "hidden is 20000. Use a number from 0 to 16384."),
    ("start_training", {"members": 65}, "members is 65. Use a number from 0 to 64."),
    ("start_training", {"mark_weight": 0}, "mark weight is 0. Use a number from 1 to 1000."),
    ("start_training", {"scale": float("inf")}, "scale is inf. Use a number from 0.1 to 100."),
    ("start_training", {"scale": "cold"}, "scale is 'cold', which is not a number."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "values", "sentence"), BAD, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(BAD)]
)
def test_a_bad_value_is_one_sentence(
    read_only_app: App, name: str, values: dict[str, Any], sentence: str
) -> None:
    if values.get("item") == RECORDING:
        values = values | {"item": read_only_app.ws.items.listed("audio")[0].id}
    with pytest.raises(UserError) as refused:
        ask(read_only_app, name, **values)
    assert sentence in str(refused.value) and len(str(refused.value)) < 900


def test_a_number_of_thousands_of_digits_is_a_number_that_is_too_large(client: TestClient) -> None:
    body = '{"query": "x", "k": ' + "9" * 5000 + "}"
    got = client.post("/mmdemo/api/search", content=body, headers={"content-type": "application/json"})
    assert got.status_code == 400 and got.json()["cure"] == "Use a number of at most 200."


def test_json_that_is_nested_too_deep_is_refused(client: TestClient) -> None:
    got = client.post(
        "/mmdemo/api/queue", content="[" * 100_000, headers={"content-type": "application/json"}
    )
    assert got.status_code == 400


def test_the_page_cannot_name_a_path_where_the_command_line_can(client: TestClient, tmp_path: Path) -> None:
    got = client.post("/mmdemo/api/export", json={"out": str(tmp_path / "stolen")})
    assert got.status_code == 400 and got.json()["error"] == "export takes no 'out'."
    assert not (tmp_path / "stolen").exists()
    for name in ("import", "train", "evaluate"):
        assert client.post(f"/mmdemo/api/{name}", json={}).status_code == 404
    photo = str(ASSETS / "photos" / "coffee.jpg")
    got = client.post("/mmdemo/api/align", json={"file": {"path": photo}, "texts": ["x"]})
    assert got.status_code == 400 and "no file that can be opened" in got.json()["error"]


def test_two_operations_of_one_name_are_refused() -> None:
    with pytest.raises(RegistryError, match="named 'align' already"):

        @operation("align", role="viewer")
        def align(app: App, request: Request) -> Answer:
            """Again."""
            return Answer()


def test_an_operation_that_is_written_once_is_in_the_page_the_api_and_the_table(
    make_app: Callable[..., App],
) -> None:
    @operation("shout", role="viewer", public=True, quick=True)
    def shout(app: App, request: ShoutRequest) -> ShoutAnswer:
        """Say it loudly."""
        return ShoutAnswer(text=request.text.upper())

    try:
        client = TestClient(Starlette(routes=page_routes(make_app("loud"))))
        assert client.post("/mmdemo/api/shout", json={"text": "hey"}).json() == {"text": "HEY"}
        assert client.post("/mmdemo/api/shout", json={}).json()["error"] == "text is missing."
        assert OPERATIONS.get("shout").fields["text"].is_required()
    finally:
        OPERATIONS.remove("shout")


class ListedRequest(Request):
    """A list of numbers and a truth value that is true unless it is said."""

    numbers: list[int] = Field([], description="some numbers")
    loudly: bool = Field(True, description="loud")


class ListedAnswer(Answer):
    """What was sent."""

    said: str


def test_the_command_line_gives_lists_and_what_is_true_unless_it_is_said(
    make_app: Callable[..., App], capsys: pytest.CaptureFixture[str]
) -> None:
    @operation("add_up", role="viewer", surfaces=("command",))
    def add_up(app: App, request: ListedRequest) -> ListedAnswer:
        """Add them up."""
        return ListedAnswer(said=f"{sum(request.numbers)}{'!' if request.loudly else ''}")

    try:
        app = make_app("counted", samples=False)
        app.close()
        where = ["--json", "--workspace", str(app.settings.workspace)]
        assert main(["add-up", "--numbers", "3", "4", *where]) == 0
        assert main(["add-up", "--numbers", "5", "--no-loudly", *where]) == 0
        assert [json.loads(line)["said"] for line in capsys.readouterr().out.splitlines()] == ["7!", "5"]
    finally:
        OPERATIONS.remove("add_up")


class PlaceRequest(Request):
    """A field that is called as an option is."""

    workspace: str = ""


@pytest.mark.parametrize("name", ["settings", "serve", "placed"])
def test_an_operation_that_the_command_line_could_not_tell_from_its_own_words_is_refused(name: str) -> None:
    def run(app: App, request: Request) -> Answer:
        """Nothing."""
        return Answer()

    run.__annotations__["request"] = PlaceRequest if name == "placed" else Request
    with pytest.raises(RegistryError, match="Choose another name than"):
        operation(name, role="viewer", public=True)(run)
    assert name not in OPERATIONS


def test_the_words_that_no_operation_may_take_are_those_of_the_command_line() -> None:
    parser = make_parser()
    verbs = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    own = {
        name for name, sub in verbs.choices.items() if not isinstance(sub.get_default("carry_out"), partial)
    }
    assert own == set(OWN_VERBS)
    options = {o.lstrip("-") for a in verbs.choices["settings"]._actions for o in a.option_strings}
    assert options - {"h"} == set(OWN_OPTIONS)


def test_the_table_costs_at_most_a_fifth_of_a_millisecond_a_call(app: App) -> None:
    known: Operation = OPERATIONS.get("label_counts")

    def seconds(call: Callable[[], Any]) -> float:
        begun = time.thread_time()  # of a processor, for this thread: whoever else is busy does not count
        call()
        return time.thread_time() - begun

    plain, through = [], []
    for _ in range(2000):  # turn about; of each the one that nothing has slowed
        plain.append(seconds(lambda: app.labels.counts("image-text")))
        through.append(seconds(lambda: known(app, known.parse({"task": "image-text"}, "page"))))
        if len(plain) >= 200 and min(through) - min(plain) < 0.2e-3:
            break
    assert min(through) - min(plain) < 0.2e-3


def test_the_data_of_a_task_counts_the_labels_of_that_task(app: App) -> None:
    counted = {task: ask(app, "data", task=task)["labels"] for task in TASKS}
    assert all(counted.values()) and sum(counted.values()) == app.ws.labels.total()
