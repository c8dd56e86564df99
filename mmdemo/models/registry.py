"""How a model is found: by its id in the catalogue, or named by hand as LOADER:NAME."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from mmdemo.errors import UserError
from mmdemo.models.catalogue import PRESETS
from mmdemo.models.presets import DUAL, LOADERS_BY_HAND, OWN_TEXTS, TEXT_DIM, Preset
from mmdemo.models.protocols import TASKS, Modality, Task

# The widths of faster-whisper's models: CTranslate2's files do not say them.
FASTER_WHISPER = {"tiny": 384, "base": 512, "small": 768, "medium": 1024, "large": 1280, "turbo": 1280}
LONGEST_NAME = 500  # characters: of a folder, or of two towers


def captioner_preset(name: str) -> Preset:
    """The preset of a captioner, by its id, its Hub id or its folder."""
    return find_preset(name if name in PRESETS or ":" in name else f"captioner:{name}")


def find_preset(name: str) -> Preset:
    """The preset of that id, or of a model named by hand: LOADER:NAME.

    The loaders are `dual` (CLIP and its like), `towers` and `sound-towers` (two towers as `cnn+rnn`, see
    two_towers.py), `frames` (of videos, by a dual encoder or by X-CLIP and its like), `sounds` (CLAP),
    `whisper` and `ctc`, each with a Hub id or a folder, and `faster-whisper`, with the name of one of its
    models; `captioner` (BLIP, GIT or a vision-language model) writes captions.

    Raises:
        UserError: there is none; the sentence lists those there are.
    """
    if name in PRESETS:
        return PRESETS[name]
    loader, _, model = name.partition(":")
    if loader in LOADERS_BY_HAND and model:
        return _by_hand(loader, model)
    by_hand = ", ".join(f"{one}:NAME" for one in LOADERS_BY_HAND)
    raise UserError(
        f"There is no model {name!r}.", f"Choose one of: {', '.join(PRESETS)}; or name one as {by_hand}."
    )


def preset_for(task: Task, name: str) -> Preset:
    """The preset of a model of a task: by its id, by LOADER:NAME, or by a bare Hub id, folder or pair of
    towers, whose loader its configuration tells.

    Raises:
        UserError: there is none, or it is for another task.
    """
    if len(name) > LONGEST_NAME or "\n" in name:
        raise UserError("That is no name of a model.", "Write a Hub id, or a folder on this machine.")
    if name not in PRESETS and name.partition(":")[0] not in LOADERS_BY_HAND:
        name = f"{_loader_of(task, name)}:{name}"
    preset = find_preset(name)
    if preset.task != task:
        raise UserError(f"{preset.id} is a model of {preset.task}.", f"Choose one of {task}.")
    return preset


def _loader_of(task: Task, name: str) -> str:
    from mmdemo.models.encoders.two_towers import is_pair
    from mmdemo.models.hub.loading import load_config

    if is_pair(name):
        return "sound-towers" if task == "speech-text" else "towers"
    kind = load_config(name).model_type
    if task == "speech-text":
        return {"whisper": "whisper", "clap": "sounds"}.get(kind, "ctc")
    return {"image-text": "dual", "video-text": "frames", "captioning": "captioner"}[task]


@lru_cache(maxsize=64)
def _by_hand(loader: str, model: str) -> Preset:
    own_texts = loader in OWN_TEXTS
    scratch = False
    if loader == "captioner":
        dim, states = 0, 0
    elif own_texts:
        dim, states, scratch = shared_space(model, TASKS[LOADERS_BY_HAND[loader]])
    elif loader == "faster-whisper":
        family = model.removeprefix("distil-").split(".")[0].split("-")[0]
        if family not in FASTER_WHISPER:
            raise UserError(
                f"faster-whisper has no model {model!r}.",
                f"Use one of: {', '.join(FASTER_WHISPER)}; a folder of Whisper goes by whisper:FOLDER.",
            )
        states, dim = FASTER_WHISPER["large" if "large" in model else family], TEXT_DIM
    else:
        from mmdemo.models.speech.whisper_transformers import feature_size

        states, dim = feature_size(model), TEXT_DIM
    folder = Path(model)
    name = folder.name + "-" + hashlib.sha256(model.encode()).hexdigest()[:6] if folder.is_dir() else model
    preset_id = re.sub(r"[^A-Za-z0-9._-]+", "--", f"{loader}-{name}")[:60]
    return Preset(
        id=preset_id,
        task=LOADERS_BY_HAND[loader],
        architecture=_architecture(loader, model),
        media_tower=model,
        licence="see its model card",
        about=f"Named by hand: {model}.",
        loader="dual" if loader in DUAL else loader,
        dim=dim,
        feature_dim=dim + states,
        text_tower="" if own_texts else "all-minilm-l6-v2-centred",
        spec=f"{loader}:{model}",
        scratch=scratch,
    )


def _architecture(loader: str, model: str) -> str:
    """In words, as far as it is known before the weights are."""
    if "+" in model and not Path(model).is_dir():
        return " and ".join(model.split("+"))
    return {"whisper": "Whisper", "faster-whisper": "Whisper", "ctc": "CTC"}.get(loader, loader)


def shared_space(model: str, modality: Modality) -> tuple[int, int, bool]:
    """D of a dual encoder, how many features come beside it, and whether nobody has trained it; from its
    configuration alone.
    """
    from mmdemo.models.encoders.dual import family_of
    from mmdemo.models.encoders.two_towers import is_pair, is_scratch, read_spec
    from mmdemo.models.encoders.video_clips import KINDS, clip_dim
    from mmdemo.models.hub.loading import load_config

    if is_pair(model):
        spec = read_spec(model, "audio" if modality == "audio" else "image")
        return spec.dim, spec.feature_dim - spec.dim, is_scratch(spec)
    config = load_config(model)
    dim = clip_dim(config) if config.model_type in KINDS else int(family_of(config, model).dim(config))
    return dim, 0, False
