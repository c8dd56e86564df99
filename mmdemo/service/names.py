"""Under which name somebody labels. Who has one from the owner bears it; who has none says one, and gets it
where it is nobody else's: else a number is added.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from mmdemo.asker import Asker
from mmdemo.store.names import name_key, shown_name
from mmdemo.store.workspace import Workspace

MOST_PEOPLE = 10_000  # of whom it is known what they said; the others' names are with their labels
MOST_OF_ONE = 8  # names of one person that are kept from others before a label bears them
LONGEST = 110  # characters, before a number


class Names:
    """The names in a workspace.

    Args:
        ws: it.
    """

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._has: dict[str, str] = {}  # by a name's key: the mark of whoever has it
        # By a mark, and by the key of what was said: the number that was given, and the key of that name.
        self._given: OrderedDict[str, OrderedDict[str, tuple[int, str]]] = OrderedDict()
        self._rows = ws.rows
        self._lock = threading.Lock()

    def of(self, asker: Asker, said: str) -> str:
        """The name that labels bear of who calls themselves so. The owner is believed, and who may not label
        keeps none from others.

        Raises:
            StorageError: the database cannot be asked whose the name is.
        """
        if asker.name:
            return asker.name
        name = shown_name(said)
        if not name or not asker.says_name or not asker.may("annotator"):
            return name
        mark, name = asker.maker or "", name[:LONGEST]
        number = self._known(mark, name_key(name)) or 1
        while not self._may_have(mark, name_key(name), number, _numbered(name, number)):
            number += 1
        return _numbered(name, number)

    def forget(self, asker: Asker, said: str) -> None:
        """Look again what somebody is called who says so: by another process another has labelled so."""
        mark = asker.maker or ""
        with self._lock:
            known = self._given.get(mark, OrderedDict()).pop(name_key(shown_name(said)[:LONGEST]), None)
            if known is not None:
                self._let_go(mark, known[1])

    def _known(self, mark: str, key: str) -> int | None:
        """The number that somebody was given with a name already; None: it is to be asked for."""
        with self._lock:
            if self._rows != self._ws.rows:  # a backup was restored: others have labelled
                self._rows = self._ws.rows
                self._has.clear()
                self._given.clear()
            if mark not in self._given or key not in self._given[mark]:
                return None
            self._given.move_to_end(mark)
            self._given[mark].move_to_end(key)
            return self._given[mark][key][0]

    def _may_have(self, mark: str, key: str, number: int, found: str) -> bool:
        """Whether a name is nobody else's; then it is kept for them. Nobody waits while the database is
        asked.
        """
        wanted = name_key(found)
        with self._lock:
            if wanted in self._has:
                holder = self._has[wanted]
                if holder == mark:
                    self._keep(mark, key, number, wanted)
                return holder == mark
        if self._ws.names.is_anothers(found, mark):
            return False
        with self._lock:
            if self._has.setdefault(wanted, mark) != mark:
                return False
            self._keep(mark, key, number, wanted)
            return True

    def _keep(self, mark: str, key: str, number: int, wanted: str) -> None:
        """Know what somebody was given; the lock is held. What they said longest ago goes, and so does who
        has said nothing for longest.
        """
        own = self._given.setdefault(mark, OrderedDict())
        self._given.move_to_end(mark)
        own[key] = (number, wanted)
        own.move_to_end(key)
        if len(own) > MOST_OF_ONE:
            self._let_go(mark, own.popitem(last=False)[1][1])
        if len(self._given) > MOST_PEOPLE:
            gone, names = self._given.popitem(last=False)
            for _, name in names.values():
                self._let_go(gone, name)

    def _let_go(self, mark: str, name: str) -> None:
        still = any(name == kept for _, kept in self._given.get(mark, {}).values())
        if not still and self._has.get(name) == mark:
            del self._has[name]


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} ({number})"
