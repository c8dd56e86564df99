"""What a person activates against the gate's word, or without it: possible, and written down."""

from __future__ import annotations

import json
import logging
from typing import Any

from mmdemo.store.media_store import write_durably
from mmdemo.store.tables import Version, now
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
CARD = "card.json"


def activate(ws: Workspace, version_id: str, annotator: str = "") -> Version:
    """Activate a version because a person wants it; a candidate that the gate did not let through gets that
    on its card, and the log says so.

    Raises:
        UserError: there is no such version.
    """
    task = ws.versions.get(version_id).task
    overrules = version_id in ws.versions.candidates(task) and not is_certain(ws, version_id)
    version = ws.versions.activate(version_id, annotator)
    if overrules:
        said = (read_card(ws, version_id).get("gate") or {}).get("sentence", "The gate was never asked.")
        by = annotator or "a person"
        log.warning("%s was activated by %s without the gate. It had said: %s", version_id, by, said)
        at = now().isoformat(timespec="seconds") + "Z"
        write_card(ws, version_id, overruled={"by": annotator, "at": at, "sentence": said})
    return version


def is_certain(ws: Workspace, version_id: str) -> bool:
    """Whether the gate has let a version through."""
    return bool((read_card(ws, version_id).get("gate") or {}).get("certain"))


def read_card(ws: Workspace, version_id: str) -> dict[str, Any]:
    """A version's card; empty where it has none, as a base has."""
    path = ws.version_folder(version_id) / CARD
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def write_card(ws: Workspace, version_id: str, **facts: Any) -> None:
    """Write something about a version onto its card; a version without one has nothing to be said of it."""
    path = ws.version_folder(version_id) / CARD
    if path.exists():
        write_durably(path, json.dumps(read_card(ws, version_id) | facts, indent=1).encode())
