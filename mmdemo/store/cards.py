"""A version's card: a JSON beside its weights that says what it is and what was measured of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmdemo.store.media_store import write_durably

CARD = "card.json"  # in a version's folder


def read_card(folder: Path) -> dict[str, Any]:
    """The card in a version's folder; empty where there is none, as of a base."""
    path = folder / CARD
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Put a card into a version's folder, safely on disk, in the place of the one before."""
    write_durably(folder / CARD, json.dumps(card, indent=1).encode())


def note_on_card(folder: Path, **facts: Any) -> None:
    """Write something more onto a card; a version without one has nothing to be said of it."""
    card = read_card(folder)
    if card:
        write_card(folder, card | facts)
