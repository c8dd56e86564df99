"""Where the numbers on the page come from: a table of kinds of numbers.

The page makes every number that claims something by one function, which is given its source: a kind of this
table, and of which version, run or caption it is. A click asks `measured_on`, and the kind's function tells
what such a number is, on what it was measured, and how far it is to be trusted. No sentence of that is made
up in the page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from mmdemo.registry import Registry, modules_in
from mmdemo.store.workspace import Workspace

Fact = tuple[str, str]  # its name and what it says


@dataclass(frozen=True)
class Asked:
    """A number whose source is asked for; what does not matter to its kind is empty."""

    ws: Workspace
    task: str
    version: str = ""  # that said the number
    run: str = ""  # that measured it
    of: str = ""  # a figure's name, or where a caption comes from
    against: str = ""  # the version that it is compared with
    split: str = ""  # of the pairs that it was measured on
    value: float | None = None  # the number itself


@dataclass(frozen=True)
class Diagram:
    """A reliability diagram, and what it says of a number."""

    sentence: str
    reliability: dict[str, Any]
    zones: dict[str, float]
    mine: int | None  # the bin of the number that was asked about
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Told:
    """What a number is, and what it was measured on."""

    title: str
    about: str  # one or two sentences
    facts: tuple[Fact, ...] = ()
    diagrams: tuple[Diagram, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The JSON of `measured_on`."""
        return asdict(self)


Source = Callable[[Asked], Told]
SOURCES: Registry[Source] = Registry(
    "source of a number", Source, modules_in("mmdemo.service.sources", "probabilities", without=("table",))
)


def counted(count: int, one: str, more: str = "") -> str:
    """A count with its noun: 1 match, 12 matches."""
    return f"{count} {one if count == 1 else more or one + 's'}"
