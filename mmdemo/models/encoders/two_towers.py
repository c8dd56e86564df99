"""Two towers joined by their projections: from scratch, or backbones that somebody has trained before.

A pair is named by its two towers, as `cnn+rnn`. On the media side: cnn, vit, rnn or transformer from scratch
(scratch.py), or timm/NAME, a backbone of timm with its weights from the Hub (timm/tv_resnet50.tv_in1k are
torchvision's); on the text side: rnn or transformer from scratch, or the Hub id or folder of an encoder such
as BERT. The projections are new in each case, so an untrained pair knows nothing: that is its base version.
It embeds as a dual encoder does, and is trained, measured, activated and exported in the same way.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmdemo.errors import StorageError, UserError
from mmdemo.media.audio import RATE_HZ
from mmdemo.media.image import pixels
from mmdemo.media.regular_file import is_folder
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import Compute
from mmdemo.models.encoders import scratch
from mmdemo.models.encoders.text_config import plain_text_config, text_network
from mmdemo.models.hub.errors import unavailable
from mmdemo.models.hub.loading import load_adapter, load_config, load_network, load_tokenizer, require_numbers
from mmdemo.models.presets import LOCAL, Described
from mmdemo.models.protocols import ModalityName
from mmdemo.models.weight_shapes import require_shapes
from mmdemo.registry import Registry

PAIR = "towers"  # stands for the `model_type` of a pair
SPEC = "towers.json"  # in the folder of a saved pair, which is told by it
DIM = 256  # D, the shared space
SCRATCH_PX = 64
MOST_PX = 2048  # timm's largest pictures have 1024
HEARD_S = 10  # of a sound: from its beginning
FRAMES = 100 * HEARD_S
TIMM = "timm/"
SEED = 0  # of the weights that nobody has trained yet: equal at each start


@dataclass(frozen=True)
class ScratchTower:
    """A network of scratch.py, or of another package, and the sides on which it can stand."""

    media: Mapping[ModalityName, Callable[[], nn.Module]] = field(default_factory=dict)
    text: Callable[[int], nn.Module] | None = None  # of a vocabulary of so many tokens


TOWERS: Registry[ScratchTower] = Registry("tower", ScratchTower, [__name__])
TOWERS.add("cnn", ScratchTower({"image": lambda: scratch.CNN(3), "audio": scratch.SoundCNN}))
TOWERS.add("rnn", ScratchTower({"audio": scratch.SoundRNN}, scratch.TextRNN))
TOWERS.add("vit", ScratchTower({"image": lambda: scratch.ViT(SCRATCH_PX)}))
TOWERS.add(
    "transformer",
    ScratchTower({"audio": lambda: scratch.SoundTransformer(FRAMES)}, scratch.TextTransformer),
)


def _media_towers(modality: ModalityName) -> dict[str, Callable[[], nn.Module]]:
    return {name: one.media[modality] for name, one in TOWERS.items() if modality in one.media}


def _text_towers() -> dict[str, Callable[[int], nn.Module]]:
    return {name: one.text for name, one in TOWERS.items() if one.text is not None}


@dataclass(frozen=True)
class PairSpec:
    """What fixes the tensors of a pair; its `towers.json`."""

    media: str
    text: str
    modality: ModalityName
    feature_dim: int  # F: the projected vector, and the states of the media tower
    dim: int = DIM
    px: int = SCRATCH_PX  # the side of a picture
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)  # of its pixels, 0..1
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    text_config: dict[str, Any] | None = None  # of a text encoder of transformers


def is_pair(name: str) -> bool:
    """Whether a name is that of a pair of towers, or of a folder that holds one."""
    return (Path(name) / SPEC).is_file() if is_folder(name) else "+" in name


def config_type(name: str) -> str:
    """The `model_type` of a model of transformers, or `towers`.

    Raises:
        UserError: there is no such model.
    """
    return PAIR if is_pair(name) else str(load_config(name).model_type)


@lru_cache(maxsize=32)
def read_spec(name: str, modality: ModalityName = "image") -> PairSpec:
    """What a pair consists of, by its name or its folder; no weights are loaded.

    Raises:
        UserError: a tower that is not known; the sentence lists those there are.
    """
    file = Path(name) / SPEC
    if file.is_file():
        try:
            spec = PairSpec(**json.loads(file.read_text(encoding="utf-8")))
            odd_place = ":" in spec.media  # no folder and no place is ever saved: it may be of a backup
            if odd_place or not 1 <= spec.px <= MOST_PX:
                raise ValueError(spec.media)
        except (TypeError, ValueError, RecursionError) as e:
            raise UserError(f"{file} does not describe a pair of towers.", "Save the pair again.") from e
        if spec.text not in _text_towers():
            plain_text_config(spec.text_config, str(spec.text))
        return spec
    media, _, text = name.partition("+")
    if not text or not media.removeprefix(LOCAL):
        raise UserError(f"{name!r} names no two towers.", "Write them as cnn+rnn, that of the media first.")
    text_config = None if text in _text_towers() else plain_text_config(load_config(text).to_dict(), text)
    known = _media_towers(modality)
    if media in known:
        width = int(known[media]().width)  # type: ignore[arg-type]
        return PairSpec(media, text, modality, DIM + width, text_config=text_config)
    if modality == "image" and _is_of_timm(media):
        network, facts = _timm(media)
        px, mean, std = facts["input_size"][-1], tuple(facts["mean"]), tuple(facts["std"])
        width = int(network.num_features)
        return PairSpec(media, text, modality, DIM + width, DIM, px, mean, std, text_config)
    names = ", ".join([*known, *([f"{TIMM}NAME"] if modality == "image" else [])])
    raise UserError(f"There is no tower {media!r} for {modality}.", f"Use one of: {names}.")


def _is_of_timm(media: str) -> bool:
    """Whether it is one of timm's own backbones, or a folder: timm also takes what lies at hf-hub:ID."""
    return media.startswith(LOCAL) or (media.startswith(TIMM) and ":" not in media)


