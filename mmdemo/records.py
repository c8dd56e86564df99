"""Whether the fields of a record are what its class says: what a plug-in brings is looked at when it is
added, and not when somebody is waiting for a page that it is drawn on.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mmdemo.errors import RegistryError

SHOWN = 60  # characters of a value that a sentence repeats
IN_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "True or False"}


def require_fields(record: Any) -> None:
    """Check every field of a dataclass by its annotation.

    Raises:
        RegistryError: one has a value of another type, or a text that no page can be sent; it is named.
    """
    _require_values(record, type(record), [field.name for field in fields(record)])


def _require_values(record: Any, kind: type, names: Iterable[str]) -> None:
    hints = _hints(kind)
    for name in names:
        value = getattr(record, name)
        if not _fits(value, hints[name]):
            told = ascii(value)
            told = told if len(told) <= SHOWN else told[: SHOWN - 1] + "…"
            raise RegistryError(
                f"{name} of a{_n(kind)} {kind.__name__} is {told}, which it cannot be.",
                f"Give {_in_words(hints[name])}.",
            )


def require_entry(kind: str, name: object, entry: Any, wanted: Any) -> None:
    """Check what is added to a table.

    Args:
        kind: what the table's entries are.
        name: of the entry.
        entry: it.
        wanted: what an entry is, as an annotation.

    Raises:
        RegistryError: the name is no plain text, the entry is of another kind, or a field is wrong.
    """
    if not name or not _fits(name, str):
        raise RegistryError(f"{name!a} is no name of a {kind}.", "Use a text.")
    if not _fits(entry, wanted):
        raise RegistryError(f"The {kind} {name!r} is {ascii(entry)[:SHOWN]}.", f"Give {_in_words(wanted)}.")
    if isinstance(entry, type):
        return
    if getattr(wanted, "_is_protocol", False):
        _require_values(entry, wanted, _hints(wanted))
    if is_dataclass(entry):
        require_fields(entry)
        called = getattr(entry, "name", name)
        if called != name:
            raise RegistryError(f"The {kind} {called!r} is added as {name!r}.", "Add it under its own name.")


def _hints(kind: type) -> dict[str, Any]:
    """The annotations of a dataclass; names that are there for type checkers only stand for anything."""
    known: dict[str, Any] = {}
    while True:
        try:
            return get_type_hints(kind, localns=known)
        except NameError as e:
            if e.name is None or e.name in known:
                raise
            known[e.name] = Any


def _fits(value: Any, wanted: Any) -> bool:
    origin, inner = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin is Callable:
        return callable(value)
    if wanted in (None, types.NoneType):
        return value is None
    if wanted is str:
        return isinstance(value, str) and _is_plain(value)
    if wanted in (int, float):
        return isinstance(value, int if wanted is int else int | float) and not isinstance(value, bool)
    if origin is type:
        return isinstance(value, type) and issubclass(value, inner[0])
    if not isinstance(origin or wanted, type):
        return True
    if not isinstance(value, origin or wanted):
        return False
    if issubclass(origin or wanted, Mapping) and len(inner) == 2:
        return all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items())
    if issubclass(origin or wanted, list | frozenset | set | tuple) and inner:
        one_kind = len(inner) == 1 or inner[1:] == (...,)
        kinds = [inner[0]] * len(value) if one_kind else list(inner)
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    return True


def _is_plain(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _n(kind: type) -> str:
    """What `a` ends with before the name of a class."""
    return "n" if kind.__name__[0] in "AEIOU" else ""


def _in_words(wanted: Any) -> str:
    if get_origin(wanted) is Literal:
        return f"one of {', '.join(map(repr, get_args(wanted)))}"
    if get_origin(wanted) is Callable:
        return "a function"
    if get_origin(wanted) is type:
        return f"a class that is a {get_args(wanted)[0].__name__}"
    if isinstance(wanted, type) and wanted not in IN_WORDS and get_origin(wanted) is None:
        return f"a{_n(wanted)} {wanted.__name__}"
    return IN_WORDS.get(wanted, str(wanted).replace("typing.", "").replace("collections.abc.", ""))
