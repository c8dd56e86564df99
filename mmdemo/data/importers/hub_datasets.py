"""Data sets of the `datasets` library: saved on disk, or by name from the Hub as datasets:NAME."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from mmdemo.data.columns import TEXT_COLUMNS, plain, said_in
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped, attempt, read_field
from mmdemo.data.source import Source
from mmdemo.errors import UserError, one_line, reason
from mmdemo.media.below import below, is_below
from mmdemo.media.regular_file import is_file
from mmdemo.models.hub.reach import unreachable_host
from mmdemo.store.splits import split_names

PREFIX = "datasets:"
AT_ONCE = 16  # lines that are read at a time, with the files that are in them
DICT, STATE = "dataset_dict.json", "state.json"  # of a data set of several splits, of one


class HubDatasets:
    """A column of pictures, sound, videos or other files with a text or class column."""

    name = "datasets"
    about = "a data set of the datasets library, saved on disk or as datasets:NAME"

    def recognise(self, source: Source) -> Recognition:
        """A folder written by save_to_disk, or datasets:NAME."""
        if source.named.startswith(PREFIX):
            return Recognition(1.0, "It is named as a data set.", read_once=True)
        saved = next((f for f in (DICT, STATE) if is_file(source.path / f)), "")
        return Recognition(0.95, f"It has a {saved} of the datasets library.") if saved else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a file and text, split after split.

        Raises:
            UserError: it cannot be loaded, or has no column of files.
        """
        name, path = source.named, source.path
        if name == PREFIX:
            raise UserError("No data set is named.", f"Write {PREFIX}NAME, as {PREFIX}beans.")
        import datasets

        loaded: Any
        try:
            if name.startswith(PREFIX):
                _require_way_to(name.removeprefix(PREFIX))
                loaded = _named(name.removeprefix(PREFIX))
            else:
                _require_own_files(source)
                loaded = datasets.load_from_disk(str(path))
        except UserError:
            raise
        except Exception as e:  # the library raises many kinds for one thing: it is not to be had
            raise UserError(
                f"The data set {name} could not be loaded: {reason(e.__cause__ or e)[:200]}.",
                "Check its name and the network.",
            ) from e
        parts = loaded if isinstance(loaded, dict) else {"": loaded}
        splits = split_names(_splits_in(parts))
        root = None if name.startswith(PREFIX) else path  # what was downloaded lies in its own cache
        number = 0
        for split, table in parts.items():
            media, text = _columns(name, table, source.modality)
            names = getattr(table.features.get(text), "names", None)
            for line in _undecoded(table):
                number += 1
                said = str(line.get("split") or split).strip().lower()
                yield from _rows(number, line, media, text, names, splits.get(said, ""), root)


def _named(name: str) -> Any:
    """A data set by its name, or by the folder of a clone of it.

    Raises:
        Exception: of many kinds; it is not to be had.
    """
    import datasets

    class StoredAudio(datasets.Audio):
        """Sound as it is stored: to note where a file lies the library would ask for torchcodec."""

        def encode_example(self, value: Any) -> dict[str, Any]:
            return value if isinstance(value, dict) else {"bytes": None, "path": str(value)}

    builder = datasets.load_dataset_builder(name)
    if getattr(builder, "BASE_FEATURE", None) is datasets.Audio:  # a folder of recordings with a table
        builder.BASE_FEATURE = StoredAudio
    builder.download_and_prepare()
    return builder.as_dataset()


def _splits_in(parts: Mapping[str, Any]) -> set[str]:
    """The names of splits that a data set uses, for its parts and in columns."""
    named = (table.unique("split") for table in parts.values() if "split" in table.features)
    return {str(name or "").strip().lower() for name in (*parts, *chain.from_iterable(named))}


def _undecoded(table: Any) -> Iterator[dict[str, Any]]:
    """The lines of a table as they are stored, with the bytes or paths of files, which mmdemo reads itself:
    the library would open whatever a column of files names, of this machine or of the net.
    """
    for batch in table.with_format("arrow").iter(AT_ONCE):
        try:
            batch.validate(full=True)  # lengths of a damaged file lead anywhere in memory
        except Exception as e:  # its library has many kinds for one thing
            raise UserError(
                f"The data set is damaged: {one_line(str(e))[:200].rstrip('.')}.", "Save it again."
            ) from e
        yield from batch.to_pylist()


def _require_way_to(name: str) -> None:
    """Refuse a data set that was not downloaded before where the Hub does not answer; the library would try
    for half a minute.
    """
    import datasets

    kept = Path(datasets.config.HF_DATASETS_CACHE) / name.replace("/", "___")
    host = "" if kept.is_dir() or Path(name).is_dir() else unreachable_host()
    if host:
        raise UserError(
            f"The data set {name} could not be loaded: it was not downloaded before, and {host} cannot be "
            "reached.",
            "Import a folder or a manifest, or try again when there is a network.",
        )


def _require_own_files(source: Source) -> None:
    """Refuse a saved data set whose tables lie elsewhere than in its folder: the library follows any name.

    Raises:
        UserError: what it names.
    """
    path = source.path
    splits = source.read_json(path / DICT).get("splits", []) if is_file(path / DICT) else []
    folders = [below(path, str(split)) for split in splits]
    for folder in [path, *folders] if is_file(path / STATE) else folders:  # the library takes its own first
        state = source.read_json(folder / STATE)
        for file in (*state.get("_data_files", []), *(state.get("_indices_data_files") or [])):
            below(folder, str(file["filename"]))


def _columns(name: str, table: Any, modality: str) -> tuple[str, str]:
    """The column of files, of the wanted modality where there are several, and that of texts."""
    import datasets

    kinds = {"image": datasets.Image, "audio": datasets.Audio, "video": datasets.Video}

    def holds_files(feature: Any) -> bool:
        return isinstance(feature, tuple(kinds.values())) or (
            isinstance(feature, dict) and set(feature) == {"bytes", "path"}
        )

    media = [name for name, feature in table.features.items() if holds_files(feature)]
    if not media:
        raise UserError(
            f"The data set {name} has no column of files; it has {', '.join(table.features)}.",
            "Choose one with a column of the type Image, Audio or Video.",
        )
    wanted = kinds.get(modality)
    own = [name for name in media if wanted is not None and isinstance(table.features[name], wanted)]
    named = {plain(name): name for name in table.features}
    return (own or media)[0], next((named[c] for c in TEXT_COLUMNS if c in named), "")


def _rows(
    number: int,
    line: dict[str, Any],
    media: str,
    text: str,
    names: list[str] | None,
    split: str,
    root: Path | None,
) -> Iterator[Row | Skipped]:
    """The rows of a line, whose file is in it or, where it only names one, lies in a folder."""
    stored = line[media] or {}
    data = stored.get("bytes")
    file = Path(stored["path"]) if not data and stored.get("path") else None
    if not data and (file is None or not is_file(file)):
        yield Skipped(number, f"The row has no {media}.")
        return
    if file is not None and root is not None and not is_below(root, file):
        yield Skipped(number, f"{file.name} lies outside the folder.", file.name)
        return
    value = line.get(text) if text else None
    if names and isinstance(value, int) and 0 <= value < len(names):
        value = names[value].replace("_", " ")
    name = Path(stored.get("path") or f"{media}-{number}").name
    for one in value if isinstance(value, list) and value else [None if isinstance(value, list) else value]:

        def made(one: Any = one) -> Row:
            said = read_field(one, text or "text")
            return Row(number, name, file, data, **{"text": said, "split": split, **said_in(line)})

        yield attempt(number, name, made)


IMPORTERS.add(HubDatasets.name, HubDatasets())
