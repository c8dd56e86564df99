"""Captioners of transformers, which write freely: BLIP, GIT, and small vision-language models.

BLIP (Li et al. 2022, arXiv:2201.12086) and GIT (Wang et al. 2022, arXiv:2205.14100) continue from the picture
alone; a vision-language model is asked in its own chat format. Several frames go in where the network takes
several: GIT's video models take six, a chat model takes four; the others see the middle one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from mmdemo.errors import UserError
from mmdemo.heavy_imports import heavy
from mmdemo.models.device import Compute
from mmdemo.models.hub.loading import load_config, load_network, load_part, require_tokens
from mmdemo.models.presets import Preset
from mmdemo.registry import Registry

QUESTION = "Describe what is shown in one short sentence."
NEW_TOKENS = 40
CHAT_FRAMES = 4  # of a shot, that a chat model is shown


@dataclass(frozen=True)
class CaptionerFamily:
    """How one architecture writes."""

    asks: bool  # in the model's own chat format; else it continues from the picture alone
    frames: Callable[[Any], int]  # of a shot that it is shown, from the configuration
    # The tokens before and after those of a caption, from the tokeniser and the text's configuration.
    ends: Callable[[Any, Any], tuple[list[int], list[int]]]


CHAT = CaptionerFamily(True, lambda config: CHAT_FRAMES, lambda words, text: ([], [words.eos_token_id]))
# by `model_type`; all others chat
FAMILIES: Registry[CaptionerFamily] = Registry("family of captioners", CaptionerFamily, [__name__])
FAMILIES.add(
    "blip",
    CaptionerFamily(False, lambda config: 1, lambda words, text: ([text.bos_token_id], [text.sep_token_id])),
)
FAMILIES.add(
    "git",
    CaptionerFamily(
        False,
        lambda config: int(config.num_image_with_embedding or 1),
        lambda words, text: ([words.cls_token_id], [words.sep_token_id]),
    ),
)


class HubCaptioner:
    """A network that writes what it sees.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        adapter: a folder of LoRA weights; empty: none.

    Raises:
        UserError: it cannot be loaded, or does not write about pictures.
    """

    def __init__(self, name: str, compute: Compute, adapter: str = "") -> None:
        config = load_config(name)
        if type(config) not in heavy("transformers").AutoModelForImageTextToText._model_mapping:
            raise UserError(
                f"{name} is a model of type {config.model_type!r}, which does not write about pictures.",
                "Choose BLIP, GIT or a vision-language model.",
            )
        self.name = name
        self.compute = compute
        self.network = load_network("AutoModelForImageTextToText", name, compute.device, adapter)
        self.processor = load_part("AutoProcessor", name)
        require_tokens(self.processor.tokenizer, name)
        chats = config.model_type not in FAMILIES
        self.family = CHAT if chats else FAMILIES[config.model_type]
        self.frames = self.family.frames(config)
        self._lock = threading.Lock()

    def inputs(self, frames: Sequence[Image.Image]) -> dict[str, Any]:
        """What goes into the network for one picture, or for the frames of one shot."""
        if self.family.asks:
            pictures = [{"type": "image", "image": frame} for frame in _spread(frames, self.frames)]
            chat = [{"role": "user", "content": [*pictures, {"type": "text", "text": QUESTION}]}]
            made = self.processor.apply_chat_template(
                chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            )
            return dict(made.to(self.compute.device))
        chosen = _spread(frames, self.frames)
        chosen += [chosen[-1]] * (self.frames - len(chosen))
        pixels = self.processor.image_processor(images=chosen, return_tensors="pt").pixel_values
        if self.frames > 1:
            pixels = pixels[None]  # (1, T, 3, S, S)
        return {"pixel_values": pixels.to(self.compute.device)}

    def caption_tokens(self, text: str) -> list[int]:
        """The tokens of a caption as the network writes them: of those that only continue, with the first
        that they begin with; always with the one that ends.
        """
        tokenizer = self.processor.tokenizer
        words = tokenizer(" ".join(text.split()), add_special_tokens=False).input_ids
        text_config = getattr(self.network.config, "text_config", self.network.config)
        before, after = self.family.ends(tokenizer, text_config)
        return [*map(int, before), *words, *map(int, after)]

    @torch.inference_mode()
    def caption(self, frames: Sequence[Image.Image]) -> str:
        """What one picture, or the frames of one shot, show."""
        given = self.inputs(frames)
        with self._lock, self.compute.autocast():
            ids = self.network.generate(**given, max_new_tokens=NEW_TOKENS, num_beams=1, do_sample=False)
        if self.family.asks:
            ids = ids[:, given["input_ids"].shape[1] :]
        text: str = self.processor.batch_decode(ids, skip_special_tokens=True)[0]
        return " ".join(text.split())


def open_preset(preset: Preset, compute: Compute) -> HubCaptioner:
    """The captioner of a preset, with its adapter merged where it has one."""
    return HubCaptioner(preset.media_tower, compute, preset.adapter)


def save_network(preset: Preset, compute: Compute, folder: Path) -> None:
    """Write a captioner into a folder, as transformers loads it."""
    writer = open_preset(preset, compute)
    for part in (writer.network, writer.processor):
        part.save_pretrained(folder)


def _spread(frames: Sequence[Image.Image], count: int) -> list[Image.Image]:
    """At most so many frames, evenly chosen; of one, the middle."""
    if len(frames) <= count:
        return list(frames)
    if count == 1:
        return [frames[len(frames) // 2]]
    return [frames[round(i * (len(frames) - 1) / (count - 1))] for i in range(count)]
