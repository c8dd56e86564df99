"""What the server says in English and the page shows, read from the source: the words of errors, and whole
sentences of answers. A table of words names them with `{0}` for what is put in.
"""

from __future__ import annotations

import ast
import csv
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CODE = Path(__file__).parents[2] / "mmdemo"
# What is told in a terminal, to scripts or to who writes a plug-in, and not on the page.
NOT_SHOWN = (
    *(
        "__init__.py",
        "__main__.py",
        "command_line/",
        "settings.py",
        "registry.py",
        "records.py",
        "label_kinds.py",
    ),
    *("models/device.py", "models/presets.py", "models/captioning/transformers.py", "service/cards.py"),
    *(
        "service/checking.py",
        "service/operations/document.py",
        "service/operations/table.py",
        "store/cards.py",
    ),
    *(
        "store/migrations/",
        "store/schema.py",
        "store/soundness.py",
        "training/version_export.py",
        "training/launch.py",
    ),
    *(
        "ui/api.py",
        "ui/json_rpc.py",
        "ui/listening.py",
        "ui/mcp.py",
        "ui/queued_answers.py",
        "ui/start_words.py",
    ),
    *(
        "ui/files.py",
        "ui/fetched_bytes.py",
        "ui/waiting_files.py",
        "ui/bodies.py",
        "modality.py",
        "ui/shell.py",
    ),
)
ERRORS = re.compile(r"(?!Assertion)\w*Error|Refused|Refusal|cannot_write")
# Calls whose words are for a log, for scripts or for the API's own page.
OF_OTHERS = {
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "Field",
    "operation",
    "text",
    "sub",
    "match",
    "compile",
}
SENTENCE = re.compile(r"(?!SELECT|DELETE) ?(?:[A-Z“]|\{\d+\}).* .*[.?…]", re.DOTALL)


@cache
def server_strings() -> frozenset[str]:
    """All strings of the server's code, as tables name them."""
    strings = {key for path in CODE.rglob("*.py") for key, _ in _strings(path)}
    return frozenset(strings | _of_models())


@cache
def server_sentences() -> frozenset[str]:
    """Those that the page can show, and that are known to be sentences: of errors, and whole ones."""
    shown = (path for path in CODE.rglob("*.py") if not str(path.relative_to(CODE)).startswith(NOT_SHOWN))
    return frozenset({key for path in shown for key, told in _strings(path) if told} | _of_models())


def _of_models() -> set[str]:
    """What the table of models says of each, sentence by sentence."""
    with (CODE / "models" / "catalogue.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    about = {one for row in rows for one in re.split(r"(?<=[.?!]) (?=[A-Z0-9])", row["about"])}
    return (about | {row["published_as"] for row in rows}) - {""}


def _strings(path: Path) -> Iterator[tuple[str, bool]]:
    """The strings of a file, and whether each is shown to people."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts: set[ast.AST] = set()
    errors: set[ast.AST] = set()
    others: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {part for part in node.values if isinstance(part, ast.Constant)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            others.add(node.value)
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if ERRORS.fullmatch(name):
                errors |= {one for given in node.args[:2] for one in _alternatives(given)}
            elif name in OF_OTHERS:
                others |= set(ast.walk(node))
    for node in ast.walk(tree):
        key = _key(node) if node not in parts and node not in others else ""
        if re.search(r"[A-Za-z]{2}", re.sub(r"\{\d+\}", "", key)):
            words = " " in key.strip()
            yield key, words and (node in errors or SENTENCE.fullmatch(key) is not None)


def _alternatives(given: ast.expr) -> Iterator[ast.expr]:
    """What an argument may be, where it is one of two."""
    if isinstance(given, ast.IfExp):
        yield from (*_alternatives(given.body), *_alternatives(given.orelse))
    else:
        yield given


def _key(node: ast.AST) -> str:
    """A string with its holes numbered; empty: it is none."""
    words = ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        words = node.value
    if isinstance(node, ast.JoinedStr):
        words = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    holes = itertools.count()
    return re.sub(r"\{\w*\}", lambda _: f"{{{next(holes)}}}", words)
