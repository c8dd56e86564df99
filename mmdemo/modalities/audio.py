"""Recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.heavy_imports import lazy
from mmdemo.modality import MODALITIES, Facts, Modality
from mmdemo.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from mmdemo.store.tables import Item
    from mmdemo.store.workspace import Workspace

SUFFIXES = (
    ".wav .mp3 .m4a .m4b .aac .ogg .oga .opus .flac .webm .wma .amr .aif .aiff .au .caf .wv .ac3 .mka "
    ".mp4 .mov .mkv .avi .3gp .mpg .mpeg"
)


def describe(data: bytes | Path, settings: Settings) -> Facts:
    """Its length."""
    from mmdemo.media.trial import probed

    facts = probed("audio", data, settings.max_hours)
    return Facts(facts.suffix, duration_s=facts.duration_s)


def decode(tower: Any, source: bytes | Path, settings: Settings | None) -> np.ndarray:
    """(N,) samples at 16 kHz of what makes its vector: of a longer recording the beginning."""
    from mmdemo.media.audio import decode_audio
    from mmdemo.retrieval.embed import HEARD_S

    return decode_audio(source, 0.0, HEARD_S)


def decode_span(tower: Any, source: bytes | Path, start_s: float, end_s: float | None) -> np.ndarray:
    """(N,) samples at 16 kHz between two times."""
    from mmdemo.media.audio import decode_audio

    return decode_audio(source, start_s, end_s)


def load(ws: Workspace, tower: Any, item: Item) -> Any:
    """The encoder states that are kept of it, where the tower recognises speech; else its samples."""
    from mmdemo.models.speech.aligner import hears_words
    from mmdemo.retrieval.embed import encoder_states

    if hears_words(tower):
        return encoder_states(ws, tower, item)
    return decode(tower, ws.media_path(item), ws.settings)


def heard(ws: Workspace, tower: Any, item: Item) -> str:
    """What a recogniser takes down of it in passing; nothing where the tower hears sounds only."""
    from mmdemo.models.speech.aligner import hears_words
    from mmdemo.retrieval.embed import encoder_states

    return encoder_states(ws, tower, item).heard if hears_words(tower) else ""


def draw(ws: Workspace, item: Item, side_px: int) -> Image:
    """Its waveform."""
    import numpy as np

    from mmdemo.media.waveform import draw_waveform

    peaks = np.fromfile(ws.peaks(item), np.int8).reshape(-1, 2)
    return draw_waveform(peaks, side_px)


MODALITIES.add(
    "audio",
    Modality(
        name="audio",
        task="speech-text",
        noun="recording",
        plural="recordings",
        title="Speech",
        default_model="whisper-tiny-en-minilm",
        model_setting="speech_model",
        suffixes=frozenset(SUFFIXES.split()),
        describe=describe,
        decode=decode,
        draw=draw,
        heard=heard,
        tab="speech",
        player="wave",
        media_types={
            ".wav": "audio/wav",
            ".mp3": "audio/mpeg",
            ".ogg": "audio/ogg",
            ".flac": "audio/flac",
            ".m4a": "audio/mp4",
        },
        has_sound=True,
        sample=lambda tower: lazy("mmdemo.models.try_out:noise_sound")(),
        load=load,
        decode_span=decode_span,
        searcher=lazy("mmdemo.retrieval.speech.search:SpeechSearcher"),
        pair_dataset=lazy("mmdemo.training.trainables.pair_data:StillPairs"),
        caption=lambda app, item, version: app.speech.caption(item, version),
        vocabulary=lazy("mmdemo.evaluation.transcripts:learn_vocabulary"),
        doubts=(
            ("misheard", lazy("mmdemo.labeling.disagreement:misheard")),
            ("times", lazy("mmdemo.labeling.disagreement:apart_in_time")),
        ),
        pipeline_tag="audio-classification",
        known_as="audio",
    ),
)
