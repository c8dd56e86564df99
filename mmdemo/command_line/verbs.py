"""The verbs: which operation each is, how it is written, and what carries it out."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mmdemo.command_line.exit_status import FAULT
from mmdemo.command_line.serve import serve_page
from mmdemo.data.subtitles import FORMATS
from mmdemo.errors import UserError
from mmdemo.media.regular_file import is_folder, is_there
from mmdemo.service.operations.requests import about, is_file
from mmdemo.service.operations.table import OPERATIONS, Operation, ask
from mmdemo.settings import DATABASE, load_settings

Options = argparse.Namespace
TOLD_EVERY_S = 1.0  # how far an import is


Ask = Callable[[str, dict[str, Any]], Any]  # an operation and its values, in the workspace that is open
Finish = Callable[[Any, dict[str, Any], Options, Ask], Any]  # of an answer and what was asked, by asking more


@dataclass(frozen=True)
class Verb:
    """An operation as it is written on the command line, where that is not as it stands in the table."""

    operation: str
    positional: tuple[str, ...] = ()  # fields that are written without their name, in this order
    renamed: tuple[tuple[str, str], ...] = ()  # fields that are written by another name
    hidden: tuple[str, ...] = ()  # fields that only programs give
    finish: Finish = lambda answer, given, options, ask_more: answer
    extra: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    of_what_is_there: bool = False  # whether it would not make sense in a new workspace


def _transcript(answer: dict[str, Any], given: dict[str, Any], options: Options, ask_more: Ask) -> Any:
    """JSON, or what the page gives as a file, as one text."""
    if options.format == "json":
        return answer
    return ask_more("subtitles", given | {"format": options.format})["text"]


def _sound_or_not(answer: dict[str, Any], given: dict[str, Any], options: Options, ask_more: Ask) -> Any:
    """What was found; the exit status says whether anything is left that is wrong."""
    options.status = 0 if answer["sound"] else FAULT
    return answer


def _formats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=list(FORMATS), default="json")


VERBS: dict[str, Verb] = {
    "import": Verb("import", ("path",)),
    "align": Verb("align", ("file", "texts"), (("texts", "text"),), hidden=("item",)),
    "caption": Verb("caption", ("file",), hidden=("item",)),
    "transcribe": Verb("transcribe", ("file",), hidden=("item",), finish=_transcript, extra=_formats),
    "moments": Verb("moments", ("file", "query"), (("file", "video"),), hidden=("item",)),
    "search": Verb("search", ("query",), hidden=("file", "item")),
    "evaluate": Verb("evaluate"),
    "train": Verb("train"),
    "export": Verb("export", ("out",)),
    "backup": Verb("backup", ("out",)),
    "import-list": Verb("import_list", ("out",), of_what_is_there=True),
    "check": Verb("check", of_what_is_there=True, finish=_sound_or_not),
    "import-resume": Verb("import_go_on"),
}
ACTIONS: dict[str, Verb] = {  # of `models`
    "": Verb("versions"),
    "activate": Verb("activate"),
    "compare": Verb("compare_versions"),
    "export": Verb("export_version"),
    "push": Verb("publish_version"),
    "remove": Verb("remove_version"),
    "retest": Verb("retest_version"),
    "use": Verb("choose_model"),
}


def verbs() -> dict[str, Verb]:
    """Every operation that the command line may ask for: those of VERBS, and the others by their own name,
    what they need in its place and the rest as options.
    """
    named = {verb.operation for verb in (*VERBS.values(), *ACTIONS.values())}
    others = {
        name.replace("_", "-"): Verb(name, _needed(operation))
        for name, operation in OPERATIONS.items()
        if name not in named and "command" in operation.surfaces
    }
    return VERBS | others


def _needed(operation: Operation) -> tuple[str, ...]:
    return tuple(name for name, field in operation.request.model_fields.items() if field.is_required())


@contextmanager
def _opened(options: Options) -> Iterator[Ask]:
    """A workspace that is open within this block: what answers operations in it."""
    from mmdemo.service.app import App

    app = App(load_settings(workspace=options.workspace))
    app.context.progress = _row_counter()
    try:
        yield lambda name, values: ask(app, name, **values)
    finally:
        app.close()


def _row_counter() -> Callable[[int, int | None], None]:
    """What tells of the rows of an import now and then, and how long the others will take."""
    begun, told, first = time.monotonic(), 0.0, -1

    def count(done: int, total: int | None) -> None:
        nonlocal told, first
        first = done if first < 0 else first
        now = time.monotonic()
        if now - told < TOLD_EVERY_S and done != total:
            return
        told = now
        left = (now - begun) / (done - first) * (total - done) if total and done > first else None
        rows = f"{done} rows" if total is None else f"{done} of {total} rows"
        print(rows if not left else f"{rows}, {left:.0f} s left", file=sys.stderr)

    return count


def run_nothing(options: Options) -> NoReturn:
    """No verb at all."""
    raise UserError("No verb is named.", "mmdemo serve opens the page; mmdemo --help lists the others.")


def run_verb(verb: Verb, options: Options) -> Any:
    """A verb of the table."""
    fields = OPERATIONS.get(verb.operation).request.model_fields
    given = {name: getattr(options, name) for name in fields if getattr(options, name, None) is not None}
    if empty := next((name for name in verb.positional if given.get(name) == ""), None):
        told = about(fields[empty]).partition(";")[0]  # what an empty one stands for is asked elsewhere
        raise UserError(f"{dict(verb.renamed).get(empty, empty)} is empty.", f"Write {told}.")
    for name, field in fields.items():
        if is_file(field) and name in given:
            given[name] = Path(given[name])
    if options.verb == "search" and _names_a_file(given["query"]):
        given["file"] = Path(given.pop("query"))  # a query that names a file is a picture or a recording
    if verb.of_what_is_there:
        _require_workspace(options)
    with _opened(options) as ask_more:
        return verb.finish(ask_more(verb.operation, given), given, options, ask_more)


def _require_workspace(options: Options) -> None:
    settings = load_settings(workspace=options.workspace)
    if not settings.database_url and not (settings.workspace / DATABASE).exists():
        raise UserError(f"There is no workspace in {settings.workspace}.", "Name one as --workspace.")


def _names_a_file(query: str) -> bool:
    """Whether what is looked for is a path; a word may be a folder's name by chance."""
    path = Path(query)
    return is_there(path) and (not is_folder(path) or os.sep in query)


