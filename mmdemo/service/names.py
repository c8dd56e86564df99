"""Under which name somebody labels. Who has one from the owner bears it; who has none says one, and gets it
where it is nobody else's: else a number is added.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import OrderedDict

from mmdemo.asker import Asker
from mmdemo.store.texts import normalized
from mmdemo.store.workspace import Workspace

MOST_KNOWN = 10_000  # names that were said; those of before are in the labels
LONGEST = 110  # characters, before a number
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # categories of what is not drawn: formats, bidi, unassigned
# What is drawn as nothing and is no format: fillers, joiners, variation selectors, an empty braille cell.
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def shown_name(text: str) -> str:
    """A name as it is shown: without what is not seen, and with single spaces."""
    drawn = "".join(one if unicodedata.category(one) not in UNSEEN else " " * one.isspace() for one in text)
    return " ".join(BLANK.sub("", drawn).split())


def name_key(text: str) -> str:
    """By which two names are the same to who reads them: NFKC, without case."""
    folded = normalized("NFKC", shown_name(text)).casefold()
    return shown_name(normalized("NFKC", folded))


class Names:
    """The names in a workspace.

    Args:
        ws: it.
    """

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._said: OrderedDict[str, str] = OrderedDict()  # by key: the session that has it
        self._lock = threading.Lock()

    def of(self, asker: Asker, said: str) -> str:
        """The name that labels bear of who calls themselves so. The owner is believed, and who may not label
        keeps none from others.
        """
        if asker.name:
            return asker.name
        name = shown_name(said)
        if not name or asker.may("owner") or not asker.may("annotator"):
            return name
        with self._lock:
            found, number = name[:LONGEST], 1
            while not self._may_have(asker, name_key(found)):
                number += 1
                found = f"{name[:LONGEST]} ({number})"
        return found

    def _may_have(self, asker: Asker, key: str) -> bool:
        """Whether a name is nobody's, or the session's own; from now on it is that."""
        session = asker.mark or ""
        if key not in self._said and not self._is_taken(key, session):
            self._said[key] = session
            if len(self._said) > MOST_KNOWN:
                self._said.popitem(last=False)
        return self._said.get(key) == session

    def _is_taken(self, key: str, session: str) -> bool:
        """Whether the owner gave it to somebody, or another has labelled or is signed in under it."""
        given = [name_key(grant.name) for grant in self._ws.grants.listed() if grant.name]
        if any(key == name or re.fullmatch(rf"{re.escape(name)} \d+", key) for name in given):
            return True
        there = [(row.name, row.mark) for row in self._ws.sessions.listed()] + self._ws.labels.names()
        return any(name_key(name) == key and whose != session for name, whose in there)
