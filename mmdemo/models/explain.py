"""Where in the picture a text is found: class activation carried into the text space.

CAM (Zhou et al. 2016, arXiv:1512.04150) weighs the channels of the last feature map by a classifier's
weights. Here the weights are the gradient of the pair's similarity with respect to the pooled channels,
which on a globally pooled map is Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391). It passes through
ConSE and through the head, so the map changes with the text and with the version. It says which channels
speak for the text, and a thing beside it may share them; so it is weighed by how likely the text is of the
parts of the picture that are nearly half as wide and high, judged as pictures are. For any other network
parts of the picture are covered in turn: where that lowers the similarity most, the text is found (Zeiler
and Fergus 2014, arXiv:1311.2901).

Any text has a brightest point, so a map by itself does not say that there is anything to find. Only the map
of a text that is said to fit is lit, as brightly as it is likely; of the others a sentence says why not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d, normalize

from mmdemo.media.image import pixels
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.protocols import Score
from mmdemo.models.reliability import CANNOT_TELL, DOES_NOT_FIT, Zones

CELLS = 7  # on a side, that are covered in turn
MAP_SCALE = 2  # the map is read at twice the input size: 14 x 14 cells instead of 7 x 7
WINDOW = 6 / 14  # of the map's side, that are judged together; 3, 5, 7 and 8 cells find as much or less
LEAST_CHANNELS = 0.5  # of the heat stays where no channel speaks for the text


UNLIT = {  # why nothing is lit, by the word of the zone
    CANNOT_TELL: "The model can't tell whether “{text}” fits, so nothing is lit.",
    DOES_NOT_FIT: "“{text}” doesn't fit this picture, so nothing is lit.",
}


@dataclass(frozen=True)
class Explanation:
    """Scores of texts for one picture, and where each is found."""

    scores: tuple[Score, ...]
    # (T, h, w) float32, upright, 0 to the text's probability, or to 1 where that was not measured; all 0:
    # nothing is lit
    maps: np.ndarray
    notes: tuple[str, ...]  # T sentences on what is not lit; empty where something is
    zones: Zones | None  # the limits by which the words were chosen; None: no probability was measured


def explain(aligner: HeadAligner, picture: Image.Image, texts: Sequence[str]) -> Explanation:
    """Scores and heat maps of texts for a decoded picture."""
    scores = tuple(aligner.align(picture, texts))
    notes = tuple(score.doubt or UNLIT.get(score.zone, "").format(text=score.text) for score in scores)
    lit = [i for i, note in enumerate(notes) if not note]
    found = where(aligner, picture, [texts[i] for i in lit]) if lit else np.empty((0, CELLS, CELLS))
    maps = np.zeros((len(scores), *found.shape[1:]), np.float32)
    for i, one in zip(lit, found, strict=True):
        maps[i] = one * scores[i].probability if scores[i].measured else one  # then its brightest point is 1
    return Explanation(scores, maps, notes, aligner.zones if aligner.measured else None)


def where(aligner: HeadAligner, picture: Image.Image, texts: Sequence[str]) -> np.ndarray:
    """(T, h, w) float32, 0..1: where each text is found, if it is there at all; 1 at its brightest point.

    Of a tower that shows no feature map the map is made by occlusion.
    """
    tower: Any = aligner.towers.media
    if not hasattr(tower, "feature_map"):
        return occlusion(aligner, picture, texts)
    vectors = torch.from_numpy(aligner.encode_text(texts))  # (T, D)
    large = torch.from_numpy(pixels(picture, tower.input_px * MAP_SCALE)).unsqueeze(0)
    with torch.no_grad():
        fmap = tower.feature_map(large)[0].cpu()  # (K, h, w)
    pooled = fmap.mean((1, 2)).unsqueeze(0).requires_grad_()  # (1, K)
    features = tower.features(pooled)  # (1, F)
    if aligner.head is not None:
        media = aligner.head.project_media(features)[0]
    else:
        media = normalize(features[:, : aligner.dim], dim=1)[0]
    similarity = vectors @ media  # (T,)
    weight = window_weights(aligner, fmap, texts)
    maps = []
    for row in range(len(texts)):
        (weights,) = torch.autograd.grad(similarity[row], pooled, retain_graph=True)
        heat = torch.einsum("k,khw->hw", weights[0], fmap).clamp_min(0)
        channels = (heat / heat.max().clamp_min(1e-9)).numpy()
        one = weight[row] * (LEAST_CHANNELS + (1 - LEAST_CHANNELS) * channels)
        maps.append(one / one.max())
    return np.stack(maps).astype(np.float32)


def window_weights(aligner: HeadAligner, fmap: torch.Tensor, texts: Sequence[str]) -> np.ndarray:
    """(T, h, w) how likely each text is around each cell of a (K, h, w) feature map; 1 at the likeliest.

    A cell's log-odds are the mean of those of the windows that it lies in; the weight is the square of the
    odds, since windows overlap.
    """
    tower: Any = aligner.towers.media
    _, height, width = fmap.shape
    high, wide = (max(1, round(WINDOW * side)) for side in (height, width))
    with torch.no_grad():
        pooled = avg_pool2d(fmap[None], (high, wide), stride=1)[0]  # (K, h', w')
        features = tower.features(pooled.flatten(1).T.contiguous()).cpu().numpy()  # (h' w', F)
    odds = aligner.judge.log_odds(features, aligner.text_vectors(texts)).T  # (T, h' w')
    odds = odds.reshape(len(texts), *pooled.shape[1:])
    total, count = np.zeros((len(texts), height, width)), np.zeros((height, width))
    for y in range(odds.shape[1]):
        for x in range(odds.shape[2]):
            total[:, y : y + high, x : x + wide] += odds[:, y, x, None, None]
            count[y : y + high, x : x + wide] += 1
    mean = total / count
    return np.asarray(np.exp(2 * (mean - mean.max((1, 2), keepdims=True))))


def occlusion(aligner: HeadAligner, picture: Image.Image, texts: Sequence[str]) -> np.ndarray:
    """(T, 7, 7) float32, 0..1: how much the similarity of each text falls when a part is covered in grey."""
    small = picture.convert("RGB")
    small.thumbnail((384, 384))
    covered = [small]
    for row in range(CELLS):
        for column in range(CELLS):
            one = small.copy()
            left, right = column * small.width // CELLS, (column + 1) * small.width // CELLS
            top, bottom = row * small.height // CELLS, (row + 1) * small.height // CELLS
            one.paste((128, 128, 128), (left, top, right, bottom))
            covered.append(one)
    similarity = aligner.encode_media(covered) @ aligner.encode_text(texts).T  # (50, T)
    fall = (similarity[0] - similarity[1:]).clip(0).T.reshape(-1, CELLS, CELLS)
    return (fall / fall.max((1, 2), keepdims=True).clip(1e-9)).astype(np.float32)
