"""The page's API: named endpoints with types, meanings and examples, for scripts and agents.

The names, parameters and answers are stable. Where a pass phrase is set, endpoints that change something
want it in the header x-mmdemo-passphrase: `Client(url, headers={"x-mmdemo-passphrase": "..."})`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from mmdemo.demo import Demo
from mmdemo.errors import MmdemoError, UserError
from mmdemo.hearing import SPEECH
from mmdemo.retrieval.query import Query
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Item
from mmdemo.ui.access import HEADER, require_access
from mmdemo.watching import VIDEO

FileData = dict[str, Any]


def add_endpoints(demo: Demo) -> None:
    """Register every endpoint on the Blocks that is being built."""

    def guard(request: gr.Request) -> None:
        require_access(demo.settings, request.headers.get(HEADER) if request else None)

    def kept(file: FileData, task: str = "") -> Item:
        if not isinstance(file, dict) or not file.get("path"):
            raise UserError("No file was given.", "Pass handle_file(path).")
        path = Path(file["path"])
        return demo.keep(path, "upload", demo.check_task(task) if task else demo.task_of_file(path))

    def align(file: gr.FileData, texts: str, task: str = "image-text") -> dict[str, Any]:
        """Score how well each text fits a picture, or which of them was said in a recording.

        Args:
            file: the picture or recording, as handle_file("cat.jpg").
            texts: the captions, one a line, such as "a tabby cat\\na dog".
            task: "image-text", "speech-text" or "video-text".

        Returns:
            {"model": "...", "scores": [{"text": "a tabby cat", "similarity": 0.70, "probability":
            0.98}]}, in the order given; similarity is a cosine, probability is calibrated.
        """
        return demo.align(kept(file, task), texts.splitlines())

    def caption(file: gr.FileData) -> dict[str, Any]:
        """Propose captions for a picture, best first; of a recording, its transcript and a title.

        Args:
            file: the picture or recording, as handle_file("cup.jpg").

        Returns:
            {"model": "...", "captions": [{"text": "an espresso", "score": 0.99, "start": null, "end":
            null}]}; score is the calibrated probability that the text fits.
        """
        return demo.caption(kept(file))

    def transcribe(file: gr.FileData) -> dict[str, Any]:
        """Write down what is said in a recording, with the time and probability of each word.

        Args:
            file: the recording, as handle_file("said.wav"); a video's sound works too.

        Returns:
            {"text": "The train...", "words": [{"word": "The", "start": 0.2, "end": 0.4, "probability":
            0.9}], "segments": [{"text", "start", "end"}], "note": ""}; times are seconds.
        """
        heard = demo.transcribe(kept(file, SPEECH))
        return {name: heard[name] for name in ("model", "language", "text", "words", "segments", "note")}

    def moments(file: gr.FileData, query: str) -> dict[str, Any]:
        """Find where in a video a text is shown or said.

        Args:
            file: the video, as handle_file("holiday.mp4").
            query: what to look for, such as "a dog on the beach".

        Returns:
            {"moments": [{"start": 2.7, "end": 4.6, "score": 0.41, "probability": 0.8, "found_by":
            "pictures", "text": ""}], "curve": [[0.0, 0.1], [0.5, 0.12]]}, best first; times are seconds.
        """
        found = demo.moments(kept(file, VIDEO), query)
        return {name: found[name] for name in ("model", "moments", "curve")}

    def search(
        query: str, file: gr.FileData | None = None, task: str = "image-text", k: int = 10
    ) -> dict[str, Any]:
        """Search the collection by words, by a picture or recording, or by both together.

        Args:
            query: words, such as "a red apple"; empty when a picture alone is meant.
            file: a picture or recording, as handle_file("apple.jpg"), or null.
            task: "image-text", "speech-text" or "video-text".
            k: how many results, 1 to 200.

        Returns:
            {"results": [{"item": "13cf...", "file": "apple.jpg", "text": "An apple", "score": 0.69,
            "start": null, "end": null}], "no_match": false}, best first; no_match is true when even the
            best is below the calibrated threshold of this collection.
        """
        from mmdemo.retrieval.embed import decode_file

        known = demo.check_task(task)
        medium = None
        if file:
            medium = decode_file(demo.models.aligner(known).towers.media, Path(file["path"]))
        return demo.search(Query(text=query, medium=medium, k=k), known).as_json()

    def next_pair(task: str = "image-text", batch: str = "") -> dict[str, Any]:
        """The pair that would teach the model most if it were labelled now.

        Args:
            task: "image-text", "speech-text" or "video-text".
            batch: only pairs from this source, such as the name of an import; empty: all.

        Returns:
            {"pair": 17, "item": "13cf...", "text": "An apple", "file": "mmdemo/media/13cf...", "start":
            null, "end": null}, or {"pair": null, "reason": "..."} when none is left.
        """
        return demo.next_pair(task, batch)

    def label(
        request: gr.Request,
        pair: int,
        verdict: str,
        text: str = "",
        start: float | None = None,
        end: float | None = None,
        comment: str = "",
    ) -> dict[str, Any]:
        """Record a label on a pair; the answer comes once the label is on disk.

        Args:
            pair: its number, from /next_pair.
            verdict: "match", "mismatch" or "unsure".
            text: a corrected text, or empty.
            start: a corrected start in seconds, or null.
            end: a corrected end in seconds, or null.
            comment: anything worth saying.

        Returns:
            {"label": 301, "saved": "disk"}
        """
        guard(request)
        who = str(request.username or "") if request else ""
        return demo.label(pair, NewLabel(verdict, text, start, end, comment, annotator=who))

    def undo(request: gr.Request, label: int) -> dict[str, Any]:
        """Take a label back; the one before it is in force again.

        Args:
            label: its number, from /label.

        Returns:
            {"label": 302}, the number of the label that takes it back.
        """
        guard(request)
        return demo.undo(label)

    def label_counts(task: str = "image-text") -> dict[str, int]:
        """How far the labelling is.

        Args:
            task: "image-text", "speech-text" or "video-text".

        Returns:
            {"pairs": 384, "match": 161, "mismatch": 11, "unsure": 0, "train": 60, "held_out": 112}
        """
        return demo.label_counts(task)

    def start_training(
        request: gr.Request, task: str = "image-text", method: str = "head", epochs: int = 0, seed: int = 0
    ) -> dict[str, Any]:
        """Start a fine-tuning on the labels; its version is promoted when it is better.

        Args:
            task: "image-text", "speech-text" or "video-text".
            method: "head".
            epochs: how many, or 0 for the method's default.
            seed: of every random choice.

        Returns:
            {"run": "run-20260131-120000-a1b2"}
        """
        guard(request)
        return {"run": demo.start_training(task, method, {"epochs": epochs, "seed": seed}, "when-better")}

    def training_status(run: str = "") -> dict[str, Any]:
        """Where a run stands.

        Args:
            run: its id, or empty for the latest.

        Returns:
            {"run", "status": "queued" | "running" | "done" | "stopped" | "failed", "epoch", "epochs", "loss",
            "recall", "eta_s", "before", "after", "model", "promoted"}; recall is the held-out mean recall in
            percent, before and after are the JSON of evaluate.
        """
        return demo.jobs.status(run)

    def stop_training(request: gr.Request, run: str = "") -> dict[str, Any]:
        """Ask a run to stop; what it has learned until then is kept as a version.

        Args:
            run: its id, or empty for the latest.

        Returns:
            {"run": "run-20260131-120000-a1b2"}
        """
        guard(request)
        return {"run": demo.jobs.stop(run)}

    def versions(task: str = "image-text") -> dict[str, Any]:
        """The versions of the model, oldest first.

        Args:
            task: "image-text", "speech-text" or "video-text".

        Returns:
            {"versions": [{"id": "efficientnet-lite0-minilm", "task": "image-text", "parent": null, "run":
            null, "active": true}]}
        """
        return demo.versions(task)

    def activate(request: gr.Request, version: str) -> dict[str, Any]:
        """Make a version the one that answers.

        Args:
            version: its id, from /versions.

        Returns:
            As /versions.
        """
        guard(request)
        return demo.activate(version)

    def export(request: gr.Request, task: str = "image-text", format: str = "jsonl") -> dict[str, Any]:
        """Export the labels with their files.

        Args:
            task: "image-text", "speech-text" or "video-text".
            format: "jsonl", "csv", "parquet", "datasets", "coco", "label-studio" or "argilla".

        Returns:
            {"pairs": 172, "labels": 172, "path": "mmdemo/download/..."}: a zip below the page's address;
            gradio_client downloads it and gives its local path instead.
        """
        from mmdemo.ui.tabs.data import export as pack

        demo.check_task(task)
        packed = pack(demo, {"format": format, "task": task})
        return {"pairs": packed["pairs"], "labels": packed["labels"], "path": packed["address"]}

    for function in (align, caption, transcribe, moments, search):
        gr.api(_worded(function), api_name=function.__name__, concurrency_id="model", concurrency_limit=1)
    for quick in (next_pair, label, undo, label_counts, training_status):
        gr.api(_worded(quick), api_name=quick.__name__, queue=False)
    for other in (start_training, stop_training, versions, activate, export):
        gr.api(_worded(other), api_name=other.__name__)


def _worded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with mmdemo's errors as Gradio's: one sentence, no stack trace."""
    from functools import wraps

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except MmdemoError as e:
            raise gr.Error(str(e), print_exception=False) from e

    return call
