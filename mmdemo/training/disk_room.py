"""The room that a run needs on the disk, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

from mmdemo.errors import StorageError
from mmdemo.store.workspace import Workspace

MB = 1_000_000


def needed_bytes(state: Path) -> int:
    """What going on with a run writes at the most before anything is removed: a check-point as large as its
    largest, and a version, which holds less; 0: it has none yet.

    Args:
        state: the folder of its check-points.
    """
    return max((file.stat().st_size for file in state.glob("*.safetensors")), default=0)


def disk_full(needed: int) -> StorageError:
    """What to say of a run that the disk had no room for.

    Args:
        needed: bytes of what could not be written; 0: nobody knows.
    """
    room = f"{-(-needed // MB)} MB" if needed else "some space"
    return StorageError(
        "The disk is full.", f"Free {room}, then go on with the run: nothing it was trained on is lost."
    )


def require_disk_room(ws: Workspace, run_id: str) -> None:
    """Refuse to go on with a run where the disk has no room for it.

    Raises:
        StorageError: how much it takes, and how much there is.
    """
    needed, free = needed_bytes(ws.run_folder(run_id) / "state"), ws.media.free_bytes()
    if needed > free:
        raise StorageError(
            f"Going on with {run_id} takes about {-(-needed // MB)} MB of the disk, and {free // MB} MB are "
            "free.",
            "Free some space, then go on with it: nothing it was trained on is lost.",
        )
