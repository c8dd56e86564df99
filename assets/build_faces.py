"""Make faces.safetensors of the three networks in the wheel facenet-pytorch 2.6.0, in float16.

pip download --no-deps facenet-pytorch==2.6.0
python assets/build_faces.py facenet_pytorch-2.6.0-py3-none-any.whl
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmdemo.models.encoders.faces import FILE, stages

# The file of each network, and its layers in order: those that see, then the face, then the box.
NETWORKS = {
    "pnet": ["conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "conv4_1", "conv4_2"],
    "rnet": [
        "conv1",
        "prelu1",
        "conv2",
        "prelu2",
        "conv3",
        "prelu3",
        "dense4",
        "prelu4",
        "dense5_1",
        "dense5_2",
    ],
    "onet": [
        *("conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "conv4", "prelu4"),
        *("dense5", "prelu5", "dense6_1", "dense6_2"),
    ],
}


def main() -> None:
    """Read the wheel that is named and write the weights."""
    made = stages()
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        for (name, theirs), stage in zip(NETWORKS.items(), made, strict=True):
            data = io.BytesIO(wheel.read(f"facenet_pytorch/data/{name}.pt"))
            weights = torch.load(data, weights_only=True)
            ours = [m for m in stage.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.PReLU)]
            for layer, their in zip(ours, theirs, strict=True):
                own = {key.split(".")[1]: t for key, t in weights.items() if key.split(".")[0] == their}
                layer.load_state_dict(own)
    save_file({key: t.half().contiguous() for key, t in made.state_dict().items()}, FILE)


if __name__ == "__main__":
    main()
