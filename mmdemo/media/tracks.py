"""Which of a file's tracks is meant, and where its clock has its zero: sound and pictures agree on both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import av
from av.stream import Disposition

Track = TypeVar("Track", bound=av.stream.Stream)

# A cover or a preview is no video.
NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails


def default_track(tracks: Iterable[Track]) -> Track | None:
    """The track that players begin with: the first that the file marks as its default, of those that can be
    decoded; where none is marked, the first.
    """
    every = [track for track in tracks if track.codec_context is not None]
    return next(
        (track for track in every if track.disposition & Disposition.default), next(iter(every), None)
    )


def sound_of(container: av.container.InputContainer) -> av.AudioStream | None:
    """The track that is heard; None: there is none that can be decoded."""
    return default_track(container.streams.audio)


def pictures_of(container: av.container.InputContainer) -> av.VideoStream | None:
    """The track that is seen, likewise."""
    return default_track(track for track in container.streams.video if not track.disposition & NO_VIDEO)


def zero_s(container: av.container.InputContainer) -> float:
    """The container's time at which the earliest track begins, which is a player's zero. Seconds."""
    return (container.start_time or 0) / av.time_base


def length_s(container: av.container.InputContainer) -> float | None:
    """How long it says it is, from its zero on; None: it does not."""
    if not container.duration:
        return None
    told = container.duration / av.time_base
    counted_from_0 = "matroska" in container.format.name  # there it is the time at which the last frame ends
    return max(0.0, told - max(0.0, zero_s(container))) if counted_from_0 else told
