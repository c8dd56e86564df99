"""What a link is about, as other sites show it beside the link: in words, and perhaps with an item.

They are told what a stranger may see: what the link itself says, and items of the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from mmdemo.modality import MODALITIES, Modality
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

NAME, ABOUT = "mmdemo", "See how pictures, speech and text align; watch it learn"
LONGEST = 120  # characters of a text that is repeated
MOST_TEXTS = 4
LONGEST_STATE = 60_000  # characters of an address; of a longer one nothing is said
PLACES = {
    "label": ("Pairs to label", "One picture, recording or video at a time: does the text fit?"),
    "fine-tune": ("Fine-tuning", "What was learned from labels, before and after, on pairs it never saw"),
    "data": ("The collection", "What is here to be searched, labelled and learned from"),
}


@dataclass(frozen=True)
class Card:
    """What is said of a link."""

    title: str = NAME
    about: str = ABOUT
    texts: tuple[str, ...] = ()
    item: Item | None = None  # whose picture is shown

    @property
    def key(self) -> tuple[object, ...]:
        """By which two cards look the same."""
        return self.title, self.texts, self.item and self.item.id


def card_of(ws: Workspace, query: str) -> Card:
    """The card of an address.

    Args:
        ws: the workspace.
        query: what stands after the question mark.

    Raises:
        StorageError: the database is away.
    """
    said = _said(query)
    if "s" in said:
        said = _said(ws.short_links.state(said["s"]) or "")
    view = said.get("view", "")
    if view in PLACES:
        title, about = PLACES[view]
        return Card(title, about, (about,))
    modality = next((m for m in MODALITIES.values() if view and view == (m.tab or m.task)), None)
    if view in ("align", "caption", "search"):
        modality, said = MODALITIES.get("image"), {**said, "mode": view}
    if modality is None:
        return Card()
    texts = tuple(map(_short, filter(str.strip, said.get("text", "").splitlines())))[:MOST_TEXTS]
    title = TITLES.get((modality.name, said.get("mode", "")), _of_any)(modality, texts)
    return Card(title, " · ".join(texts) or ABOUT, texts, _public(ws, said.get("item", ""), modality))


def _said(query: str) -> dict[str, str]:
    return dict(parse_qsl(query)) if len(query) <= LONGEST_STATE else {}


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= LONGEST else f"{one[: LONGEST - 1]}…"


def _public(ws: Workspace, item_id: str, modality: Modality) -> Item | None:
    """The item, where everybody may see it; what somebody brought, and what is hidden, nobody is shown."""
    item = ws.items.get(item_id) if item_id else None
    shown = item is not None and item.listed and not item.hidden and item.removed_id is None
    return item if shown and item is not None and item.modality == modality.name else None


Title = Callable[[Modality, tuple[str, ...]], str]


def _of_any(modality: Modality, texts: tuple[str, ...]) -> str:
    if len(texts) > 1:
        return f"Which of {len(texts)} texts fit this {modality.noun}?"
    return f"Does this text fit the {modality.noun}?" if texts else f"A {modality.noun} and texts"


def _sought(modality: Modality, texts: tuple[str, ...]) -> str:
    what = f"{modality.plural[0].upper()}{modality.plural[1:]}"
    return f"{what} for “{texts[0]}”" if texts else f"{what} like this one"


TITLES: Mapping[tuple[str, str], Title] = {
    **{(m.name, "search"): _sought for m in MODALITIES.values()},
    ("image", "caption"): lambda m, texts: "A caption for this picture",
    ("audio", ""): lambda m, texts: "What is said in this recording",
    ("audio", "transcribe"): lambda m, texts: "What is said in this recording",
    ("audio", "align"): lambda m, texts: "Which text was said in this recording?",
    ("video", ""): lambda m, texts: f"Where “{texts[0]}” is in this video" if texts else "A video",
    ("video", "find"): lambda m, texts: f"Where “{texts[0]}” is in this video" if texts else "A video",
    ("video", "describe"): lambda m, texts: "What happens in this video",
}
