"""The towers of videos: a tower of pictures or of clips over the frames, and its text tower."""

from __future__ import annotations

from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders import dual
from mmdemo.models.encoders.dual import DualMediaTower, DualTextTower, open_encoder
from mmdemo.models.encoders.efficientnet_minilm import (
    EfficientNetTower,
    grounds_of,
    load_class_vectors,
    shared_text_tower,
)
from mmdemo.models.encoders.video_clips import ClipEncoder, ClipFrames, clip_family
from mmdemo.models.presets import Preset
from mmdemo.models.video.aligner import FrameTower, VideoTower
from mmdemo.settings import Settings


def bundled_towers(preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """EfficientNet over the frames, and the device in words."""
    compute = decide_compute(settings.device, settings.threads)
    frames = EfficientNetTower(preset, compute, load_class_vectors())
    media, text = VideoTower(preset, frames), shared_text_tower(compute)
    grounds = grounds_of(preset, frames)
    return Towers(media, text, bundled_calibration(preset), preset.id, grounds), str(compute)


def bundled_calibration(preset: Preset) -> Calibration:
    """That of the picture preset with the same tower: a moment is scored as a picture is."""
    return load_class_vectors().calibration[preset.id.removesuffix("-video")]


def encoder_towers(preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """A network of clips, or one of pictures over the frames, and the device in words.

    Raises:
        UserError: it cannot be loaded.
    """
    compute = decide_compute(settings.device, settings.threads)
    frames: FrameTower
    if clip_family(preset.media_tower) is not None:
        clips = ClipEncoder(preset.media_tower, compute, preset.adapter)
        frames, text = ClipFrames(preset, clips), DualTextTower(preset, clips)
    else:
        pictures = open_encoder(preset.media_tower, "image", compute, preset.adapter)
        frames, text = DualMediaTower(preset.media_features, pictures), DualTextTower(preset, pictures)
    media = VideoTower(preset, frames)
    return Towers(media, text, encoder_calibration(preset), preset.id), str(compute)


def encoder_calibration(preset: Preset) -> Calibration:
    """Where matches begin before any label, by the family."""
    clip = clip_family(preset.media_tower)
    return clip.prior if clip is not None else dual.base_calibration(preset)
