"""A version as a folder for other programs: its weights, its card, and a page that says what it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from mmdemo.errors import StorageError, UserError
from mmdemo.models.base import TASKS
from mmdemo.models.device import decide_compute
from mmdemo.models.manager import version_source
from mmdemo.models.presets import Preset
from mmdemo.store.workspace import Workspace


def export_version(ws: Workspace, version_id: str, out: Path) -> Path:
    """Write a version into a new folder; returns it.

    A dual encoder is written whole, with its adapter merged, as `from_pretrained` of transformers loads it; a
    head as safetensors with its shape as JSON, beside the name of the base model that it stands on.

    Raises:
        UserError: there is no such version, or the folder is there already.
        StorageError: the disk refused; nothing half-written stays.
    """
    source = version_source(ws, version_id)
    if out.exists():
        raise UserError(f"{out} is there already.", "Name a new folder.")
    from mmdemo.training.network_run import open_learner

    part = out.with_name(out.name + ".part")
    try:
        part.mkdir(parents=True)
        if source.preset.loader in {"dual", "frames"}:
            compute = decide_compute(ws.settings.device)
            open_learner(source.preset, compute, source.preset.adapter).save(part)
        kept = ws.version_folder(version_id)
        for name in ("head.safetensors", "head.json", "card.json"):
            if (kept / name).exists():
                shutil.copyfile(kept / name, part / name)
        if (kept / "adapter").is_dir():
            shutil.copytree(kept / "adapter", part / "adapter")
        (part / "README.md").write_text(_page(source.preset, version_id, kept), encoding="utf-8")
        part.replace(out)
    except OSError as e:
        raise StorageError(f"{out.name} could not be written: {e.strerror}.", "Free some disk space.") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _page(preset: Preset, version_id: str, kept: Path) -> str:
    """A model card in the Hub's form: what it is, on what it was trained, what was measured."""
    card: dict[str, Any] = {}
    if (kept / "card.json").exists():
        card = json.loads((kept / "card.json").read_text(encoding="utf-8"))
    tags = {"image": "zero-shot-image-classification", "audio": "audio-classification"}
    head = ["---", f"base_model: {card.get('base', preset.name)}", "library_name: mmdemo"]
    if TASKS[preset.task] in tags:
        head.append(f"pipeline_tag: {tags[TASKS[preset.task]]}")
    lines = [*head, "---", "", f"# {version_id}", "", f"A version of {preset.name} for {preset.task}."]
    lines.append(f"Licence of the base model: {preset.licence}.")
    if card:
        on = card["trained_on"]
        lines += [
            "",
            f"Trained by the method {card['method']} from {card['parent']} on {on['match']} matches and "
            f"{on['mismatch']} marked mismatches, measured on {on['held_out']} other pairs.",
            "",
            "| | before | after |",
            "|---|---|---|",
        ]
        for side in ("text_to_media", "media_to_text"):
            for name, before in card["before"][side].items():
                lines.append(f"| {side.replace('_', ' ')} {name} | {before} | {card['after'][side][name]} |")
    return "\n".join(lines) + "\n"
