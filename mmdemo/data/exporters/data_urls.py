"""Files as other tools show them out of a JSON: as data URLs, so that nothing need be served beside it."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

from mmdemo.data.exporters.base import ExportedLabel
from mmdemo.modality import MODALITIES

INLINE = 20_000_000  # bytes of a file that stands in the JSON; a larger one lies in media/


def is_inline(label: ExportedLabel) -> bool:
    """Whether a label's file is small enough to stand in a JSON."""
    return label.medium.stat().st_size <= INLINE


def data_url(label: ExportedLabel) -> str:
    """A label's file as a data URL."""
    data = base64.b64encode(label.medium.read_bytes()).decode("ascii")
    return f"data:{media_type(label)};base64,{data}"


def media_type(label: ExportedLabel) -> str:
    """What a browser is told that the file is."""
    modality, suffix = MODALITIES.get(label.modality), label.medium.suffix.lower()
    known = modality.media_types.get(suffix)
    return known or f"{label.key if label.key != 'file' else 'application'}/{suffix[1:] or 'octet-stream'}"


def beside(out: Path, label: ExportedLabel) -> str:
    """Copy a label's file into media/, unless it is there; returns its name in the export's folder."""
    place = out / label.file_name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(label.medium, place)
    return label.file_name
