"""What a person activates against the gate's word, or without it: possible, and written down."""

from __future__ import annotations

import logging

from mmdemo.store.cards import note_on_card, read_card
from mmdemo.store.tables import Version, now
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)


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
        said = (read_card(ws.version_folder(version_id)).get("gate") or {}).get(
            "sentence", "The gate was never asked."
        )
        by = annotator or "a person"
        log.warning("%s was activated by %s without the gate. It had said: %s", version_id, by, said)
        at = now().isoformat(timespec="seconds") + "Z"
        overruled = {"by": annotator, "at": at, "sentence": said}
        note_on_card(ws.version_folder(version_id), overruled=overruled)
    return version


def is_certain(ws: Workspace, version_id: str) -> bool:
    """Whether the gate has let a version through."""
    return bool((read_card(ws.version_folder(version_id)).get("gate") or {}).get("certain"))
