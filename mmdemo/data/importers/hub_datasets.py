"""Data sets of the `datasets` library: saved on disk, or by name from the Hub as datasets:NAME."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.rows import Row, Skipped, read_field, read_verdict
from mmdemo.errors import ImportRowError, UserError
from mmdemo.models.hub.reach import unreachable_host
from mmdemo.store.pairs import SPLIT_NAMES

PREFIX = "datasets:"
TEXT_COLUMNS = ("text", "caption", "captions", "sentence", "title", "description", "label")


class HubDatasets:
    """A picture column with a text or class column."""

    name = "datasets"
    about = "a data set of the datasets library, saved on disk or as datasets:NAME"
    order = 400

    def accepts(self, path: Path) -> bool:
        """A folder written by save_to_disk, or datasets:NAME."""
        saved = any((path / f).is_file() for f in ("dataset_dict.json", "state.json"))
        return saved or str(path).startswith(PREFIX)

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """One row a picture and text, split after split.

        Raises:
            UserError: it cannot be loaded, or has no picture column.
        """
        import datasets

        loaded: Any
        try:
            if str(path).startswith(PREFIX):
                _require_way_to(str(path).removeprefix(PREFIX))
                loaded = datasets.load_dataset(str(path).removeprefix(PREFIX))
            else:
                loaded = datasets.load_from_disk(str(path))
        except UserError:
            raise
        except Exception as e:  # the library raises many kinds for one thing: it is not to be had
            raise UserError(
                f"The data set {path} could not be loaded: {str(e).splitlines()[0][:200]}",
                "Check its name and the network.",
            ) from e
        splits = loaded if isinstance(loaded, dict) else {"": loaded}
        number = 0
        for split, table in splits.items():
            picture, text = _columns(path, table)
            names = getattr(table.features.get(text), "names", None)
            for line in table.cast_column(picture, datasets.Image(decode=False)):
                number += 1
                yield from _rows(
                    number, line, picture, text, names, SPLIT_NAMES.get(line.get("split") or split, "")
                )


def _require_way_to(name: str) -> None:
    """Refuse a data set that was not downloaded before where the Hub does not answer; the library would try
    for half a minute.
    """
    import datasets

    kept = Path(datasets.config.HF_DATASETS_CACHE) / name.replace("/", "___")
    host = "" if kept.is_dir() else unreachable_host()
    if host:
        raise UserError(
            f"The data set {name} could not be loaded: it was not downloaded before, and {host} cannot be "
            "reached.",
            "Import a folder or a manifest, or try again when there is a network.",
        )


def _columns(path: Path, table: Any) -> tuple[str, str]:
    import datasets

    picture = next((n for n, f in table.features.items() if isinstance(f, datasets.Image)), None)
    if picture is None:
        raise UserError(
            f"The data set {path} has no picture column; it has {', '.join(table.features)}.",
            "Choose one with pictures.",
        )
    return picture, next((c for c in TEXT_COLUMNS if c in table.features), "")


def _rows(
    number: int, line: dict[str, Any], picture: str, text: str, names: list[str] | None, split: str
) -> Iterator[Row | Skipped]:
    stored = line[picture] or {}
    data = stored.get("bytes")
    file = Path(stored["path"]) if not data and stored.get("path") else None
    if not data and (file is None or not file.is_file()):
        yield Skipped(number, "The row has no picture.")
        return
    value = line.get(text) if text else None
    if names and isinstance(value, int):
        value = names[value].replace("_", " ")
    texts = value if isinstance(value, list) else [value]
    name = Path(stored.get("path") or f"picture-{number}{_suffix(data)}").name
    for one in texts:
        try:
            yield Row(
                number,
                name,
                file,
                data,
                text=read_field(one, text or "text"),
                split=split,
                verdict=read_verdict(line.get("verdict")),
                corrected=read_field(line.get("corrected_text"), "corrected_text"),
                annotator=read_field(line.get("annotator"), "annotator", int),
                comment=read_field(line.get("comment"), "comment"),
            )
        except ImportRowError as e:
            yield Skipped(number, str(e), name)


def _suffix(data: bytes | None) -> str:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data or b"")) as image:
            return f".{(image.format or 'img').lower()}"
    except OSError:
        return ".img"


IMPORTERS.add(HubDatasets.name, HubDatasets())
