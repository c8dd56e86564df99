"""Tasks for Label Studio (labelstud.io/guide/tasks), which `import` reads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter, Labels, write_list
from mmdemo.data.exporters.data_urls import beside, data_url, is_inline
from mmdemo.errors import MediaError
from mmdemo.label_kinds import LABEL_KINDS

AT_A_TIME = 100_000_000  # bytes of files in one JSON; Label Studio takes 250 MB, and base64 adds a third
SERVED = "/data/local-files/?d="  # and a path below its LOCAL_FILES_DOCUMENT_ROOT
TAGS = {"image": "Image", "audio": "Audio", "video": "Video"}  # of its labelling interface
REGIONS = {"audio": "Labels", "video": "TimelineLabels"}  # the control whose regions are spans, by the tag
SHOWN_INSIDE = frozenset({"image", "video"})  # what it shows of a data URL; sound it fetches, and is refused
COLOURS = {"good": "green", "bad": "red", "neutral": "gray"}  # of a kind of label, by its tone
FPS = 25.0  # frames a second of a video that does not say


def write_label_studio(out: Path, labels: Labels) -> Path:
    """label_config.xml for the project's settings, and tasks-00001.json and so on for its import.

    A task is a pair, and each annotation of it a label. Files stand in the tasks as data URLs; recordings and
    large files lie in media/, from where it serves them if the export's folder is its document root.
    """
    tasks = _Tasks(out, labels)
    number = 0
    while not tasks.ended:
        number += 1
        write_list(out / f"tasks-{number:05}.json", tasks.part())
    (out / "label_config.xml").write_text(label_config(tasks.key), encoding="utf-8")
    return out / "tasks-00001.json"


class _Tasks:
    """The tasks, a part at a time."""

    def __init__(self, out: Path, labels: Labels) -> None:
        self._out = out
        self._pairs = groupby(labels, lambda label: label.pair)
        self._next = self._take()
        self.key = self._next[0].key if self._next else ""

    @property
    def ended(self) -> bool:
        """Whether there is none left."""
        return self._next is None

    def part(self) -> Iterator[dict[str, Any]]:
        """The tasks of one JSON."""
        held = 0
        while self._next is not None:
            size = self._next[0].medium.stat().st_size if _stands_inside(self._next[0]) else 0
            if held and held + size > AT_A_TIME:
                return
            held += size
            yield _task(self._next, self._file_of(self._next[0]))
            self._next = self._take()

    def _take(self) -> list[ExportedLabel] | None:
        return next(([*own] for _, own in self._pairs), None)

    def _file_of(self, label: ExportedLabel) -> str:
        return data_url(label) if _stands_inside(label) else f"{SERVED}{quote(beside(self._out, label))}"


def _stands_inside(label: ExportedLabel) -> bool:
    """Whether a label's file is in its task, and none that is served beside it."""
    return label.key in SHOWN_INSIDE and is_inline(label)


def label_config(key: str) -> str:
    """The labelling interface in which the tasks are shown, of files of a kind."""
    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in LABEL_KINDS)
    spans = "".join(
        f'<Label value={quoteattr(name)} background="{COLOURS[kind.tone]}"/>'
        for name, kind in LABEL_KINDS.items()
    )
    rate = ' frameRate="$fps"' if key == "video" else ""
    lines = [
        '<Text name="caption" value="$text"/>',
        f'<Choices name="verdict" toName="{key}" choice="single" showInLine="true">{choices}</Choices>',
    ]
    if key in REGIONS:
        lines.append(f'<{REGIONS[key]} name="span" toName="{key}">{spans}</{REGIONS[key]}>')
    lines.append(f'<{TAGS[key]} name="{key}" value="${key}"{rate}/>')
    for name in ("corrected_text", "comment"):
        told = name.replace("_", " ")
        lines.append(f'<TextArea name="{name}" toName="{key}" maxSubmissions="1" placeholder="{told}"/>')
    return "\n  ".join(["<View>", *lines]) + "\n</View>\n"


def _task(labels: list[ExportedLabel], file: str) -> dict[str, Any]:
    label = labels[-1]
    data: dict[str, Any] = {
        "pair": label.pair,
        "text": label.text,
        "file_name": label.name,
        "split": label.split,
    }
    data |= {"source": label.source, "annotators": sorted({one.annotator for one in labels if one.annotator})}
    if len({(one.start, one.end) for one in labels}) == 1:  # else each says its own
        data |= {name: at for name, at in (("start", label.start), ("end", label.end)) if at is not None}
    if label.key == "video":
        data["fps"] = _frames_a_second(label.medium)
    annotations = [{"result": _result(one, data.get("fps", FPS))} for one in labels]
    return {"annotations": annotations, "data": data | {label.key: file}}  # the file last: it may be long


def _result(label: ExportedLabel, fps: float) -> list[dict[str, Any]]:
    """What a label says, as regions of the task; the `meta` of each says who said it, and whether it is in
    force.
    """
    said: list[tuple[str, str, dict[str, Any]]] = [("verdict", "choices", {"choices": [label.verdict]})]
    if label.corrected_text:
        said.append(("corrected_text", "textarea", {"text": [label.corrected_text]}))
    if label.comment:
        said.append(("comment", "textarea", {"text": [label.comment]}))
    if label.is_span and label.key in REGIONS:
        kind = REGIONS[label.key].lower()
        said.append(("span", kind, _span(label, fps) | {kind: [label.verdict]}))
    meta = {"annotator": label.annotator, "start": label.start, "end": label.end, "in_force": label.in_force}
    told = {"meta": {name: value for name, value in meta.items() if value not in ("", None)}}
    return [
        {"id": f"{label.label}-{name}", "from_name": name, "to_name": label.key, "type": kind, "value": value}
        | told
        for name, kind, value in said
    ]


def _span(label: ExportedLabel, fps: float) -> dict[str, Any]:
    """Where a span is, in seconds of sound or frames of a video, the first of which is 1; open ends are those
    of the file.
    """
    start = label.start or 0.0
    end = label.end if label.end is not None else max(label.duration_s or start, start)
    if label.key == "video":
        first = int(start * fps) + 1
        return {"ranges": [{"start": first, "end": max(first, round(end * fps))}]}
    return {"start": start, "end": end, "channel": 0}


def _frames_a_second(video: Path) -> float:
    from mmdemo.media.video import probe_video

    try:
        return probe_video(video, patient=True).rate_hz
    except MediaError:
        return FPS


ABOUT = "finished tasks for Label Studio, with the pictures and videos in them"
EXPORTERS.add("label-studio", Exporter(ABOUT, 310, write_label_studio, frozenset(TAGS), packs=True))
