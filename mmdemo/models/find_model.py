"""How a model is found: by its id in the catalogue, or named by hand as LOADER:NAME."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from mmdemo.asker import current
from mmdemo.errors import UserError
from mmdemo.heavy_imports import lazy
from mmdemo.media.regular_file import at_home, is_folder
from mmdemo.models.presets import LOADERS, LOCAL, MINILM, PRESETS, Preset
from mmdemo.models.protocols import Task

LONGEST_NAME = 500  # characters: of a folder, or of two towers


def captioner_preset(name: str) -> Preset:
    """The preset of a captioner, by its id, its Hub id or its folder."""
    return find_preset(name if name in PRESETS or ":" in name else f"captioner:{name}")


def loaders_by_hand(task: str | None = None) -> list[str]:
    """The loaders, of a task or of all, of which a model can be named as LOADER:NAME."""
    return [one.name for one in LOADERS.values() if one.describe and task in (None, one.task)]


def find_preset(name: str) -> Preset:
    """The preset of that id, or of a model named by hand: LOADER:NAME.

    The name is a Hub id, perhaps with @REVISION, or a folder; of `faster-whisper` the name of one of its
    models; of `towers` and `sound-towers` two towers, as `cnn+rnn` (see two_towers.py).

    Raises:
        UserError: there is none; the sentence lists those there are.
    """
    if name in PRESETS:
        return PRESETS[name]
    loader, _, model = name.partition(":")
    if loader in loaders_by_hand() and model:
        return _by_hand(loader, _absolute(model))
    by_hand = ", ".join(f"{one}:NAME" for one in loaders_by_hand())
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
    if current().session and names_folder(name):
        raise UserError("Folders of the server cannot be named from outside.", "Write a Hub id.")
    if name not in PRESETS and name.partition(":")[0] not in loaders_by_hand():
        name = f"{_loader_of(task, name)}:{name}"
    preset = find_preset(name)
    if preset.task != task:
        raise UserError(f"{preset.id} is a model of {preset.task}.", f"Choose one of {task}.")
    return preset


def _loader_of(task: Task, name: str) -> str:
    """The loader of a task that is meant for what a model's configuration says."""
    found: str = lazy("mmdemo.models.encoders.two_towers:config_type")(_absolute(name))
    own = [one for one in LOADERS.values() if one.task == task and one.describe]
    for one in own:
        if found in one.config_types:
            return one.name
    for one in own:
        if one.other_types:
            return one.name
    raise UserError(
        f"{name} is a model of type {found!r}, which no loader of {task} takes.",
        f"Name it with one: {', '.join(f'{one}:NAME' for one in loaders_by_hand(task))}.",
    )


def names_folder(name: str) -> bool:
    """Whether a name of a model, or of one of two towers, means a folder of this machine, perhaps with a
    revision behind it.
    """
    towers = _towers_of(name)
    if any(f"{kind}:".endswith(LOCAL) for kind, _, _ in towers):
        return True
    # whole, too: the name of a folder may hold the signs between loader, towers and revision
    return any(map(_is_place, (name, name.partition(":")[2], *(model for _, _, model in towers))))


def _is_place(name: str) -> bool:
    """Whether it is written as a path, or is that of a folder, perhaps with a revision behind it."""
    if name.startswith(("/", "~", ".")) or ".." in re.split(r"[/\\@]", name):
        return True
    before = [name[:place] for place, sign in enumerate(name) if sign == "@"]
    return any(is_folder(at_home(Path(one))) for one in (name, *before) if one)


def _towers_of(name: str) -> list[tuple[str, str, str]]:
    """What stands before the colon, the colon and the name itself, of one tower or of two, perhaps as
    local-dir:FOLDER.
    """
    return [part.rpartition(":") for part in name.split("+")]


def _absolute(model: str) -> str:
    """A name in which folders do not depend on the current one: it is kept, and read from elsewhere."""
    whole = at_home(Path(model))
    if model and is_folder(whole):
        return str(whole.absolute())
    parts = []
    for kind, colon, name in _towers_of(model):
        folder = at_home(Path(name))  # of no name: the current one, which nobody has named
        parts.append(f"{kind}{colon}{folder.absolute() if name and is_folder(folder) else name}")
    return "+".join(parts)


@lru_cache(maxsize=64)
def _by_hand(loader: str, model: str) -> Preset:
    how = LOADERS[loader]
    assert how.describe is not None  # find_preset asks no other
    facts = how.describe(model)
    folder = Path(model)
    name = folder.name + "-" + hashlib.sha256(model.encode()).hexdigest()[:6] if is_folder(folder) else model
    return Preset(
        id=re.sub(r"[^A-Za-z0-9._-]+", "--", f"{loader}-{name}")[:60],
        task=how.task,
        architecture=facts.architecture or loader,
        media_tower=model,
        licence="see its model card",
        about=f"Named by hand: {model}.",
        loader=loader,
        dim=facts.dim,
        feature_dim=facts.dim + facts.states,
        text_tower="" if how.own_texts else MINILM,
        spec=f"{loader}:{model}",
        scratch=facts.scratch,
    )
