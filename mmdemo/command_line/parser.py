"""The parser of the command line: each verb with its options, made from the table of operations."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pydantic.fields import FieldInfo

from mmdemo import __version__
from mmdemo.command_line.verbs import (
    ACTIONS,
    Options,
    Verb,
    run_models,
    run_nothing,
    run_restore,
    run_serve,
    run_settings,
    run_verb,
    verbs,
)
from mmdemo.errors import UserError
from mmdemo.service.operations.requests import about, is_list
from mmdemo.service.operations.table import OPERATIONS


def named_path(text: str) -> Path:
    """A path as it was written; an empty one would be the folder that the command stands in."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty, and names no file or folder")
    return Path(text)


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one sentence and names the help, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        """Refuse what was written."""
        wrong = re.fullmatch(r"argument (\S+): invalid choice: (.+) \(choose from (.+)\)", message)
        if wrong:
            name, value, known = wrong.groups()
            choices = ", ".join(filter(None, (word.strip(" '") for word in known.split(","))))
            raise UserError(f"There is no {name.strip('-').lower()} {value}.", f"Use one of: {choices}.")
        raise UserError(
            f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"{self.prog} --help says how it is written."
        )


def make_parser() -> argparse.ArgumentParser:
    common = Parser(add_help=False)
    common.add_argument("--workspace", type=named_path, help="the workspace folder (MMDEMO_WORKSPACE)")
    common.add_argument("--json", action="store_true", help="the JSON on one line")
    parser = Parser(prog="mmdemo", description="Align images, speech and video with text.")
    parser.add_argument("--version", action="version", version=f"mmdemo {__version__}")
    parser.set_defaults(carry_out=run_nothing)
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB")

    def add(name: str, run: Callable[[Options], Any], about: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, parents=[common], help=about, description=about)
        sub.set_defaults(carry_out=run)
        return sub

    for name, verb in verbs().items():
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
