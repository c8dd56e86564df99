"""Prodigy's answers as `prodigy db-out` writes them: JSON lines with what was asked, and accept, reject or
ignore (https://prodi.gy/docs/api-interfaces).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from mmdemo.data.columns import OF_MODALITY, split_said
from mmdemo.data.data_urls import data_of, is_data_url
from mmdemo.data.flags import ANSWER, flagged_verdict
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.json_lines import json_lines
from mmdemo.data.packed import stem_of, suffix_of
from mmdemo.data.rows import Row, Skipped, attempt_several, read_field
from mmdemo.data.side_names import side_word
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError, UserError
from mmdemo.store.splits import SPLIT_NAMES, split_names

HASHES = frozenset(("_task_hash", "_input_hash"))
MEDIA = ("image", "audio", "video")
TYPED = (
    "caption",
    "transcript",
    "user_input",
    "label",
)  # what an annotator or a model says, the first there is
WHO = ("_annotator_id", "_session_id")
DEEPEST = 2  # folders
LONG = (
    100_000_000  # bytes of a file whose first line is read whole to know it, as where a picture stands in it
)


class Prodigy:
    """One row an answer, and of one with regions or chosen options, one each."""

    name = "prodigy"
    about = "answers of Prodigy in JSON lines"

    def recognise(self, source: Source) -> Recognition:
        """By a first line with an answer and Prodigy's hashes."""
        found = _tables(source)
        return Recognition(0.9, f"{found[0].name} has answers of Prodigy.") if found else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The answers of each file, in their order."""
        tables = _tables(source)
        sides = {table: side_word(stem_of(table)) for table in tables}
        splits = split_names({*sides.values(), *_splits(source, tables)})
        number = 0
        for table in tables:
            for line in json_lines(source.read_text(table)):
                if not isinstance(line, dict):
                    number += 1
                    yield Skipped(number, "The line is not a JSON object.")
                    continue
                made = partial(_row, source, line, table.parent, splits, sides[table])
                for row in attempt_several(number + 1, _name(line), partial(_said, line), made):
                    number += 1
                    yield row


def _tables(source: Source) -> list[Path]:
    named = [f for f in source.json_files if suffix_of(f) in (".jsonl", ".json")]
    return [f for f in named if len(source.parts(f)) <= DEEPEST and _is_answers(source, f)]


def _is_answers(source: Source, path: Path) -> bool:
    head = source.head(path)
    if not head.lstrip("\ufeff \n\r").startswith("{"):
        return False
    line, ends, _ = head.partition("\n")
    if not ends and '"data:' in line and path.stat().st_size < LONG:
        line = source.read_text(path).partition("\n")[0]
    first = next(json_lines(line.removeprefix("\ufeff")), None)
    return isinstance(first, dict) and ANSWER in first and bool(HASHES & set(first))


def _splits(source: Source, tables: list[Path]) -> set[str]:
    lines = (line for table in tables for line in json_lines(source.read_text(table)))
    return {_split(line) for line in lines if isinstance(line, dict)}


def _split(line: Mapping[str, Any]) -> str:
    try:
        return split_said(line) or split_said(_meta(line))
    except ImportRowError:
        return ""


def _meta(line: Mapping[str, Any]) -> Mapping[str, Any]:
    found = line.get("meta")
    return found if isinstance(found, dict) else {}


def _name(line: Mapping[str, Any]) -> str:
    return next((name for name in _names(line) if not is_data_url(name)), "")


def _names(line: Mapping[str, Any], modality: str = "") -> list[str]:
    """What a line calls its file, what leads to it first."""
    media = [c for c in (*OF_MODALITY.get(modality, ()), *MEDIA) if c in line]
    given = [line.get("path"), *(line[c] for c in media), _meta(line).get("file")]
    return [name for name in given if isinstance(name, str) and name.strip()]


def _said(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The texts of a line, each with its span, where it has one."""
    regions = line.get("audio_spans")
    if isinstance(regions, list) and regions:
        return [_of_region(region) for region in regions]
    typed = next((text for c in TYPED if (text := read_field(line.get(c), c, int))), "")
    if typed:
        return [{"text": typed}]
    things = [s.get("label") for s in line.get("spans") or [] if isinstance(s, dict)]
    chosen = line.get("accept")
    options = {
        o.get("id"): o.get("text") or o.get("id") for o in line.get("options") or [] if isinstance(o, dict)
    }
    texts = [options.get(one, one) for one in chosen] if isinstance(chosen, list) else []
    named = [read_field(one, "label", int) for one in texts or things if one is not None]
    if named:
        return [{"text": text} for text in dict.fromkeys(named)]
    return [{"text": _shown(line)}]


def _of_region(region: Any) -> dict[str, Any]:
    if not isinstance(region, dict):
        raise ImportRowError("A span of the line is no JSON object.")
    try:
        span = {"start_s": float(region["start"]), "end_s": float(region["end"])}
    except (KeyError, TypeError, ValueError) as e:
        raise ImportRowError("A span of the line has no start and end in seconds.") from e
    return {"text": read_field(region.get("label"), "label", int), **span}


def _in_file(said: Mapping[str, Any], line: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The span of a region in its file, where what was played is a part of that, as pyannote's recipes do it.

    Args:
        said: of the region, in the part.
        line: of the answer.
        name: which of the names in it is the file's.
    """
    chunk = line.get("chunk")
    if "start_s" not in said or not isinstance(chunk, dict) or name != line.get("path"):
        return {}
    try:
        begin = float(chunk["start"])
    except (KeyError, TypeError, ValueError) as e:
        raise ImportRowError("The chunk of the line has no start in seconds.") from e
    return {end: said[end] + begin for end in ("start_s", "end_s")}


def _shown(line: Mapping[str, Any]) -> str:
    """The text that was shown beside a medium; Prodigy's own loaders write the name of its file there."""
    text = read_field(line.get("text"), "text")
    own = {
        part for n in _names(line) if not is_data_url(n) for part in (_last(n), PurePosixPath(_last(n)).stem)
    }
    return "" if text in own else text


def _last(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _row(
    source: Source,
    line: Mapping[str, Any],
    folder: Path,
    splits: Mapping[str, str],
    side: str,
    number: int,
    said: dict[str, Any],
) -> Row:
    split = _split(line) or side
    who = next((read_field(line[c], c, int) for c in WHO if line.get(c)), "")
    facts = {
        "verdict": flagged_verdict(line),
        "split": splits.get(split, SPLIT_NAMES.get(split, "")),
        "annotator": who,
        **said,
    }
    names = _names(line, source.modality)
    if not names:
        raise ImportRowError("The line names no file.")
    why: UserError | None = None
    for name in (name for name in names if not is_data_url(name)):
        try:
            file = source.find(name, folder)
        except ImportRowError as e:
            why = why or e
        else:
            return Row(number, file.name, file, **facts | _in_file(said, line, name))
    data = next(filter(is_data_url, names), "")
    if not data and why is not None:
        raise why
    return Row(number, _last(_name(line)) or f"answer-{number}", data=data_of(data), **facts)


IMPORTERS.add(Prodigy.name, Prodigy())