def _timm(name: str, weights: bool = False) -> tuple[Any, dict[str, Any]]:
    """A backbone of timm without its classifier, and how its pictures are made."""
    import timm
    from timm.data import resolve_model_data_config

    try:
        network = timm.create_model(
            name if name.startswith(LOCAL) else name.removeprefix(TIMM), pretrained=weights, num_classes=0
        )
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as e:
        raise unavailable(name, e) from e
    return network, resolve_model_data_config(network)


class TextBackbone(nn.Module):
    """An encoder of transformers, averaged over the tokens that are no padding (as Sentence-BERT, Reimers and
    Gurevych 2019, arXiv:1908.10084).
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.width = int(network.config.hidden_size)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(N, T) ids and mask to (N, W)."""
        states = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[..., None].to(states.dtype)
        found: Tensor = (states * mask).sum(1) / mask.sum(1).clamp_min(1)
        return found


class ImageBackbone(nn.Module):
    """A backbone of timm whose batch norm keeps its statistics, since batches here are small."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.width = int(network.num_features)

    def train(self, mode: bool = True) -> ImageBackbone:
        """As of any module, batch norm left out."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) to (N, W)."""
        found: Tensor = self.network(pixels)
        return found


class TowerPair(nn.Module):
    """Both towers with their projections.

    Args:
        spec: what they are.
        media, text: the towers.
    """

    def __init__(self, spec: PairSpec, media: Any, text: Any) -> None:
        super().__init__()
        self.spec = spec
        self.media = media
        self.text = text
        self.media_projection = nn.Linear(media.width, spec.dim)
        self.text_projection = nn.Linear(text.width, spec.dim)

    supports_gradient_checkpointing = False

    @property
    def new_parts(self) -> list[str]:
        """The modules that nobody has trained before, which thin matrices beside others cannot stand for."""
        scratch_media = ["media"] if self.spec.media in _media_towers(self.spec.modality) else []
        scratch_text = ["text"] if self.spec.text in _text_towers() else []
        return ["media_projection", "text_projection", *scratch_media, *scratch_text]

    def save_pretrained(self, folder: Path, **how: Any) -> None:
        """Weights as safetensors, and what they are as `towers.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: t.detach().cpu().contiguous() for name, t in self.state_dict().items()}
        save_file(tensors, folder / "model.safetensors")
        (folder / SPEC).write_text(json.dumps(asdict(self.spec), default=str), encoding="utf-8")


def load_pair(name: str, modality: ModalityName, compute: Compute) -> tuple[TowerPair, Any]:
    """A pair and its tokeniser: as it was saved, or new.

    Raises:
        UserError: a tower is not known or not at hand.
        StorageError: the folder's weights do not fit.
    """
    spec = read_spec(name, modality)
    saved = Path(name) / "model.safetensors"
    new = not saved.is_file()
    if new and (Path(name) / SPEC).is_file():
        raise StorageError(f"The folder {Path(name).name} has no weights.", "Save the pair again.")
    tokenizer = _tokenizer(name if not new else "", spec)
    if not new:
        towers = lambda: (_media_tower(spec, False), _text_tower(spec, len(tokenizer), False, compute))  # noqa: E731
        require_shapes(lambda: TowerPair(spec, *towers()), saved)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        media = _media_tower(spec, new)
        if isinstance(media, ImageBackbone):  # it may be gone one day
            spec = replace(spec, media=TIMM + media.network.pretrained_cfg["architecture"])
        pair = TowerPair(spec, media, _text_tower(spec, len(tokenizer), new, compute))
    if not new:
        try:
            pair.load_state_dict(load_file(saved))
        except (RuntimeError, SafetensorError) as e:
            why = str(e).strip().splitlines()[-1].strip()
            raise StorageError(f"The weights in {Path(name).name} do not fit: {why}") from e
        require_numbers(pair, name)
    return pair.to(compute.device).eval().requires_grad_(False), tokenizer


def _media_tower(spec: PairSpec, new: bool) -> nn.Module:
    if spec.media in (known := _media_towers(spec.modality)):
        return known[spec.media]()
    return ImageBackbone(_timm(spec.media, weights=new)[0])


def _text_tower(spec: PairSpec, vocabulary: int, new: bool, compute: Compute) -> nn.Module:
    if spec.text in (known := _text_towers()):
        return known[spec.text](vocabulary)
    if new:
        return TextBackbone(load_network("AutoModel", spec.text, compute.device))
    return TextBackbone(text_network(spec.text_config, spec.text))


def _tokenizer(folder: str, spec: PairSpec) -> Any:
    from mmdemo.models.encoders.efficientnet_minilm import TEXT_PACKAGE, package_folder

    if folder or spec.text not in _text_towers():
        return load_tokenizer(folder or spec.text)
    return load_tokenizer(str(package_folder(TEXT_PACKAGE) / "model"))


def is_scratch(spec: PairSpec) -> bool:
    """Whether nobody trained either tower before."""
    return spec.text in _text_towers() and spec.media in _media_towers(spec.modality)


def describe_pair(name: str, modality: ModalityName) -> Described:
    """What the names of two towers, or the folder of a saved pair, say of it."""
    spec = read_spec(name, modality)
    words = "" if is_folder(name) else " and ".join(name.split("+"))
    return Described(spec.dim, spec.feature_dim - spec.dim, words, is_scratch(spec))


UNTRAINED = Calibration(10.0, -5.0)  # of a shared space that nobody has trained


@dataclass(frozen=True)
class EncoderFacts:
    """What a caller asks of an encoder's family."""

    modality: ModalityName
    prior: Calibration = UNTRAINED


