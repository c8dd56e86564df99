"""Faces in a picture: a cascade of three small networks, each of which looks closer at what the one before
let through ("Joint Face Detection and Alignment using Multitask Cascaded Convolutional Networks", Zhang et
al. 2016, https://arxiv.org/abs/1604.02878).

ImageNet has no class for people. Where a face is seen, the picture shows somebody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.ops import clip_boxes_to_image, nms  # type: ignore[import-untyped]

from mmdemo.settings import ASSETS

FILE = ASSETS / "faces.safetensors"
SIDE = 512  # pixels, the longer side that is looked at
SMALLEST = 40  # pixels of SIDE, the side of the smallest face
WINDOW = 12  # pixels that the first network sees, one window every two
STRIDE = 2
SHRINK = 0.709  # from one size of the picture to the next: half the area
PASSES = (0.6, 0.7, 0.7)  # the probability that each network lets through
ALIKE = (0.5, 0.7)  # boxes of one size, and of all, that overlap by more are one
MOST = 256  # windows that the later networks look at, the likeliest


@dataclass(frozen=True)
class Face:
    """A face that was found."""

    probability: float
    share: float  # of the picture's shorter side


class Stage(nn.Module):
    """Convolutions, then whether there is a face and where its box lies, as shares of the window.

    Args:
        steps: (inputs, outputs, kernel, pool) of each convolution; a pool of 0 is none.
        dense: inputs and outputs of a layer on the flattened window; None: the network slides.
    """

    def __init__(self, steps: Sequence[tuple[int, int, int, int]], dense: tuple[int, int] | None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, pool in steps:
            layers += [nn.Conv2d(inputs, outputs, kernel), nn.PReLU(outputs)]
            if pool:
                layers.append(nn.MaxPool2d(pool, 2, ceil_mode=True))
        if dense:
            # the weights were learned on windows laid down column by column
            layers += [_Transposed(), nn.Flatten(), nn.Linear(*dense), nn.PReLU(dense[1])]
        self.seen = nn.Sequential(*layers)
        end = dense[1] if dense else steps[-1][1]
        self.is_face: nn.Module = nn.Linear(end, 2) if dense else nn.Conv2d(end, 2, 1)
        self.box: nn.Module = nn.Linear(end, 4) if dense else nn.Conv2d(end, 4, 1)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """(N, ...) probabilities and (N, 4, ...) moves of (N, 3, H, W) windows in -1 to 1."""
        seen = self.seen(windows)
        return self.is_face(seen).softmax(1)[:, 1], self.box(seen)


class _Transposed(nn.Module):
    def forward(self, windows: Tensor) -> Tensor:
        return windows.permute(0, 3, 2, 1)


def stages() -> nn.ModuleList:
    """The three networks without their weights."""
    return nn.ModuleList(
        [
            Stage([(3, 10, 3, 2), (10, 16, 3, 0), (16, 32, 3, 0)], None),
            Stage([(3, 28, 3, 3), (28, 48, 3, 3), (48, 64, 2, 0)], (576, 128)),
            Stage([(3, 32, 3, 3), (32, 64, 3, 3), (64, 64, 3, 2), (64, 128, 2, 0)], (1152, 256)),
        ]
    )


class FaceDetector:
    """Finds faces that look at one, or nearly; on the CPU, whatever the models run on: it is small."""

    def __init__(self) -> None:
        self._stages = stages()
        self._stages.load_state_dict({name: t.float() for name, t in load_file(FILE).items()})
        self._stages.eval().requires_grad_(False)

    @torch.inference_mode()
    def faces(self, image: Image.Image) -> list[Face]:
        """The faces of a picture, the likeliest first."""
        small = image.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float()  # (1, 3, H, W)
        pixels = (pixels - 127.5) / 128
        boxes, sure = self._windows(pixels)
        for stage, passes, size in zip(self._stages[1:], PASSES[1:], (24, 48), strict=True):
            if not len(boxes):
                return []
            boxes = _squares(boxes)
            cut = torch.cat([_cut(pixels, box, size) for box in boxes])
            sure, moves = stage(cut)
            kept = sure > passes
            boxes, sure = _moved(boxes[kept], moves[kept]), sure[kept]
            alone = nms(boxes, sure, ALIKE[1])
            boxes, sure = boxes[alone], sure[alone]
        sides = clip_boxes_to_image(boxes, (small.height, small.width))
        shares = (sides[:, 2:] - sides[:, :2]).amin(1) / min(small.size)
        return [Face(round(float(p), 6), round(float(s), 4)) for p, s in zip(sure, shares, strict=True)]

    def _windows(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 4) boxes in pixels and (N,) probabilities of what the first network lets through."""
        height, width = pixels.shape[2:]
        boxes, sure = [torch.zeros(0, 4)], [torch.zeros(0)]
        scale = WINDOW / SMALLEST
        while min(height, width) * scale >= WINDOW:
            size = (int(height * scale) + 1, int(width * scale) + 1)
            p, moves = self._stages[0](interpolate(pixels, size, mode="area"))
            y, x = torch.nonzero(p[0] >= PASSES[0], as_tuple=True)
            corner = torch.stack([x, y], 1) * STRIDE / scale
            found = torch.cat([corner, corner + WINDOW / scale], 1)
            alone = nms(found, p[0, y, x], ALIKE[0])
            boxes.append(_moved(found, moves[0, :, y, x].T)[alone])
            sure.append(p[0, y, x][alone])
            scale *= SHRINK
        all_boxes, all_sure = torch.cat(boxes), torch.cat(sure)
        alone = nms(all_boxes, all_sure, ALIKE[1])[:MOST]
        return all_boxes[alone], all_sure[alone]


def _moved(boxes: Tensor, moves: Tensor) -> Tensor:
    """(N, 4) boxes of which each side is moved by a share of the box."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + moves * sides


def _squares(boxes: Tensor) -> Tensor:
    """(N, 4) squares about the middle of each box."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([middle - half, middle + half], 1)


def _cut(pixels: Tensor, box: Tensor, size: int) -> Tensor:
    """(1, 3, size, size) of what lies in a box and in the picture."""
    height, width = pixels.shape[2:]
    left, top = (int(side) for side in box[:2].clamp(min=0))
    right, bottom = min(int(box[2]), width), min(int(box[3]), height)
    left, top = min(left, width - 1), min(top, height - 1)
    window = pixels[:, :, top : max(bottom, top + 1), left : max(right, left + 1)]
    return interpolate(window, (size, size), mode="area")


@cache
def face_detector() -> FaceDetector:
    """The one of this process, loaded at the first call."""
    return FaceDetector()
