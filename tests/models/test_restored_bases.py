"""A database names the model on which a version stands; after a restore none is loaded for it that only the
backup names.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch

from mmdemo.errors import StorageError, UserError
from mmdemo.models.encoders.two_towers import read_spec
from mmdemo.models.hub.loading import load_network
from mmdemo.models.version_source import version_source
from mmdemo.service.app import App
from mmdemo.settings import DATABASE, Settings, load_settings
from mmdemo.store.backup import back_up, replace, restore
from mmdemo.store.named_models import FILE
from mmdemo.store.tables import Version
from mmdemo.store.workspace import Workspace
from tests.checkpoints import save_clip
from tests.conftest import TASK

ONLY_THERE = "stands on a model in a folder that a backup names, and nobody at this machine"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, workspace=tmp_path / "workspace", samples=False, device="cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("secret") / "clip")


def backup_naming(tmp_path: Path, *bases: str) -> Path:
    """A backup with a version on each of some models, by numbers."""
    ws = Workspace(load_settings({}, workspace=tmp_path / "theirs", samples=False))
    for number, base in enumerate(bases):
        ws.versions.add(Version(id=f"v{number}", task=TASK, base=base))
    made = back_up(ws, tmp_path / "theirs.zip")
    ws.close()
    return made


def test_a_backup_can_have_no_folder_of_this_machine_loaded(
    ws: Workspace, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clip.parent)
    bases = (f"dual:{clip}", "dual:clip", "dual:./clip", f"dual:{clip}@main", "dual:clip@x")
    made = backup_naming(tmp_path, *bases, f"towers:local-dir:{clip}+rnn", f"towers:timm/resnet18+{clip}")
    replace(ws, made)
    restore(made, tmp_path / "new")
    new = Workspace(load_settings({}, workspace=tmp_path / "new", samples=False))
    for one in (ws, new):
        for number in range(len(one.versions.bases())):
            with pytest.raises(UserError, match=ONLY_THERE) as refused:
                version_source(one, f"v{number}")
            assert str(clip) not in str(refused.value)
    new.close()


@pytest.mark.parametrize("name", ["dual:them/theirs", "captioner:them/theirs@main", "faster-whisper:small"])
def test_a_backup_can_have_nothing_fetched_from_the_hub(ws: Workspace, tmp_path: Path, name: str) -> None:
    """It would be with the owner's token."""
    replace(ws, backup_naming(tmp_path, name))
    said = f"v0 stands on {name}, a model that a backup names, and nobody here has chosen"
    with pytest.raises(UserError, match=said):
        version_source(ws, "v0")
    assert ws.named_models.knows("dual:them/theirs") is False
    ws.versions.add_base(TASK, "chosen", name)  # as where somebody chooses it
    assert ws.named_models.knows(name)


def test_what_was_named_here_goes_on_after_a_restore_and_what_is_named_later_too(
    ws: Workspace, clip: Path, tmp_path: Path
) -> None:
    name = f"dual:{clip}"
    ws.versions.add_base(TASK, "mine", name)
    assert not (ws.folder / FILE).exists()
    own = back_up(ws, tmp_path / "own.zip")
    kept = replace(ws, backup_naming(tmp_path, f"dual:{clip.parent}")).kept
    replace(ws, own)
    assert version_source(ws, "mine").preset.media_tower == str(clip)
    earlier = Workspace(load_settings({}, workspace=kept, samples=False))
    assert version_source(earlier, "mine").preset.media_tower == str(clip)
    earlier.close()
    restore(own, tmp_path / "new")
    new = Workspace(load_settings({}, workspace=tmp_path / "new", samples=False))
    with pytest.raises(UserError, match=ONLY_THERE):
        version_source(new, "mine")
    new.versions.add_base(TASK, "mine", name)
    assert version_source(new, "mine").preset.media_tower == str(clip)
    assert json.loads((new.folder / FILE).read_text()) == [name]
    (new.folder / FILE).write_text("damaged")
    with pytest.raises(UserError, match=ONLY_THERE):
        version_source(new, "mine")
    new.close()


def test_a_workspace_of_before_that_nothing_was_restored_into_goes_on(ws: Workspace, clip: Path) -> None:
    ws.versions.add(Version(id="mine", task=TASK, base=f"dual:{clip}"))
    assert version_source(ws, "mine").preset.media_tower == str(clip)


def test_a_base_is_what_its_name_here_says_whatever_a_backup_says(
    ws: Workspace, clip: Path, tmp_path: Path
) -> None:
    replace(ws, backup_naming(tmp_path, f"dual:{clip}"))
    with closing(sqlite3.connect(ws.folder / DATABASE)) as database, database:
        database.execute("UPDATE versions SET id = 'scratch-cnn-rnn'")
    ws.versions.add_base(TASK, "scratch-cnn-rnn", "scratch-cnn-rnn")
    assert version_source(ws, "scratch-cnn-rnn").preset.id == "scratch-cnn-rnn"


def test_a_version_on_a_model_of_another_task_is_refused_in_a_sentence(ws: Workspace) -> None:
    ws.versions.add(Version(id="odd", task="speech-text", base="scratch-cnn-rnn"))
    with pytest.raises(UserError, match="odd is a version of speech-text, and stands on a model of image-"):
        version_source(ws, "odd")


def test_the_owner_s_settings_name_a_folder(clip: Path, tmp_path: Path, make_app: Callable[..., App]) -> None:
    restore(backup_naming(tmp_path, f"dual:{clip.parent}"), tmp_path / "demo")
    app = make_app(samples=False, model=f"dual:{clip}")
    assert version_source(app.ws, app.ws.versions.active(TASK)).preset.media_tower == str(clip)
    with pytest.raises(UserError, match=ONLY_THERE):
        version_source(app.ws, "v0")


@pytest.mark.parametrize("media", ["local-dir:/etc", "hf-hub:them/theirs", "timm/hf-hub:them/theirs"])
def test_a_pair_of_towers_in_a_backup_names_no_folder_and_no_place(tmp_path: Path, media: str) -> None:
    spec = {"media": media, "text": "rnn", "modality": "image", "feature_dim": 512}
    (tmp_path / "towers.json").write_text(json.dumps(spec))
    with pytest.raises(UserError, match="does not describe a pair of towers"):
        read_spec(str(tmp_path))


@pytest.mark.parametrize("weights", ["adapter_model.bin", "adapter_model.safetensors"])
def test_an_adapter_that_is_a_pickle_or_damaged_is_refused_in_a_sentence(
    clip: Path, tmp_path: Path, weights: str
) -> None:
    adapter = tmp_path / "tuned-1" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "target_modules": ["q_proj"]}')
    (adapter / weights).write_bytes(b"\x80\x04.")
    with pytest.raises(StorageError, match=r"^The adapter of tuned-1 cannot be read: .* Activate another"):
        load_network("CLIPModel", str(clip), torch.device("cpu"), str(adapter))
