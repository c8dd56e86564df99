"""The table of tabs.

A tab is one file in this folder, or a file of another package (see mmdemo/registry.py): a function that lays
it out, and a line that puts it into the table under the name that addresses call it by:

    TABS.add("data", Tab("Data", 310, build))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mmdemo.modality import MODALITIES
from mmdemo.registry import Registry, modules_in
from mmdemo.ui.tabs.modality import build


@dataclass(frozen=True)
class Tab:
    """A tab of the page."""

    title: str
    order: int  # its place, lowest first: 0-99 looking, 100-199 labelling, 200-299 learning, 300-399 data
    build: Callable[[], None]  # lays out its widgets; it is called while the page is built


SHARED = 50  # the place of modalities that have no tab of their own
TABS: Registry[Tab] = Registry("tab", Tab, modules_in("mmdemo.ui.tabs", without=("table", "modality")))


def tabs() -> dict[str, Tab]:
    """The tabs by the names that addresses call them by, in their order."""
    shared = {m.task: Tab(m.title, SHARED, partial(build, m)) for m in MODALITIES.values() if not m.tab}
    return dict(sorted((shared | dict(TABS.items())).items(), key=lambda entry: entry[1].order))
