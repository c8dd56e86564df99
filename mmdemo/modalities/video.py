"""Videos: a span of one has a text of its own, and is seen through its frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.heavy_imports import lazy
from mmdemo.modality import MODALITIES, Facts, Modality, Spans
from mmdemo.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmdemo.models.video.aligner import FrameFeatures
    from mmdemo.store.tables import Item
    from mmdemo.store.workspace import Workspace

FRAMES = "mmdemo.retrieval.video.frames"
SUFFIXES = ".mp4 .m4v .mov .mkv .webm .avi .wmv .flv .mpg .mpeg .ts .mts .m2ts .ogv .3gp .gif"
READ_IN, READ_PX = 8, 960  # frames, and the side at which what is written in them is read
SHOWN_AT = 0.1  # of its length: what its picture shows, as openings are often black


def describe(data: bytes | Path, settings: Settings) -> Facts:
    """Its size and length."""
    from mmdemo.media.trial import probed

    facts = probed("video", data, settings.max_hours)
    return Facts(facts.suffix, facts.width, facts.height, facts.duration_s)


def decode(tower: Any, source: bytes | Path, settings: Settings | None) -> FrameFeatures:
    """The features of its frames, with its shots."""
    from mmdemo.retrieval.video.frames import analyse_video

    return analyse_video(tower, source)


def draw(ws: Workspace, item: Item, side_px: int) -> Image:
    """A frame near its beginning."""
    from mmdemo.media.video import frame_at

    return frame_at(ws.media_path(item), (item.duration_s or 0.0) * SHOWN_AT, side_px).image


def pictures(ws: Workspace, item: Item) -> list[Image]:
    """Frames spread over it, large enough to read in."""
    from mmdemo.media.video import frame_at

    path, length_s = ws.media_path(item), item.duration_s or 0.0
    return [frame_at(path, length_s * (i + 0.5) / READ_IN, READ_PX).image for i in range(READ_IN)]


def cut(medium: FrameFeatures, start_s: float | None, end_s: float | None) -> FrameFeatures:
    """A span by itself."""
    return medium.cut(start_s, end_s)


def end_s(medium: FrameFeatures) -> float:
    """Where its last shot ends."""
    return float(medium.shots[-1, 1])


MODALITIES.add(
    "video",
    Modality(
        name="video",
        task="video-text",
        noun="video",
        plural="videos",
        title="Videos",
        default_model="efficientnet-lite0-minilm-video",
        model_setting="video_model",
        suffixes=frozenset(SUFFIXES.split()),
        describe=describe,
        decode=decode,
        draw=draw,
        pictures=pictures,
        tab="video",
        first_query="grapes",  # something that the first sample shows
        player="video",
        media_types={".mp4": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg"},
        has_sound=True,
        holds=frozenset(["audio"]),
        sample=lazy("mmdemo.models.try_out:noise_video"),
        at_once=1,  # one keeps both cores busy by itself
        load=lazy(f"{FRAMES}:frame_features"),
        spans=Spans(
            parts=lazy(f"{FRAMES}:span_frames"),
            clips=lazy(f"{FRAMES}:span_clips"),
            is_kept=lazy(f"{FRAMES}:is_kept"),
            cut=cut,
            end_s=end_s,
            localise=lazy("mmdemo.evaluation.evaluate:localise"),
        ),
        pair_dataset=lazy("mmdemo.training.trainables.pair_data:VideoPairs"),
        searcher=lazy("mmdemo.retrieval.video.search:VideoSearcher"),
        caption=lambda app, item, version: app.video.describe(item, version),
        known_as="video",
    ),
)
