"""Build the sample collection of a new workspace: assets/photos, assets/samples.csv and
assets/samples.safetensors.

    python assets/build_samples.py

The photographs are scikit-image's (all CC0 or public domain, see SOURCES.md); the drawings are those of
assets/clipart in the categories below, with titles that say what they show (clipart/titles.csv): those that
their drawers gave them ("Manager" for a penguin) puzzle who meets them first. samples.safetensors holds the
default model's features of every sample, so that a new workspace can be searched the moment it opens.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmdemo.media.image import decode_image
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.efficientnet_minilm import EfficientNetTower, load_class_vectors
from mmdemo.models.presets import PRESETS
from mmdemo.settings import ASSETS
from mmdemo.store.media_store import sha256

CATEGORIES = {"animals", "food", "transportation", "plants", "buildings", "electronics", "science"}
PHOTOS = {  # scikit-image's name: the text
    "astronaut": "An astronaut in an orange suit",
    "camera": "A man with a camera on a tripod",
    "chelsea": "A tabby cat",
    "coffee": "A cup of espresso on a saucer",
    "rocket": "A rocket lifting off",
    "hubble_deep_field": "Galaxies in deep space",
    "brick": "A brick wall",
    "grass": "Grass",
    "gravel": "Gravel",
    "retina": "The back of an eye",
    "cell": "A cell under the microscope",
}
LONGER_SIDE_PX = 512


def write_photos() -> list[tuple[str, str]]:
    """Save the photographs as JPEG; returns file name and text of each."""
    from skimage import data

    folder = ASSETS / "photos"
    folder.mkdir(exist_ok=True)
    rows = []
    for name, text in PHOTOS.items():
        image = Image.fromarray(getattr(data, name)()).convert("RGB")
        image.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=88)
        (folder / f"{name}.jpg").write_bytes(out.getvalue())
        rows.append((f"photos/{name}.jpg", text))
    return rows


def main() -> None:
    """Write the three."""
    rows = [(name, text, "train") for name, text in write_photos()]
    with (ASSETS / "clipart" / "titles.csv").open(encoding="utf-8", newline="") as f:
        titles = {row["file_name"]: row["title"] for row in csv.DictReader(f)}
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        for row in csv.DictReader(f):
            if row["category"] in CATEGORIES:
                name = row["file_name"]
                rows.append((f"clipart/{name}", titles[name], row["split"]))
    preset = PRESETS["efficientnet-lite0-devise"]
    tower = EfficientNetTower(preset, decide_compute("cpu"), load_class_vectors())
    table, pictures = [], []
    for name, text, split in rows:
        data = (ASSETS / name).read_bytes()
        picture = decode_image(data, at_least_px=tower.input_px)
        full = decode_image(data)
        pictures.append(picture)
        table.append((name, text, split, sha256(data), full.width, full.height))
    with (ASSETS / "samples.csv").open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(("file_name", "text", "split", "sha256", "width", "height"))
        writer.writerows(table)
    features = np.concatenate([tower.encode(pictures[i : i + 32]) for i in range(0, len(pictures), 32)])
    save_file({"features": features.astype(np.float16)}, ASSETS / "samples.safetensors", {"tower": tower.id})


if __name__ == "__main__":
    main()
