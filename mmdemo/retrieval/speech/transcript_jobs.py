"""Transcripts behind the page: one thread an item, its text growing on disk, stopped and gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from mmdemo.media.audio import audio_blocks
from mmdemo.models.manager import ModelManager
from mmdemo.models.presets import LOADERS
from mmdemo.models.protocols import Task
from mmdemo.models.speech.aligner import recogniser_of
from mmdemo.models.speech.language import language_note
from mmdemo.models.speech.recogniser import Segment
from mmdemo.models.version_source import version_source
from mmdemo.retrieval.background import MOST_TOLD, Background, put_newest
from mmdemo.retrieval.embed import spoken_language
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

TASK: Task = "speech-text"
VOCABULARY = "vocabulary.json"  # in a version's folder


class TranscriptJobs:
    """Owns the transcripts that are being made, and answers for those that are kept."""

    def __init__(self, ws: Workspace, models: ModelManager) -> None:
        self._ws = ws
        self._models = models
        self._background = Background("mmdemo-transcript")  # by item and version
        self._begun: dict[tuple[str, str], tuple[float, float]] = {}  # monotonic time and seconds done then

    def transcribe(
        self, item: Item, version: str, stopped: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """The transcript of an item by a version, made now as far as it is not kept; see `state`."""
        kept = self._ws.transcripts.get(item.id, version)
        if kept is None or not kept.complete:
            segments = list(kept.segments) if kept else []
            done_s = kept.done_s if kept else 0.0
            aligner = self._models.aligner(TASK, version)
            recogniser = recogniser_of(aligner.towers.media)
            path = self._ws.media_path(item)
            language = kept.language if kept else spoken_language(self._ws, aligner.towers.media, item)
            pieces = recogniser.transcribe(
                audio_blocks(path, start_s=done_s), vocabulary_of(self._ws, version), stopped, language
            )
            base_s = done_s
            for found, seconds in pieces:
                segments += [asdict(_moved(s, base_s)) for s in found]
                done_s = base_s + seconds
                self._ws.transcripts.put(item.id, version, language, segments, done_s, False)
            if not stopped():
                self._ws.transcripts.put(item.id, version, language, segments, done_s, True)
        return self.state(item, version)

    def start(self, item: Item, version: str) -> None:
        """Make a transcript behind the page; asking again while it is made changes nothing."""
        key = (item.id, version)
        if self._background.asked_again(key):
            return
        kept = self._ws.transcripts.get(item.id, version)
        put_newest(self._begun, key, (time.monotonic(), kept.done_s if kept else 0.0), MOST_TOLD)

        def work(stopped: Callable[[], bool]) -> None:
            self.transcribe(item, version, stopped)

        self._background.start(key, work, "The transcript failed")

    def stop(self, item: Item, version: str) -> None:
        """Ask a transcript to stop; what there is of it is kept."""
        self._background.stop((item.id, version))

    def is_on(self, item_id: str) -> bool:
        """Whether a transcript of an item is being made."""
        return any(key[0] == item_id for key in self._background.running() if isinstance(key, tuple))

    def close(self) -> None:
        """Stop all of them, and wait until they have."""
        self._background.close()

    def state(self, item: Item, version: str) -> dict[str, Any]:
        """The JSON of `transcribe`, with how far it is."""
        key = (item.id, version)
        kept = self._ws.transcripts.get(item.id, version)
        segments = kept.segments if kept else []
        done_s = kept.done_s if kept else 0.0
        running = self._background.is_running(key)
        begun_s, from_s = self._begun.get(key, (time.monotonic(), done_s))
        rate = (done_s - from_s) / max(1e-6, time.monotonic() - begun_s)
        left_s = max(0.0, (item.duration_s or 0.0) - done_s)
        return {
            "model": version,
            "language": kept.language if kept else "",
            "text": " ".join(s["text"] for s in segments),
            "words": [w for s in segments for w in s["words"]],
            "segments": [{k: s[k] for k in ("text", "start", "end")} for s in segments],
            "duration": item.duration_s,
            "done": done_s,
            "complete": bool(kept and kept.complete),
            "running": running,
            "eta_s": left_s / rate if running and rate > 0 else None,
            "error": self._background.error(key),
            "note": "No speech was found." if kept and kept.complete and not segments else "",
            "language_note": self._language_note(version, kept.language) if kept and segments else "",
        }

    def _language_note(self, version: str, language: str) -> str:
        """What does not work of a recording whose language the version's text tower does not know."""
        own_texts = LOADERS[version_source(self._ws, version).preset.loader].own_texts
        return "" if own_texts else language_note(language)


def vocabulary_of(ws: Workspace, version: str) -> list[str]:
    """The words a version was taught: those of its training texts that the base recogniser got wrong."""
    import json

    path = ws.version_folder(version) / VOCABULARY
    words: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return words


def _moved(segment: Segment, by_s: float) -> Segment:
    if not by_s:
        return segment
    from dataclasses import replace

    words = tuple(replace(w, start=w.start + by_s, end=w.end + by_s) for w in segment.words)
    return replace(segment, start=segment.start + by_s, end=segment.end + by_s, words=words)
