"""The command line: the verbs, and which operation each is.

JSON on standard output and nothing else; progress and logs on standard error. Exit status 0: done; 2: the
input is wrong, said in one line; 1: a fault of mmdemo's.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pydantic.fields import FieldInfo

from mmdemo import __version__
from mmdemo.errors import MmdemoError, UserError, cannot_write
from mmdemo.media.regular_file import is_there
from mmdemo.service.operations.requests import about, is_file, is_list
from mmdemo.service.operations.table import OPERATIONS, Operation
from mmdemo.settings import Settings, load_settings

Options = argparse.Namespace
INTERRUPTED, TERMINATED = 130, 143  # the exit status of what Ctrl-C or SIGTERM has ended, as of shells


@dataclass(frozen=True)
class Verb:
    """An operation as it is written on the command line, where that is not as it stands in the table."""

    operation: str
    positional: tuple[str, ...] = ()  # fields that are written without their name, in this order
    renamed: tuple[tuple[str, str], ...] = ()  # fields that are written by another name
    hidden: tuple[str, ...] = ()  # fields that only programs give
    finish: Callable[[dict[str, Any], Options], Any] = lambda answer, options: answer
    extra: Callable[[argparse.ArgumentParser], None] = lambda parser: None


def _transcript(answer: dict[str, Any], options: Options) -> Any:
    """JSON, or subtitles as they are, as one text."""
    from mmdemo.data.subtitles import transcript_as

    return answer if options.format == "json" else transcript_as(options.format, answer)


def _formats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["json", "srt", "vtt", "txt", "textgrid"], default="json")


VERBS: dict[str, Verb] = {
    "import": Verb("import", ("path",)),
    "align": Verb("align", ("file", "texts"), (("texts", "text"),), hidden=("item",)),
    "caption": Verb("caption", ("file",), hidden=("item",)),
    "transcribe": Verb("transcribe", ("file",), hidden=("item",), finish=_transcript, extra=_formats),
    "moments": Verb("moments", ("file", "query"), (("file", "video"),), hidden=("item",)),
    "search": Verb("search", ("query",), (("k", "k"),), hidden=("file", "item")),
    "evaluate": Verb("evaluate"),
    "train": Verb("train"),
    "export": Verb("export", ("out",)),
    "backup": Verb("backup", ("out",)),
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


def _verbs() -> dict[str, Verb]:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mmdemo.service.training").setLevel(logging.INFO)  # the epochs of `train`
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

    def run() -> None:
        with redirect_stdout(sys.stderr):  # where whatever else prints something belongs
            parser = _parser()
        options = parser.parse_args(arguments)
        with redirect_stdout(sys.stderr):
            answer = options.carry_out(options)
        if isinstance(answer, str):
            _write(answer)
        elif answer is not None:
            _write(_as_json(answer, None if options.json else 2) + "\n")

    return exit_status(run)


def exit_status(run: Callable[[], None]) -> int:
    """Run something and say in one line on standard error what was wrong; returns the exit status."""
    try:
        with _ended_by_sigterm():
            run()
    except UserError as e:
        print(f"mmdemo: {e}", file=sys.stderr)
        return 2
    except MmdemoError as e:
        print(f"mmdemo: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Within this block SIGTERM ends the process as sys.exit does, so that nothing half-made stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending: once more would cut that short
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def named_path(text: str) -> Path:
    """A path as it was written; an empty one would be the folder that the command stands in."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty, and names no file or folder")
    return Path(text)


def _as_json(answer: Any, indent: int | None) -> str:
    """The answer in JSON, its letters escaped where standard output cannot show them."""
    text = json.dumps(answer, ensure_ascii=False, indent=indent)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(answer, indent=indent)
    return text


