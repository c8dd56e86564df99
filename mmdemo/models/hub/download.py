"""Fetching a model from the Hub before it is loaded: how far it is, how long it will take, and stopping it.

What was fetched stays in the cache of huggingface_hub, where every loader finds it; a download that was
stopped or cut off goes on from there the next time.
"""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.errors import UserError
from mmdemo.models.hub.errors import unavailable
from mmdemo.models.hub.local_cache import is_cached, repositories
from mmdemo.models.hub.reach import require_hub, whose_token
from mmdemo.models.presets import Preset, Repository, split_revision

BAR = "huggingface_hub.snapshot_download"  # the name of the bar that counts bytes


@dataclass(frozen=True)
class Fetched:
    """How far a download is."""

    done: int  # bytes
    total: int
    seconds: float  # since it began

    def __str__(self) -> str:
        share = f"{self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB"
        if self.done <= 0 or self.seconds < 1:
            return share
        left = self.seconds * (self.total - self.done) / self.done
        return f"{share}, {f'{left:.0f} s' if left < 90 else f'{left / 60:.0f} min'} left"


class DownloadStoppedError(UserError):
    """Somebody stopped a download."""


def fetch(
    preset: Preset, told: Callable[[Fetched], None], stopped: Callable[[], bool] = lambda: False
) -> None:
    """Bring what a preset is loaded from into the cache; nothing is asked of the network where it is there.

    Args:
        preset: which.
        told: hears how far it is.
        stopped: looked at while it is fetched.

    Raises:
        UserError: there is no such model, no right to it, no network, or no room on the disk.
        DownloadStoppedError: somebody stopped it.
    """
    for repository in repositories(preset):
        if not is_cached(repository.name, repository.weights):
            require_hub(repository.name, "fetched")
            _fetch_one(repository, told, stopped)


def _fetch_one(repository: Repository, told: Callable[[Fetched], None], stopped: Callable[[], bool]) -> None:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.utils import tqdm as hub_bar

    begun, name = time.perf_counter(), repository.name

    class Bar(hub_bar):
        """Draws nothing, and tells how far the bytes are."""

        def __init__(self, *args: Any, **options: Any) -> None:
            self._counts, self._done = options.get("name") == BAR, 0  # tqdm counts nothing where bars are off
            super().__init__(*args, **options | {"file": io.StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> Any:
            if stopped():
                raise DownloadStoppedError(
                    f"Fetching {name} was stopped.", "It goes on from there next time."
                )
            found = super().update(n)
            if self._counts:
                self._done += int(n or 0)
                told(Fetched(self._done, int(self.total or 0), time.perf_counter() - begun))
            return found

    repo, revision = split_revision(name)
    how: dict[str, Any] = {
        "allow_patterns": list(repository.files),
        "tqdm_class": Bar,
        **revision,
        **whose_token(),
    }
    try:
        listed = snapshot_download(repo, dry_run=True, **how)
        lacking = sum(one.file_size for one in listed if one.will_download)
        cache = Path(constants.HF_HUB_CACHE)
        cache.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(cache).free
        if lacking > free:
            raise UserError(
                f"{name} is {lacking / 1e6:.0f} MB, and {free / 1e6:.0f} MB of the disk are free.",
                "Free some space, or choose a smaller model.",
            )
        snapshot_download(repo, **how)
    except UserError:
        raise
    except Exception as e:  # of the Hub, of its client, of the network: many kinds, one answer
        raise unavailable(name, e, "fetched") from e
