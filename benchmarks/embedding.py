"""Images per second of embedding a folder, beside a plain loop over the same model, batch size and threads.

    python benchmarks/embedding.py

Three folders: photographs of 12 megapixels and of 2, made by enlarging those of assets/photos, as JPEG, and
those of assets/photos as they ship. The plain loop runs the network as timm builds it, with the same weights.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch
from common import load_clipart  # noqa: F401  sets the path to mmdemo
from PIL import Image

from mmdemo.media.image import decode_image, pixels
from mmdemo.models.encoders.efficientnet_minilm import EfficientNetTower, bundled_weights
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.models.presets import Preset
from mmdemo.retrieval.encode_stream import BATCH, encode_stream
from mmdemo.settings import ASSETS, load_settings

COUNT = 96


def plain_network(preset: Preset) -> torch.nn.Module:
    """The same weights in the network as timm builds it."""
    network = timm.create_model(preset.media_tower, pretrained=False)
    network.load_state_dict(bundled_weights(preset, network.state_dict()))
    return network.eval().requires_grad_(False)


def plain_loop(network: torch.nn.Module, tower: EfficientNetTower, paths: list[Path]) -> np.ndarray:
    """Open, convert, resize, stack, forward: as a notebook does it."""
    parts = []
    for start in range(0, len(paths), BATCH):
        images = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
        batch = torch.from_numpy(np.stack([pixels(image, tower.input_px) for image in images]))
        with torch.inference_mode():
            parts.append(tower.features(network.forward_features(batch).mean((2, 3))).numpy())
    return np.concatenate(parts)


def main() -> None:
    """Print images per second both ways and the ratio."""
    preset = find_preset("efficientnet-lite0-devise")
    network = plain_network(preset)
    towers, _ = load_towers(preset, load_settings({}, device="cpu"))
    tower = towers.media
    assert isinstance(tower, EfficientNetTower)
    sources = sorted((ASSETS / "photos").glob("*.jpg"))
    print(f"{torch.get_num_threads()} threads, batches of {BATCH}, {COUNT} pictures")
    for name, size in (
        ("12 megapixels", (4000, 3000)),
        ("2 megapixels", (1633, 1225)),
        ("as they ship", None),
    ):
        with tempfile.TemporaryDirectory() as folder:
            data = []
            for source in sources:
                out = io.BytesIO()
                image = Image.open(source)
                (image.resize(size, Image.Resampling.BICUBIC) if size else image).save(
                    out, "JPEG", quality=90
                )
                data.append(out.getvalue())
            paths = [Path(folder) / f"{i}.jpg" for i in range(COUNT)]
            for i, path in enumerate(paths):
                path.write_bytes(data[i % len(data)])
            ratios, speeds = [], []
            for turn in range(3):
                begun = time.perf_counter()
                plain_loop(network, tower, paths)
                plain = COUNT / (time.perf_counter() - begun)
                begun = time.perf_counter()
                for _ in encode_stream(tower, lambda p: decode_image(p, at_least_px=tower.input_px), paths):
                    pass
                ours = COUNT / (time.perf_counter() - begun)
                if turn:
                    ratios.append(ours / plain)
                    speeds.append((plain, ours))
            plain, ours = np.mean(speeds, axis=0)
            print(
                f"{name}: plain loop {plain:.1f} images/s, mmdemo {ours:.1f} images/s, "
                f"ratio {np.mean(ratios):.2f}"
            )


if __name__ == "__main__":
    main()
