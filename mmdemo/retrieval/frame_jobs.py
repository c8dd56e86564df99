"""Videos that are being looked through behind the page: how far each is, and stopping it."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, cast

from mmdemo.errors import MmdemoError
from mmdemo.models.manager import ModelManager
from mmdemo.models.protocols import Task
from mmdemo.models.video.aligner import VideoTower
from mmdemo.retrieval.frames import frame_features, is_kept
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
CLOSE_S = 10.0
TASK: Task = "video-text"


class FrameJobs:
    """Owns the videos that are being looked through."""

    def __init__(self, ws: Workspace, models: ModelManager) -> None:
        self._ws = ws
        self._models = models
        self._running: dict[str, threading.Event] = {}  # item: its stop flag
        self._done_s: dict[str, float] = {}
        self._begun: dict[str, float] = {}  # monotonic seconds
        self._errors: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self, item: Item, version: str) -> None:
        """Look through a video behind the page; asking again while it is on changes nothing."""
        with self._lock:
            if item.id in self._running:
                return
            stop = self._running[item.id] = threading.Event()
            self._errors.pop(item.id, None)
            self._done_s[item.id], self._begun[item.id] = 0.0, time.monotonic()

        def progress(seconds: float) -> None:
            self._done_s[item.id] = seconds

        def run() -> None:
            try:
                tower = cast(VideoTower, self._models.aligner(TASK, version).towers.media)
                self._begun[item.id] = time.monotonic()
                frame_features(self._ws, tower, item, stop.is_set, progress)
            except MmdemoError as e:
                self._errors[item.id] = str(e)
            except Exception as e:
                log.exception("looking through %s failed", item.name)
                self._errors[item.id] = f"The video could not be looked through: {e}."
            finally:
                with self._lock:
                    del self._running[item.id]

        thread = threading.Thread(target=run, name="mmdemo-frames", daemon=True)
        thread.start()
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]

    def close(self) -> None:
        """Stop all of them, and wait until they have."""
        with self._lock:
            for flag in self._running.values():
                flag.set()
        for thread in self._threads:
            thread.join(CLOSE_S)

    def stop(self, item: Item) -> None:
        """Ask it to stop."""
        with self._lock:
            flag = self._running.get(item.id)
        if flag is not None:
            flag.set()

    def state(self, item: Item, tower_id: str) -> dict[str, Any]:
        """How far it is: complete, running, done (seconds of the video), eta_s, error."""
        running = item.id in self._running
        done_s = self._done_s.get(item.id, 0.0)
        spent_s = time.monotonic() - self._begun.get(item.id, time.monotonic())
        left_s = max(0.0, (item.duration_s or 0.0) - done_s)
        return {
            "complete": is_kept(self._ws, tower_id, item.id),
            "running": running,
            "done": round(done_s, 2),
            "eta_s": left_s * spent_s / done_s if running and done_s > 0 else None,
            "error": self._errors.get(item.id, ""),
        }
