"""The English sentences that the page is written in, read from its scripts and templates as its table of
words names them: `{0}` stands for what is put in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from mmdemo.asker import IN_WORDS
from mmdemo.label_kinds import LABEL_KINDS, UNLABELLED
from mmdemo.modality import MODALITIES
from mmdemo.ui.tabs.table import tabs

UI = Path(__file__).parents[2] / "mmdemo" / "ui"
READ = {"aria-label", "title", "placeholder", "alt", "data-does"}  # the attributes that somebody reads
COUNTS = re.compile(r"\b(?:many|some|count)\(")  # mm.many, and what hands its words on
ESCAPES = {"n": "\n", "t": "\t"}


def script_sentences() -> set[str]:
    """Of all scripts: tr`...`, and `{0} things` of mm.many."""
    scripts = [path.read_text(encoding="utf-8") for path in sorted(UI.rglob("*.js"))]
    return {key for script in scripts for key in (*tagged(script), *counted(script))}


def template_sentences() -> set[str]:
    """Of all templates."""
    found: set[str] = set()
    for path in sorted((UI / "widgets").glob("*.html")):
        template = _Template()
        template.feed(path.read_text(encoding="utf-8"))
        found |= template.found
    return found


def table_sentences() -> set[str]:
    """Of the tables that the page draws buttons, keys and filters from."""
    kinds = {words for kind in LABEL_KINDS.values() for words in (kind.name, kind.title, kind.about)}
    modalities = {words for m in MODALITIES.values() for words in (m.title, m.noun, m.plural)}
    roles = {words for role in IN_WORDS.values() for words in (role.one, role.all, role.may)}
    counted = {f"{{0}} {m.plural}" for m in MODALITIES.values()}
    return kinds | modalities | roles | counted | {tab.title for tab in tabs().values()} | {UNLABELLED}


def tagged(script: str) -> Iterator[str]:
    for begin in re.finditer(r"(?<![\w$.])tr`", script):
        yield _template(script, begin.end())[0]


def _template(script: str, at: int) -> tuple[str, int]:
    """A template from behind its opening quote: its words, and where it ends."""
    words, holes = "", 0
    while script[at] != "`":
        if script[at] == "\\":
            words += ESCAPES.get(script[at + 1], script[at + 1])
            at += 2
        elif script.startswith("${", at):
            at = _closed(script, at + 2)
            words += f"{{{holes}}}"
            holes += 1
        else:
            words += script[at]
            at += 1
    return words, at + 1


def _closed(script: str, at: int) -> int:
    """Behind the brace that closes an expression."""
    deep = 0
    while script[at] != "}" or deep:
        if (behind := _behind_words(script, at)) > at:
            at = behind
            continue
        deep += {"{": 1, "}": -1}.get(script[at], 0)
        at += 1
    return at + 1


def _behind_words(script: str, at: int) -> int:
    """Behind a string or template that begins here; here, where none does."""
    if script[at] == "`":
        return _template(script, at + 1)[1]
    return _quoted(script, at) if script[at] in "\"'" else at


def _quoted(script: str, at: int) -> int:
    """Behind a string."""
    quote = script[at]
    at += 1
    while script[at] != quote:
        at += 2 if script[at] == "\\" else 1
    return at + 1


def counted(script: str) -> Iterator[str]:
    for begin in COUNTS.finditer(script):
        given = _arguments(script, begin.end())[1:]
        words = [re.fullmatch(r'"([^"]+)"', one) for one in given]
        if words and words[0]:
            more = words[1][1] if len(words) > 1 and words[1] else f"{words[0][1]}s"
            yield f"{{0}} {more}"


def _arguments(script: str, at: int) -> list[str]:
    """The arguments of a call from behind its parenthesis."""
    found, deep, begun = [], 0, at
    while script[at] != ")" or deep:
        if (behind := _behind_words(script, at)) > at:
            at = behind
            continue
        if script[at] == "," and not deep:
            found.append(script[begun:at].strip())
            begun = at + 1
        deep += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(script[at], 0)
        at += 1
    return [*found, script[begun:at].strip()]


class _Template(HTMLParser):
    """What somebody reads of a template."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code = tag == "code"
        for name, value in attrs:
            if name in READ and value:
                self.found.add(value)

    def handle_endtag(self, tag: str) -> None:
        self._code = False

    def handle_data(self, data: str) -> None:
        if re.search(r"[A-Za-z]", data) and not self._code:
            self.found.add(" ".join(data.split()))
