"""A version's card: a JSON beside its weights that says what it is and what was measured of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmdemo.errors import StorageError
from mmdemo.store.durable import write_durably

CARD = "card.json"  # in a version's folder


def read_card(folder: Path) -> dict[str, Any]:
    """The card in a version's folder; empty where there is none, as of a base.

    Raises:
        StorageError: it is damaged.
    """
    path = folder / CARD
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as e:
        raise damaged_card(folder) from e
    if not isinstance(found, dict):
        raise damaged_card(folder)
    return found


def damaged_card(folder: Path) -> StorageError:
    """What to say of a version whose card lacks what belongs on it."""
    return StorageError(f"The card of {folder.name} cannot be read.", "Activate another version.")


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """What is made of a card within this block is made, or the card is damaged.

    Raises:
        StorageError: it lacks something, or holds what it cannot.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise damaged_card(folder) from e


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Put a card into a version's folder, safely on disk, in the place of the one before."""
    write_durably(folder / CARD, json.dumps(card, indent=1).encode())


def note_on_card(folder: Path, **facts: Any) -> None:
    """Write something more onto a card; a version without one has nothing to be said of it."""
    card = read_card(folder)
    if card:
        write_card(folder, card | facts)
