"""A version as a folder for other programs: its weights, its card, and a page that says what it is."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from mmdemo.errors import UserError, cannot_write
from mmdemo.media.regular_file import is_there
from mmdemo.modality import MODALITIES
from mmdemo.models.device import decide_compute
from mmdemo.models.presets import LOADERS, Preset
from mmdemo.models.version_source import version_source
from mmdemo.store.cards import CARD, read_card
from mmdemo.store.unfinished import put, unfinished
from mmdemo.store.workspace import Workspace


def export_version(ws: Workspace, version_id: str, out: Path) -> Path:
    """Write a version into a new folder; returns it.

    A network that learned is written whole, with its adapter merged, as `from_pretrained` of transformers
    loads it (two towers as mmdemo does); a head as safetensors with its shape as JSON, beside the name of the
    base model that it stands on.

    Raises:
        UserError: there is no such version, or the folder is there already or cannot be made.
        StorageError: the disk refused; nothing half-written stays.
    """
    source = version_source(ws, version_id)
    if out.exists():
        raise UserError(f"{out} is there already.", "Name a new folder.")
    try:
        if not is_there(out.parent):
            out.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(out.parent) as temporary:
            part = temporary / "version"
            part.mkdir()
            how = LOADERS[source.preset.loader]
            if how.save_network is not None:
                how.save_network(source.preset, decide_compute(ws.settings.device), part)
            kept = ws.version_folder(version_id)
            for name in ("head.safetensors", "head.json", CARD):
                if (kept / name).exists():
                    shutil.copyfile(kept / name, part / name)
            if (kept / "adapter").is_dir():
                shutil.copytree(kept / "adapter", part / "adapter")
            (part / "README.md").write_text(_page(source.preset, version_id, kept), encoding="utf-8")
            put(part, out)
    except OSError as e:
        raise cannot_write(f"{out} could not be written", e, named=True) from e
    return out


def publish_version(ws: Workspace, version_id: str, repo: str, token: str = "", private: bool = True) -> str:
    """Push a version with its model card to the Hub; returns the address of its page.

    Args:
        ws: the workspace.
        version_id: which.
        repo: its name there, as NAME/MODEL.
        token: of a user who may write there; empty: of who is signed in on this machine. It is not kept.
        private: whether a new repository is private.

    Raises:
        UserError: nobody is signed in, the name cannot be used, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, get_token

    token = token.strip() or get_token() or ""
    if not token:
        raise UserError(
            "Nobody is signed in at the Hub.", "Give a token with the right to write, or run hf auth login."
        )
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise UserError(f"{repo!r} is no name of a repository.", "Write it as YOUR-NAME/MODEL.")
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory(prefix="mmdemo-publish-") as folder:
        out = export_version(ws, version_id, Path(folder) / "version")
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            api.upload_folder(repo_id=repo, folder_path=out, commit_message=f"{version_id} of mmdemo")
        except Exception as e:  # of the Hub, of its client, of the network: many kinds, one answer
            why = (str(e).strip().splitlines() or [type(e).__name__])[0].rstrip(".")
            raise UserError(
                f"{version_id} could not be pushed to {repo}: {why}.",
                "Check the token, the name and the network.",
            ) from e
    return f"{api.endpoint}/{repo}"


def _page(preset: Preset, version_id: str, kept: Path) -> str:
    """A model card in the Hub's form: what it is, on what it was trained, what was measured."""
    card = read_card(kept)
    head = ["---", "library_name: mmdemo"]
    base = card.get("base", preset.name).partition(":")[2] or preset.media_tower
    if re.fullmatch(r"[\w.-]+/[\w.-]+", base):  # on the Hub; a folder of somebody's means nothing there
        head.append(f"base_model: {base}")
    if tag := next((m.pipeline_tag for m in MODALITIES.values() if m.task == preset.task), ""):
        head.append(f"pipeline_tag: {tag}")
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
        if card.get("captions"):
            scores = card["captions"]
            lines += [f"| {n} | {scores['before'][n]} | {scores['after'][n]} |" for n in scores["before"]]
        for side in ("text_to_media", "media_to_text") if card["before"] else ():
            for name, before in card["before"][side].items():
                lines.append(f"| {side.replace('_', ' ')} {name} | {before} | {card['after'][side][name]} |")
    return "\n".join(lines) + "\n"
