"""Videos: a span of one has a text of its own, and is seen through its frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.modality import MODALITIES, Facts, Modality, Spans
from mmdemo.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmdemo.models.heads.residual import Sequences
    from mmdemo.models.video.aligner import FrameFeatures
    from mmdemo.store.tables import Item
    from mmdemo.store.workspace import Workspace

SUFFIXES = ".mp4 .m4v .mov .mkv .webm .avi .wmv .flv .mpg .mpeg .ts .mts .m2ts .ogv .3gp .gif"
SHOWN_AT = 0.1  # of its length: what its picture shows, as openings are often black


def describe(data: bytes | Path, settings: Settings) -> Facts:
    """Its size and length."""
    from mmdemo.media.video import probe_video

    facts = probe_video(data)
    return Facts(facts.suffix, facts.width, facts.height, facts.duration_s)


def decode(tower: Any, source: bytes | Path, settings: Settings | None) -> FrameFeatures:
    """The features of its frames, with its shots."""
    from mmdemo.retrieval.frames import analyse_video

    return analyse_video(tower, source)


def load(ws: Workspace, tower: Any, item: Item) -> FrameFeatures:
    """The frame features that are kept of it."""
    from mmdemo.retrieval.frames import frame_features

    return frame_features(ws, tower, item)


def draw(ws: Workspace, item: Item, side_px: int) -> Image:
    """A frame near its beginning."""
    from mmdemo.media.video import frame_at

    return frame_at(ws.media_path(item), (item.duration_s or 0.0) * SHOWN_AT, side_px).image


def parts(
    ws: Workspace, tower_id: str, places: Sequence[tuple[str, float | None, float | None]]
) -> Sequences:
    """The features of the frames of spans."""
    from mmdemo.retrieval.frames import span_frames

    return span_frames(ws, tower_id, places)


def is_kept(ws: Workspace, tower_id: str, item_id: str) -> bool:
    """Whether it was looked through."""
    from mmdemo.retrieval.frames import is_kept

    return is_kept(ws, tower_id, item_id)


def cut(medium: FrameFeatures, start_s: float | None, end_s: float | None) -> FrameFeatures:
    """A span by itself."""
    return medium.cut(start_s, end_s)


def end_s(medium: FrameFeatures) -> float:
    """Where its last shot ends."""
    return float(medium.shots[-1, 1])


def localise(ws: Workspace, aligner: Any, examples: Any) -> Any:
    """How well the first moment lies on the span that a text belongs to."""
    from mmdemo.evaluation.evaluate import localise

    return localise(ws, aligner, examples)


def dataset(ws: Workspace, encoder: Any, examples: Any) -> Any:
    """Some frames of each span, with texts."""
    from mmdemo.training.pair_data import VideoPairs

    return VideoPairs(ws, encoder, examples)


def searcher(ws: Workspace, keeper: Any, task: str) -> Any:
    """Search that lands on the second."""
    from mmdemo.retrieval.video_search import VideoSearcher

    return VideoSearcher(ws, keeper, task)


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
        tab="video",
        media_types={".mp4": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg"},
        has_sound=True,
        holds=frozenset(["audio"]),
        at_once=1,  # one keeps both cores busy by itself
        load=load,
        spans=Spans(parts, is_kept, cut, end_s, localise),
        pair_dataset=dataset,
        searcher=searcher,
    ),
)
