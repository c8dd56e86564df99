"""Whether a workspace is whole: its database, every file that it names, and what was made of them.

What can be made anew is removed where it is damaged, if that is asked for, and made again; what only people
have made is named.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmdemo.errors import GoneError, MmdemoError, OutsideError, StorageError, UserError, one_line
from mmdemo.finite import rows_of_numbers
from mmdemo.labeling.snapshot import Snapshot
from mmdemo.media.below import is_below
from mmdemo.media.listing import entries, files_below
from mmdemo.media.reading import READING
from mmdemo.modality import MODALITIES
from mmdemo.models.version_source import version_source
from mmdemo.service.context import Context
from mmdemo.settings import DATABASE
from mmdemo.store.cards import read_card
from mmdemo.store.durable import PART
from mmdemo.store.made_before import made_before
from mmdemo.store.row_values import odd_values
from mmdemo.store.runs import UNFINISHED
from mmdemo.store.schema import require_own_schema
from mmdemo.store.soundness import damage, lost_references, media_faults, odd_names, read_only
from mmdemo.store.tables import Item, Run, Scratch, Version
from mmdemo.store.vectors import KEY_BYTES, VectorFile, whole_rows

AT_ONCE = 1 << 20  # numbers that are looked at together
KINDS: dict[str, type[np.floating]] = {".f16": np.float16, ".f32": np.float32}
MAKE_ANEW = "Run it again with --repair."
BRING_BACK = "Remove that file if it is there, then import the same one again, or restore a backup."


@dataclass
class Report:
    """What was looked at and what was found."""

    checked: dict[str, int] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)  # what is wrong, what to do, if it is mended
    notes: list[str] = field(default_factory=list)  # what is odd and harms nothing

    def add(self, what: str, cure: str, mended: bool = False) -> None:
        """A fault, and what to do where it is not mended."""
        told = f"{what[:1].upper()}{what[1:]}."
        self.faults.append({"what": told, "cure": "" if mended else cure, "mended": mended})

    def as_json(self) -> dict[str, Any]:
        """The JSON of `check`."""
        sound = all(fault["mended"] for fault in self.faults)
        return {"sound": sound, "checked": self.checked, "faults": self.faults, "notes": self.notes}


def check(context: Context, repair: bool = False) -> Report:
    """Look at everything in a workspace.

    Args:
        context: it, open.
        repair: whether what can be made anew is, where it is damaged.
    """
    report = Report()
    _check_database(context, report)
    _check_media(context, report)
    _check_vectors(context, report, repair)
    _note_reading(context, report)
    _check_cache(context, report, repair)
    _check_versions(context, report)
    _check_runs(context, report)
    if repair:
        _make_vectors(context, report)
    return report


def _check_database(context: Context, report: Report) -> None:
    if _check_soundness(context, report):  # else whatever reads its rows may fail
        for one in odd_values(context.ws.database.engine):
            report.add(f"the database holds what mmdemo does not write: {one}", "Restore a backup.")


def _check_soundness(context: Context, report: Report) -> bool:
    """Whether the rows of the database can be read; what is wrong with the file, its tables and names."""
    if context.ws.database.engine.dialect.name != "sqlite":
        report.notes.append("The database is not in the workspace: its server checks its files.")
        return True
    with closing(read_only(context.ws.folder / DATABASE)) as database:
        found = damage(database)
        can_be_read = not found
        if can_be_read:
            try:
                require_own_schema(database, "the database")
            except UserError as e:
                found.append(e.what.rstrip("."))
            found += [*lost_references(database), *odd_names(database)]
    for one in found:
        report.add(f"the database is damaged: {one}", "Restore a backup.")
    return can_be_read


def _check_media(context: Context, report: Report) -> None:
    ws = context.ws
    with ws.database.read() as session:
        brought = {held.item_id for held in session.query(Scratch)}  # only to look at, and elsewhere
        there = session.query(Item).where(Item.removed_id.is_(None))
        items = [item for item in there if item.listed or item.id not in brought]
    rows = [(i.id, i.suffix, i.bytes, i.name) for i in items]
    report.checked["items"] = len(rows)
    named = {item.id: item for item in items}
    outside = ws.source_files.outside()
    if outside:
        report.checked["outside"] = 0
    for item_id, what, is_missing in media_faults(rows, ws.media.folder):
        if not is_missing or item_id not in outside:
            report.add(what, BRING_BACK)
            continue
        report.checked["outside"] += 1
        try:
            ws.outside.path(named[item_id])
        except GoneError as e:
            places = ws.outside.places(item_id)
            report.add(f"{e.what.rstrip('.')}{f': it was {places[0]}' if places else ''}", e.cure)
    own = {f"{item[:2]}/{item[2:]}{suffix}" for item, suffix, _, _ in rows}
    names = (str(path.relative_to(ws.media.folder)) for path in files_below(ws.media.folder))
    strange = [name for name in names if name not in own and PART not in name]
    if strange:
        report.notes.append(f"{len(strange)} files in media belong to no item, such as {strange[0]}.")


def _check_vectors(context: Context, report: Report, repair: bool) -> None:
    files = [path for path in entries(context.ws.folder / "vectors") if path.suffix in KINDS]
    report.checked["vectors"] = len(files)
    for rows in files:
        keys, dtype = rows.with_suffix(".keys"), np.dtype(KINDS[rows.suffix])
        count = keys.stat().st_size // KEY_BYTES if keys.is_file() else 0
        numbers = rows.stat().st_size // dtype.itemsize
        torn = keys.is_file() and keys.stat().st_size % KEY_BYTES
        if torn or bool(count) != bool(numbers) or (count and numbers < count):
            if repair:
                for path in (keys, rows):
                    path.unlink(missing_ok=True)
            report.add(f"{rows.name} and its keys do not belong together", MAKE_ANEW, repair)
        elif count and not _is_finite(rows, dtype):
            if repair and numbers % count == 0:
                VectorFile(rows.with_suffix(""), numbers // count, dtype.type).drop_damaged()
            elif repair:
                keys.unlink()
                rows.unlink()
            report.add(f"{rows.name} holds vectors that are no numbers", MAKE_ANEW, repair)


def _note_reading(context: Context, report: Report) -> None:
    """Say which media still wait for their vectors where those of before were of another reading."""
    ws = context.ws
    before = made_before(ws.folder)
    if before is None:
        return
    for modality in MODALITIES.values():
        ids = [item.id for item in ws.items.listed(modality.name)]
        if not ids:
            continue
        active = ws.versions.active(modality.task)
        kept = ws.vectors(f"version-{active}", version_source(ws, active).preset.dim)
        if lacking := kept.missing(ids):
            waiting = f"{len(lacking)} of {len(ids)} {modality.plural}"
            report.notes.append(
                f"{waiting} wait for their vectors: those of before went, as media were read otherwise then"
                f" (reading {before}; now {READING})."
            )


def _is_finite(path: Path, dtype: np.dtype[Any]) -> bool:
    whole = np.memmap(path, dtype, "r", shape=(path.stat().st_size // dtype.itemsize, 1))
    return all(whole_rows(whole[i : i + AT_ONCE]).all() for i in range(0, len(whole), AT_ONCE))


def _check_cache(context: Context, report: Report, repair: bool) -> None:
    cache = context.ws.folder / "cache"
    looks: dict[str, Callable[[Path], None]] = {
        ".webp": _look_at_picture,
        ".npz": _look_at_arrays,
        ".mp4": _look_at_video,
        ".ogg": _look_at_sound,
    }
    report.checked["cache"] = 0
    for path in files_below(cache):
        if path.name.startswith(PART) or not is_below(cache, path):
            continue
        report.checked["cache"] += 1
        try:
            looks.get(path.suffix, _look_at_size)(path)
        except Exception as e:  # what reads damaged files fails in every way
            if repair:
                path.unlink(missing_ok=True)
            shown = path.relative_to(cache)
            why = one_line(str(e))[:200].rstrip(".")
            report.add(f"{shown} in the cache is damaged: {why}", MAKE_ANEW, repair)


def _look_at_picture(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()


def _look_at_video(path: Path) -> None:
    from mmdemo.media.playable import require_whole

    require_whole(path)


def _look_at_sound(path: Path) -> None:
    from mmdemo.media.audio import probe_audio

    probe_audio(path)


def _look_at_arrays(path: Path) -> None:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        for name in kept.files:
            if kept[name].dtype.kind == "f" and not rows_of_numbers(kept[name]).all():
                raise ValueError(f"{name} holds what is no number")


def _look_at_size(path: Path) -> None:
    if not path.stat().st_size:
        raise ValueError("it is empty")


def _check_versions(context: Context, report: Report) -> None:
    ws = context.ws
    with ws.database.read() as session:
        versions = [v for v in session.query(Version) if v.removed_at is None]
    own = [v for v in versions if v.parent is not None]
    report.checked["versions"] = len(own)
    for version in own:
        for what in _version_faults(context, version.id):
            report.add(f"the version {version.id} {what}", "Remove the version, or restore a backup.")
    _note_strange(report, ws.folder / "versions", {v.id for v in versions})


def _version_faults(context: Context, version: str) -> Iterator[str]:
    from safetensors import SafetensorError, safe_open

    try:
        folder = context.ws.version_folder(version)
        if not read_card(folder):
            yield "has no card"
    except OutsideError:
        yield "lies outside the workspace"
        return
    except MmdemoError:
        yield "has a card that cannot be read"
    weights = [path for path in files_below(folder) if path.suffix == ".safetensors"]
    if not weights:
        yield "has no weights"
    for path in weights:
        try:
            with safe_open(path, "np") as file:
                list(file.keys())
        except (SafetensorError, OSError) as e:
            yield f"has weights that cannot be read: {path.name}: {one_line(str(e))[:200]}"


def _check_runs(context: Context, report: Report) -> None:
    ws = context.ws
    with ws.database.read() as session:
        runs = list(session.query(Run))
    report.checked["runs"] = len(runs)
    for run in runs:
        try:
            Snapshot.load(ws.run_folder(run.id) / "snapshot.json")
        except (OSError, StorageError, OutsideError):
            if run.status in UNFINISHED:
                report.add(
                    f"the run {run.id} waits and has no labels to learn from", "Stop it and remove it."
                )
            else:
                report.notes.append(f"The run {run.id} has no labels any more, and cannot be gone on with.")
    _note_strange(report, ws.folder / "runs", {run.id for run in runs})


def _note_strange(report: Report, folder: Path, known: set[str]) -> None:
    for path in entries(folder):
        if path.is_dir() and path.name not in known:
            report.notes.append(f"{folder.name}/{path.name} belongs to nothing that the database knows.")


def _make_vectors(context: Context, report: Report) -> None:
    """Bring every index up to date, which makes what was left out."""
    for modality in list(MODALITIES.values()):
        if not context.ws.items.count(modality.name):
            continue
        try:
            context.keeper_of(modality.task).update()
        except (MmdemoError, OSError, zipfile.BadZipFile) as e:
            what = e.what if isinstance(e, MmdemoError) else one_line(str(e))
            cure = e.cure if isinstance(e, MmdemoError) else "Look into the log."
            report.add(f"the vectors of {modality.task} could not be made: {what.rstrip('.')}", cure)
