"""The command: what was written is read, carried out, and its answer printed."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

from mmdemo.command_line.exit_status import exit_status
from mmdemo.command_line.parser import make_parser
from mmdemo.errors import UserError, cannot_write


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mmdemo.service.training").setLevel(logging.INFO)  # the epochs of `train`
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

    def run() -> int:
        with redirect_stdout(sys.stderr):  # where whatever else prints something belongs
            parser = make_parser()
        options = parser.parse_args(arguments)
        with redirect_stdout(sys.stderr):
            answer = options.carry_out(options)
        if isinstance(answer, str):
            _write(answer)
        elif answer is not None:
            _write(_as_json(answer, None if options.json else 2) + "\n")
        return int(getattr(options, "status", 0))

    return exit_status(run)


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