class PairEncoder:
    """A pair of towers with the interface of `DualEncoder`.

    Args:
        name: as `cnn+rnn`, or a folder that `save_pretrained` wrote.
        modality: what its media are.
        compute: where it runs.
        adapter: a folder of LoRA weights; empty: none.

    Raises:
        UserError: a tower is not known or not at hand.
    """

    def __init__(self, name: str, modality: ModalityName, compute: Compute, adapter: str = "") -> None:
        self.name = name
        self.compute = compute
        self.network: Any
        self.network, self.tokenizer = load_pair(name, modality, compute)
        self.spec: PairSpec = self.network.spec
        self.family = EncoderFacts(self.spec.modality)
        self.dim, self.feature_dim, self.input_px = self.spec.dim, self.spec.feature_dim, self.spec.px
        self.rates = {"lora": 1e-4, "full": 5e-4 if is_scratch(self.spec) else 3e-5}
        self.epochs = 20 if is_scratch(self.spec) else 5
        if adapter:
            self.network = load_adapter(self.network, adapter).merge_and_unload().eval()
        self._mels = threading.local()

    def prepared(self, medium: Image.Image | np.ndarray) -> dict[str, Tensor]:
        """What goes in of one picture or of (N,) samples at 16 kHz; each tensor has a first axis of 1."""
        if self.spec.modality == "image":
            values = (pixels(medium, self.input_px) + 1) / 2  # type: ignore[arg-type]
            mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.spec.mean, self.spec.std))
            return {"pixels": torch.from_numpy(((values - mean) / std).astype(np.float32))[None]}
        return self._sound(torch.from_numpy(np.asarray(medium, np.float32)))

    def _sound(self, samples: Tensor) -> dict[str, Tensor]:
        import torchaudio

        if not hasattr(self._mels, "of"):
            self._mels.of = torchaudio.transforms.MelSpectrogram(
                RATE_HZ, n_fft=400, hop_length=160, n_mels=scratch.MELS
            )
        samples = samples[: RATE_HZ * HEARD_S]
        if len(samples) < 400:
            samples = torch.nn.functional.pad(samples, (0, 400 - len(samples)))
        mels = self._mels.of(samples).clamp_min(1e-6).log()  # (M, T)
        mels = (mels - mels.mean()) / mels.std().clamp_min(1e-3)
        count = min(mels.shape[1], FRAMES)
        padded = torch.zeros(1, scratch.MELS, FRAMES)
        padded[0, :, :count] = mels[:, :count]
        return {"mels": padded, "frames": torch.tensor([count])}

    def states(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, W) states of the media tower; gradients pass."""
        batch = {name: t.to(self.compute.device) for name, t in batch.items()}
        with self.compute.autocast():
            found: Tensor = self.network.media(**batch)
        return found.float()

    def media(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of what `prepared` gave, not of unit length; gradients pass."""
        found: Tensor = self.network.media_projection(self.states(batch))
        return found

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, F): the unit vector, and the states that it was made of."""
        states = self.states(batch)
        return torch.cat([normalize(self.network.media_projection(states), dim=1), states], 1)

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The tokens of texts, on the device."""
        made = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=scratch.MOST_TOKENS, return_tensors="pt"
        )
        return {name: made[name].to(self.compute.device) for name in ("input_ids", "attention_mask")}

    def texts(self, tokens: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of tokenised texts, not of unit length; gradients pass."""
        with self.compute.autocast():
            states = self.network.text(**tokens)
        found: Tensor = self.network.text_projection(states.float())
        return found

    def save(self, folder: Path) -> None:
        """A folder that `PairEncoder` opens."""
        for part in (self.network, self.tokenizer):
            part.save_pretrained(folder)