def run_models(options: Options) -> Any:
    """`models`, or with an action on one."""
    if options.action and not options.version:
        raise UserError("No version is named.", f"Write: models {options.action} NAME.")
    if options.action == "export" and options.out is None:
        raise UserError("No folder is named.", "Write: models export VERSION --out FOLDER.")
    name = options.version[0] if options.version else ""
    named = {"version": name, "versions": options.version, "model": name}
    written = {  # fields that are written as options, and how
        "task": ("--task", options.task),
        "split": ("--split", options.split),
        "out": ("--out", None if options.out is None else str(options.out)),
        "repo": ("--to", options.to),
        "private": ("--public", False if options.public else None),
    }
    operation = ACTIONS[options.action].operation
    fields = OPERATIONS.get(operation).request.model_fields
    given = {field: value for field, value in named.items() if field in fields}
    if len(options.version) > 1 and "versions" not in fields:
        raise UserError(f"{options.version[1]} is one name too many.", "Name one version.")
    for field, (option, value) in written.items():
        if value is None:
            continue
        if field not in fields:
            raise UserError(f"models {options.action} takes no {option}.".replace("  ", " "), "Leave it out.")
        given[field] = value
    with _opened(options) as ask_more:
        return ask_more(operation, given)


def run_restore(options: Options) -> Any:
    """`restore`: into a workspace that is not there yet."""
    from mmdemo.store.backup import restore

    settings = load_settings(workspace=options.workspace)
    if settings.database_url:
        raise UserError(
            "The database is not in the workspace.",
            "Restore it with its own tools, as pg_restore, or leave MMDEMO_DATABASE_URL out.",
        )
    lacking = restore(options.archive, settings.workspace)
    told = {"lacking": lacking.files, "outside": lacking.outside, "grants": lacking.grants}
    return {"workspace": str(settings.workspace), **told}


def run_settings(options: Options) -> Any:
    """`settings`."""
    return load_settings(workspace=options.workspace).as_json()


def run_serve(options: Options) -> Any:
    """`serve`."""
    serve_page(load_settings(workspace=options.workspace, share=options.share))
    return None