def _write(text: str) -> None:
    """Write the answer to standard output; whoever has stopped reading it, as `| head` does, has enough.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as e:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())  # else Python tries again at its end
        if not isinstance(e, BrokenPipeError):
            raise cannot_write("The answer could not be written", e) from e
    except UnicodeEncodeError as e:
        raise UserError(
            f"The answer cannot be written in {e.encoding}, the encoding of this terminal.",
            "Set PYTHONIOENCODING=utf-8.",
        ) from e


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one sentence and names the help, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        """Refuse what was written."""
        wrong = re.fullmatch(r"argument (\S+): invalid choice: (.+) \(choose from (.+)\)", message)
        if wrong:
            name, value, known = wrong.groups()
            known = known.replace("'", "")
            raise UserError(f"There is no {name.strip('-').lower()} {value}.", f"Use one of: {known}.")
        raise UserError(
            f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"{self.prog} --help says how it is written."
        )


def _parser() -> argparse.ArgumentParser:
    common = Parser(add_help=False)
    common.add_argument("--workspace", type=named_path, help="the workspace folder (MMDEMO_WORKSPACE)")
    common.add_argument("--json", action="store_true", help="the JSON on one line")
    parser = Parser(prog="mmdemo", description="Align images, speech and video with text.")
    parser.add_argument("--version", action="version", version=f"mmdemo {__version__}")
    parser.set_defaults(carry_out=run_nothing)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    def add(name: str, run: Callable[[Options], Any], about: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, parents=[common], help=about, description=about)
        sub.set_defaults(carry_out=run)
        return sub

    for name, verb in _verbs().items():
        operation = OPERATIONS.get(verb.operation)
        sub = add(name, partial(run_verb, verb), " ".join(operation.about.partition("\n\n")[0].split()))
        for field_name, field in operation.request.model_fields.items():
            if field_name not in verb.hidden:
                _add_field(sub, verb, field_name, field)
        verb.extra(sub)
    _add_models(add("models", run_models, "List the versions; or do something with one."))
    sub = add("restore", run_restore, "Unpack a backup into a new workspace.")
    sub.add_argument("archive", type=named_path)
    add("settings", run_settings, "Print the settings in force.")
    sub = add("serve", run_serve, "Serve the page, as python app.py does.")
    sub.add_argument("--share", action="store_true", default=None, help="a public link")
    return parser


def _add_field(parser: argparse.ArgumentParser, verb: Verb, name: str, field: FieldInfo) -> None:
    shown = dict(verb.renamed).get(name, name)
    told = about(field).replace("%", "%%")
    how: dict[str, Any] = {"help": told, "metavar": shown.upper() if name not in verb.positional else shown}
    option, several = f"--{shown.replace('_', '-')}", "+" if is_list(field) else None
    if name in verb.positional:
        parser.add_argument(name, nargs=several, **how)
    elif field.annotation is bool and field.default is True:
        off = option.replace("--", "--no-", 1)
        parser.add_argument(off, dest=name, action="store_false", default=None, help=f"not {told}")
    elif field.annotation is bool:
        parser.add_argument(option, dest=name, action="store_true", help=told)
    else:
        option = option[1:] if len(shown) == 1 else option
        parser.add_argument(option, dest=name, nargs=several, default=None, **how)


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", default="", choices=list(ACTIONS), metavar="ACTION",
                        help=f"one of: {', '.join(filter(None, ACTIONS))}")  # fmt: skip
    parser.add_argument("version", nargs="*", help="a version; of `use` a model, as dual:HUB_ID_OR_FOLDER")
    parser.add_argument("--task", default=None, help="of which task; default: image-text")
    parser.add_argument("--out", type=named_path, help="of `export`: a new folder")
    parser.add_argument("--split", help="of `compare`: held-out, the default, validation, train or all")
    parser.add_argument("--to", help="of `push`: a repository of the Hub, as YOUR-NAME/MODEL")
    parser.add_argument("--public", action="store_true", help="of `push`: a new repository is public")


def _ask(options: Options, name: str, values: dict[str, Any]) -> Any:
    """The answer of an operation in a workspace that is open for as long as it takes."""
    from mmdemo.service.app import App

    operation = OPERATIONS.get(name)
    app = App(load_settings(workspace=options.workspace))
    app.context.progress = _count_rows
    try:
        return operation(app, operation.parse(values, "command"))
    finally:
        app.close()


def _count_rows(done: int, total: int | None) -> None:
    if done % 100 == 0:
        print(f"{done} rows", file=sys.stderr)


def run_nothing(options: Options) -> NoReturn:
    """No verb at all."""
    raise UserError("No verb is named.", "mmdemo serve opens the page; mmdemo --help lists the others.")


def run_verb(verb: Verb, options: Options) -> Any:
    """A verb of the table."""
    fields = OPERATIONS.get(verb.operation).request.model_fields
    given = {name: getattr(options, name) for name in fields if getattr(options, name, None) is not None}
    if empty := next((name for name in verb.positional if given.get(name) == ""), None):
        raise UserError(f"{dict(verb.renamed).get(empty, empty)} is empty.", f"Write {about(fields[empty])}.")
    for name, field in fields.items():
        if is_file(field) and name in given:
            given[name] = Path(given[name])
    if options.verb == "search" and _names_a_file(given["query"]):
        given["file"] = Path(given.pop("query"))  # a query that names a file is a picture or a recording
    return verb.finish(_ask(options, verb.operation, given), options)


def _names_a_file(query: str) -> bool:
    """Whether what is looked for is a path; a word may be a folder's name by chance."""
    path = Path(query)
    return is_there(path) and (not path.is_dir() or os.sep in query)


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
    return _ask(options, operation, given)


def run_restore(options: Options) -> Any:
    """`restore`: into a workspace that is not there yet."""
    from mmdemo.store.backup import restore

    settings = load_settings(workspace=options.workspace)
    restore(options.archive, settings.workspace)
    return {"workspace": str(settings.workspace)}


def run_settings(options: Options) -> Any:
    """`settings`."""
    return load_settings(workspace=options.workspace).as_json()


def run_serve(options: Options) -> Any:
    """`serve`."""
    serve_page(load_settings(workspace=options.workspace, share=options.share))
    return None


def serve_page(settings: Settings) -> None:
    """Serve the page until it is ended. The address is checked before Gradio is imported: that takes seconds,
    and fails at variables that cannot be, which were checked with the settings.

    Raises:
        UserError: the address is none of this machine, or the port is taken.
    """
    from mmdemo.ui.listening import require_address

    require_address(settings)
    from mmdemo.ui.shell import serve

    serve(settings)
