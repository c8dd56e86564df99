"""Videos that are being looked through behind the page: how far each is, and stopping it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from mmdemo.asker import OWNER, asking, current
from mmdemo.models.manager import ModelManager
from mmdemo.models.protocols import Task
from mmdemo.models.video.aligner import VideoTower
from mmdemo.retrieval.background import MOST_TOLD, Background, put_newest
from mmdemo.retrieval.video.frames import frame_features, is_kept
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

TASK: Task = "video-text"


class FrameJobs:
    """Owns the videos that are being looked through."""

    def __init__(self, ws: Workspace, models: ModelManager) -> None:
        self._ws = ws
        self._models = models
        self._background = Background("mmdemo-frames")
        self._done_s: dict[str, float] = {}
        self._begun: dict[str, float] = {}  # monotonic seconds

    def start(self, item: Item, version: str) -> None:
        """Look through a video behind the page; asking again while it is on changes nothing."""
        if self._background.asked_again(item.id):
            return
        put_newest(self._done_s, item.id, 0.0, MOST_TOLD)
        put_newest(self._begun, item.id, time.monotonic(), MOST_TOLD)
        asker = OWNER if item.listed else current()  # what is in the collection is trusted

        def progress(seconds: float) -> None:
            self._done_s[item.id] = seconds

        def work(stopped: Callable[[], bool]) -> None:
            tower = cast(VideoTower, self._models.aligner(TASK, version).towers.media)
            self._begun[item.id] = time.monotonic()
            with asking(asker):
                frame_features(self._ws, tower, item, stopped, progress, patient=True)

        self._background.start(item.id, work, f"Looking through {item.name} failed")

    def stop(self, item: Item) -> None:
        """Ask it to stop."""
        self._background.stop(item.id)

    def is_on(self, item_id: str) -> bool:
        """Whether a video is being looked through."""
        return self._background.is_running(item_id)

    def close(self) -> None:
        """Stop all of them, and wait until they have."""
        self._background.close()

    def state(self, item: Item, tower_id: str) -> dict[str, Any]:
        """How far it is: complete, running, done (seconds of the video), eta_s, error."""
        running = self._background.is_running(item.id)
        done_s = self._done_s.get(item.id, 0.0)
        spent_s = time.monotonic() - self._begun.get(item.id, time.monotonic())
        left_s = max(0.0, (item.duration_s or 0.0) - done_s)
        return {
            "complete": is_kept(self._ws, tower_id, item.id),
            "running": running,
            "done": round(done_s, 2),
            "eta_s": left_s * spent_s / done_s if running and done_s > 0 else None,
            "error": self._background.error(item.id),
        }
