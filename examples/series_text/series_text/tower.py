"""Series to features without a trained network: statistics, and the words that they stand for.

Each of WORDS is as strong as a statistic says; their mean is the untrained vector (the idea of ConSE, Norouzi
et al. 2013, arXiv:1312.5650). A head learns the rest from the shape, the spectrum and the statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.efficientnet_minilm import shared_text_tower
from mmdemo.models.presets import Preset
from mmdemo.models.protocols import TextTower
from mmdemo.settings import Settings

SHAPE, SPECTRUM = 64, 32
WORDS = ["it rises", "it falls", "a slow periodic wave", "a fast oscillation", "random noise, irregular"]
WORDS += ["a sudden sharp spike", "a step to a higher level", "a step to a lower level"]
WORDS += ["it is flat, constant"]
PRIOR = Calibration(scale=10.0, bias=-4.3)  # of drawn series, one right text in five: 0.49 against 0.18


class SeriesTower:
    """(T, C) series to (N, D + 105) features."""

    modality = "series"

    def __init__(self, preset: Preset, text: TextTower) -> None:
        self.id, self.dim, self.feature_dim = preset.media_features, preset.dim, preset.feature_dim
        self._words = text.encode(WORDS)  # (W, D)

    def prepare(self, medium: np.ndarray) -> np.ndarray:
        """(105,) of a series: the mean over its channels."""
        return np.mean([channel_features(channel) for channel in medium.T], axis=0)

    def encode(self, media: Sequence[np.ndarray]) -> np.ndarray:
        """(N, F) float32 features of series, decoded or already prepared."""
        states = np.stack([m if m.ndim == 1 else self.prepare(m) for m in media])  # (N, 105)
        strength = states[:, -len(WORDS) :] ** 2
        return np.concatenate([strength @ self._words, states], axis=1).astype(np.float32)


def channel_features(values: np.ndarray) -> np.ndarray:
    """(105,) of a (T,) channel: its shape, its log spectrum, and how strong each of WORDS is, 0..1."""
    spread, count = float(values.std()), len(values)
    z, time = (values - values.mean()) / max(spread, 1e-12), np.linspace(-1, 1, count)
    slope = float((z * time).mean() / (time**2).mean())
    trend, rest = slope * float(time.std()), z - slope * time  # the correlation with time, and what it leaves
    power = np.abs(np.fft.rfft(rest))[1:] ** 2
    power /= max(float(power.sum()), 1e-12)
    top = int(power.argmax())
    waves = float(power[max(0, top - 1) : top + 2].sum())
    rough = min(1.0, float((np.diff(z) ** 2).mean()) / 2)  # 1 of white noise
    spike = float(np.clip((np.abs(rest).max() / max(float(rest.std()), 1e-12) - 4) / 4, 0, 1))
    steps = -np.cumsum(z)[:-1] / np.sqrt(np.arange(1, count) * np.arange(count - 1, 0, -1.0))
    jump = float(steps[np.abs(steps).argmax()])  # the correlation with the step that fits best
    step = float(np.clip(6 * (abs(jump) - abs(trend)), 0, 1)) * abs(jump) * (1 - spike)
    flat = float(np.exp(-50 * spread / (spread + abs(float(values.mean())) + 1e-12)))
    calm = (1 - step) * (1 - spike)
    pure, noise = waves * calm * (1 - abs(trend)), rough * (1 - waves) * (1 - spike)
    strength = [max(0.0, trend) * calm, max(0.0, -trend) * calm, pure * (top < 8), pure * (top >= 8)]
    strength += [noise, spike, step * (jump > 0), step * (jump < 0)]
    shape = np.interp(np.linspace(-1, 1, SHAPE), time, z)
    spectrum = np.log10(np.interp(np.linspace(0, len(power) - 1, SPECTRUM), range(len(power)), power) + 1e-6)
    return np.concatenate([shape, spectrum, np.array(strength) * (1 - flat), [flat]])


def base_calibration(preset: Preset) -> Calibration:
    """What is believed before there are labels."""
    return PRIOR


def load_towers(preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """Both towers, and the device in words."""
    compute = decide_compute(settings.device, settings.threads)
    text = shared_text_tower(compute)
    return Towers(SeriesTower(preset, text), text, PRIOR, preset.id), str(compute)
