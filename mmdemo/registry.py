"""Named things in one table each, to which other packages add theirs.

A package names a function under the entry point group `mmdemo.plugins`; it is called once, before the first
look into any table, and adds what the package brings:

    [project.entry-points."mmdemo.plugins"]
    series = "series_text:register"
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from types import FrameType
from typing import Any, Generic, TypeVar

from mmdemo.errors import MmdemoError, RegistryError, UserError, one_line
from mmdemo.records import require_entry

GROUP = "mmdemo.plugins"
Entry = TypeVar("Entry")
log = logging.getLogger(__name__)


class Registry(Generic[Entry]):
    """A table of entries by name, in the order in which they came.

    Args:
        kind: what an entry is, as in "There is no importer 'x'."
        of: the class of every entry, or `type[Class]` or `Callable[..., Class]`, as annotations have it.
        built_in: modules that add the entries that ship, the table's own among them if it does; imported at
            the first look.
    """

    def __init__(self, kind: str, of: Any, built_in: Sequence[str] = ()) -> None:
        self.kind, self._of = kind, of
        self._built_in = tuple(built_in)
        self._entries: dict[str, Entry] = {}
        self._complete = False

    def add(self, name: str, entry: Entry) -> Entry:
        """Add an entry.

        Raises:
            RegistryError: there is one of that name, or the entry is of another class, or a field of it is
                not what that class says.
        """
        by = None if self._is_shipping() else _plug_in.get()
        if by is not None:  # what ships comes first, so that a plug-in that doubles it is the one refused
            self._load_built_in()
        require_entry(self.kind, name, entry, self._of)
        if name in self._entries:
            raise RegistryError(
                f"There is a {self.kind} named {name!r} already.",
                f"Choose another name than: {', '.join(self._entries)}.",
            )
        self._check(entry)
        self._entries[name] = entry
        if by is not None:
            by.changes.append((self, name, None))
        return entry

    def _check(self, entry: Entry) -> None:
        """Refuse an entry that cannot stand beside those there are; tables that know more override it."""

    def get(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            UserError: there is none; the sentence lists those there are.
        """
        entries = self._look()
        if name not in entries:
            raise UserError(f"There is no {self.kind} {name!r}.", f"Use one of: {', '.join(entries)}.")
        return entries[name]

    def remove(self, name: str) -> None:
        """Take an entry out again; what a plug-in takes out comes back if it fails."""
        entry, by = self._entries.pop(name, None), _plug_in.get()
        if by is not None and entry is not None:
            by.changes.append((self, name, entry))

    def put_back(self, name: str, entry: Entry) -> None:
        """Put in again what `remove` took out."""
        self._entries[name] = entry

    def items(self) -> list[tuple[str, Entry]]:
        """Names with their entries."""
        return list(self._look().items())

    def values(self) -> list[Entry]:
        """The entries."""
        return list(self._look().values())

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._look()))

    def __contains__(self, name: object) -> bool:
        return name in self._look()

    def __getitem__(self, name: str) -> Entry:
        return self.get(name)

    def __len__(self) -> int:
        return len(self._look())

    def _look(self) -> dict[str, Entry]:
        self._load_built_in()
        load_plugins()
        return self._entries

    def _load_built_in(self) -> None:
        if not self._complete:
            with _lock, _added_by(None):
                if not self._complete:
                    for module in self._built_in:
                        import_module(module)
                    self._complete = True

    def _is_shipping(self) -> bool:
        """Whether one of the modules that add what ships is being imported, by a plug-in perhaps."""
        return any(_is_being_imported(module) for module in self._built_in)


def modules_in(package: str, *first: str, without: Sequence[str] = ()) -> list[str]:
    """The modules of a package by name: what `built_in` of a table is whose entries have a folder.

    Args:
        package: its name.
        first: those that come before the others, in this order; the others come by the alphabet.
        without: those that are no entries.
    """
    found = [one.name for one in iter_modules(import_module(package).__path__)]
    names = dict.fromkeys((*first, *found))
    return [f"{package}.{name}" for name in names if name not in without]


@dataclass
class PlugIn:
    """A plug-in, and the rows that it has added or taken out."""

    name: str
    changes: list[tuple[Registry[Any], str, Any]] = field(default_factory=list)  # what was taken out, or None

    def take_back(self) -> None:
        """Undo what it has done to the tables, the last first."""
        for table, name, taken_out in reversed(self.changes):
            table.remove(name)
            if taken_out is not None:
                table.put_back(name, taken_out)


_lock = threading.RLock()
_calling = False  # whether plug-ins are being called
_loaded: dict[str, PlugIn] | None = None  # by name, once all were called
_plug_in: ContextVar[PlugIn | None] = ContextVar("plug-in", default=None)  # that adds rows here; None: mmdemo


@contextmanager
def _added_by(plug_in: PlugIn | None) -> Iterator[None]:
    """What this thread adds to tables within this block is the plug-in's, or with None mmdemo's own."""
    before = _plug_in.set(plug_in)
    try:
        yield
    finally:
        _plug_in.reset(before)


def load_plugins() -> None:
    """Call what other packages have named, each once; one that fails leaves nothing behind and is logged."""
    global _calling, _loaded
    if _loaded is not None:
        return
    with _lock:
        if _loaded is not None or _calling:  # a plug-in may look into the tables while it is called
            return
        _calling = True
        try:
            points = sorted(entry_points(group=GROUP), key=lambda p: p.name)
            _loaded = {point.name: plug_in for point in points if (plug_in := _called(point)) is not None}
        finally:
            _calling = False


def _called(point: EntryPoint) -> PlugIn | None:
    """A plug-in with what it has added; None: it failed, which was logged."""
    plug_in = PlugIn(point.name)
    with _interrupts() as interrupted:
        try:
            with _added_by(plug_in):
                point.load()()
        except BaseException as e:  # sys.exit too: what a package does at its import is not our end
            plug_in.take_back()
            if interrupted.is_set():
                raise
            why = str(e) if isinstance(e, MmdemoError) else f"{type(e).__name__}: {one_line(str(e))}"
            log.error("The plug-in %s was not loaded: %s", plug_in.name, why.rstrip(": "))
            log.info("where it failed", exc_info=e)
            return None
    return plug_in


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Says whether Ctrl-C or SIGTERM came within this block; code can also pretend it, by its error."""
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came  # signals come to the main thread only
        return

    def noting(go_on: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], None]:
        def note(number: int, frame: FrameType | None) -> None:
            came.set()
            go_on(number, frame)

        return note

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    noted = {number: noting(handler) for number, handler in before.items() if callable(handler)}
    for number, note in noted.items():
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, note in noted.items():
            if signal.getsignal(number) is note:  # a handler may have put another in its place
                signal.signal(number, before[number])


def _is_being_imported(module: str) -> bool:
    """Whether the import of a module has begun and not ended: then Python binds it in its package."""
    package, _, name = module.rpartition(".")
    return module in sys.modules and package in sys.modules and not hasattr(sys.modules[package], name)
