"""Recognisers of speech, beside MiniLM: Whisper in CTranslate2, which ships, and Whisper and CTC models of
transformers, which learn from transcripts.
"""

from __future__ import annotations

from functools import partial

from mmdemo.errors import UserError
from mmdemo.heavy_imports import heavy, lazy
from mmdemo.models.hub.local_cache import hub_repositories
from mmdemo.models.presets import LOADERS, TEXT_DIM, Described, Loader, Preset, Repository
from mmdemo.models.speech.wheels import installed_weights

SPEECH = "mmdemo.models.speech"
# The widths of faster-whisper's models: CTranslate2's files do not say them.
WIDTHS = {"tiny": 384, "base": 512, "small": 768, "medium": 1024, "large": 1280, "turbo": 1280}


def _recogniser(name: str, opened_by: str, learns: bool = False, **more: object) -> Loader:
    """A recogniser of `speech/`, opened by a function of the preset, where it runs and its threads."""
    opened = lazy(f"{SPEECH}.{opened_by}:open_preset")
    return Loader(
        name,
        "speech-text",
        load_towers=partial(lazy(f"{SPEECH}.aligner:load_towers"), opened),
        base_calibration=lazy(f"{SPEECH}.aligner:base_calibration"),
        make_aligner=lazy(f"{SPEECH}.aligner:SpeechAligner"),
        gives_evidence=True,
        heads=("residual",),  # the likelihood of words judges pairs, so none is fused
        methods=("head", "lora", "full") if learns else ("head",),
        recipe="transcripts" if learns else "",
        save_network=partial(lazy(f"{SPEECH}.aligner:save_network"), opened) if learns else None,
        **more,  # type: ignore[arg-type]
    )


def _family(model: str) -> str:
    return model.removeprefix("distil-").split(".")[0].split("-")[0]


def _faster_whisper_models() -> dict[str, str]:
    """The models of faster-whisper whose width is known, by name, and their repositories."""
    names: dict[str, str] = heavy("faster_whisper.utils")._MODELS
    return {name: repository for name, repository in names.items() if _family(name) in WIDTHS}


def _describe_faster_whisper(model: str) -> Described:
    if model not in (known := _faster_whisper_models()):
        raise UserError(
            f"faster-whisper has no model {model!r}.",
            f"Use one of: {', '.join(known)}; a folder of Whisper goes by whisper:FOLDER.",
        )
    return Described(TEXT_DIM, WIDTHS[_family(model)], "Whisper")


def _describe_hub(architecture: str, model: str) -> Described:
    states: int = lazy(f"{SPEECH}.whisper_transformers:feature_size")(model)
    return Described(TEXT_DIM, states, architecture)


def _faster_whisper_repositories(preset: Preset) -> list[Repository]:
    if installed_weights(preset.media_tower):
        return []
    repository = _faster_whisper_models()[preset.media_tower]
    return [Repository(repository, ("model.bin", "*.json", "*.txt"), "model.bin")]


for loader in (
    _recogniser("whisper-minilm", "whisper_ctranslate2"),
    _recogniser(
        "whisper",
        "whisper_transformers",
        learns=True,
        repositories=hub_repositories,
        describe=partial(_describe_hub, "Whisper"),
        config_types=("whisper",),
    ),
    _recogniser(
        "ctc",
        "ctc",
        learns=True,
        repositories=hub_repositories,
        describe=partial(_describe_hub, "CTC"),
        other_types=True,
    ),
    _recogniser(
        "faster-whisper",
        "whisper_ctranslate2",
        repositories=_faster_whisper_repositories,
        describe=_describe_faster_whisper,
    ),
):
    LOADERS.add(loader.name, loader)
