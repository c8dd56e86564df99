"""Fetching from the Hub: the path that an id takes, over real HTTP from a Hub on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import disable_progress_bars

from mmdemo.asker import ROLES, Asker, asking
from mmdemo.command_line import main
from mmdemo.errors import UserError
from mmdemo.models.find_model import find_preset
from mmdemo.models.hub.download import DownloadStoppedError, Fetched, fetch
from mmdemo.models.hub.loading import load_config
from mmdemo.models.hub.local_cache import repositories
from mmdemo.models.memory import memory_mb
from mmdemo.models.presets import Preset
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from tests import checkpoints
from tests.models.fake_hub import COMMIT, Repository, point_at, serving

ROOT = ASSETS.parent


def preset(name: str) -> Preset:
    return Preset("x", "image-text", "CLIP", name, "MIT", "", loader="dual", text_tower="")


@pytest.fixture
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Point huggingface_hub at an address; returns its empty cache."""

    def at(address: str) -> Path:
        point_at(address, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
        return tmp_path / "cache"

    return at


def test_a_hub_id_is_fetched_with_progress_once_and_no_pickle_or_code_with_it(
    tmp_path: Path, online: Callable[[str], Path]
) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    for unwanted in ("pytorch_model.bin", "modeling_evil.py", "onnx/model.safetensors"):
        (folder / unwanted).parent.mkdir(exist_ok=True)
        (folder / unwanted).write_bytes(b"unwanted")
    told: list[Fetched] = []
    disable_progress_bars()  # as loading a model does
    with serving({"me/clip": Repository(folder)}) as address:
        cache = online(address)
        fetch(preset("me/clip"), told.append)
    got = {p.name for p in cache.rglob("*") if p.is_symlink()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= got
    assert not got & {"pytorch_model.bin", "modeling_evil.py"} and not list(cache.rglob("onnx"))
    assert told[-1].done == told[-1].total >= (folder / "model.safetensors").stat().st_size
    fetch(preset("me/clip"), lambda f: pytest.fail("it is here already"))  # and nobody serves it any more


def test_a_download_can_be_stopped_and_goes_on_and_one_that_is_cut_off_is_told(
    tmp_path: Path, online: Callable[[str], Path]
) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    held = Repository(folder, cut_after=5000)
    with serving({"me/clip": held}) as address:
        cache = online(address)
        with pytest.raises(DownloadStoppedError, match="was stopped"):
            fetch(preset("me/clip"), lambda f: None, lambda: True)
        with pytest.raises(UserError, match=r"me/clip could not be fetched: .*") as cut:
            fetch(preset("me/clip"), lambda f: None)
        assert "\n" not in str(cut.value)
        assert not list(cache.rglob("model.safetensors"))
        held.cut_after = 0
        fetch(preset("me/clip"), lambda f: None)
    assert list(cache.rglob("model.safetensors"))


def test_what_does_not_fit_on_the_disk_is_refused_before_it_is_fetched(
    tmp_path: Path, online: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr("mmdemo.models.hub.download.shutil.disk_usage", lambda path: usage)
    with serving({"me/clip": Repository(folder)}) as address:
        cache = online(address)
        with pytest.raises(UserError, match="of the disk are free"):
            fetch(preset("me/clip"), lambda f: None)
    assert not list(cache.rglob("model.safetensors"))


def test_a_model_that_is_private_not_there_or_out_of_reach_is_told(
    tmp_path: Path, online: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    with serving({"me/clip": Repository(folder, token="hf_good")}) as address:
        online(address)
        for name in ("me/clip", "me/none"):
            with pytest.raises(UserError, match="there is none of that name, or it is private") as told:
                fetch(preset(name), lambda f: None)
            assert "HF_TOKEN" in told.value.cure
    with pytest.raises(UserError, match="there is no network") as told:
        fetch(preset("me/clip"), lambda f: None)  # nobody listens there any more
    assert "Without one there are: efficientnet-lite0-devise" in told.value.cure


def test_the_token_of_the_host_speaks_for_its_owner_alone(
    tmp_path: Path, online: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    folder = checkpoints.save_clip(tmp_path / "clip")
    with serving({"me/clip": Repository(folder, token="hf_good")}) as address:
        online(address)
        for role in ROLES[:-1]:
            with asking(Asker(role)):
                with pytest.raises(UserError, match="there is none of that name, or it is private"):
                    fetch(preset("me/clip"), lambda f: None)
                with pytest.raises(UserError, match="there is none of that name, or it is private"):
                    load_config("me/clip")
        with asking(Asker("owner")):
            fetch(preset("me/clip"), lambda f: None)
            assert load_config("me/clip").model_type == "clip"
        with asking(Asker("trainer")):  # what the owner has fetched is there for all
            assert load_config("me/clip").model_type == "clip"


@pytest.mark.slow
def test_a_private_model_is_aligned_with_by_who_has_a_token_and_again_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    for name, value in {"SAMPLES": "0", "DEVICE": "cpu", "MODEL": f"dual:me/clip@{COMMIT[:7]}"}.items():
        monkeypatch.setenv(f"MMDEMO_{name}", value)
    align = ["align", str(ASSETS / "photos" / "coffee.jpg"), "a cup", "--task", "image-text"]
    align += ["--workspace", str(tmp_path / "w"), "--json"]
    plain = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    with serving({"me/clip": Repository(folder, token="hf_good")}) as address:
        own = {"HF_ENDPOINT": address, "HF_TOKEN": "hf_good", "HF_HOME": str(tmp_path / "home")}
        done = subprocess.run(
            [sys.executable, "-m", "mmdemo", *align],
            env=plain | own,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["scores"][0]["text"] == "a cup"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    capsys.readouterr()
    assert main(align) == 0 and capsys.readouterr().out == done.stdout  # HF_HUB_OFFLINE is set here


def test_every_preset_says_from_where_it_is_loaded_and_at_which_revision(tmp_path: Path) -> None:
    from mmdemo.models.presets import PRESETS

    for one in PRESETS.values():
        assert one.architecture and one.licence and one.size_mb > 0
        assert bool(repositories(one)) == bool(one.revision), one.id
    names = [one.name for one in repositories(PRESETS["resnet50-bert"])]
    assert names == ["timm/resnet50.a1_in1k", "google-bert/bert-base-uncased"]
    folder = checkpoints.save_clip(tmp_path / "at@home")
    plain = find_preset(f"dual:{folder}")
    assert plain.revision == ""  # a folder whose name has an @
    assert memory_mb(PRESETS["smolvlm-256m-instruct"]) == pytest.approx(2 * 1.3 * 513, abs=1)  # bfloat16


def test_weights_of_16_bits_need_twice_their_size_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import CLIPModel

    monkeypatch.setattr("mmdemo.models.memory.weights_mb", lambda preset: 100)
    folder = checkpoints.save_clip(tmp_path / "clip")
    assert memory_mb(find_preset(f"dual:{folder}")) == 130
    CLIPModel.from_pretrained(folder).to(torch.bfloat16).save_pretrained(folder)
    assert memory_mb(find_preset(f"dual:{folder}")) == 260


def test_the_page_says_how_far_a_download_is_and_the_model_before_answers_meanwhile(
    tmp_path: Path, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    item = app.ws.items.listed("image", limit=1)[0]
    before = app.media.align(item, ["a cat"])["model"]
    seen: list[str] = []

    def slow(preset: Preset, told: Callable[[Fetched], None], stopped: Callable[[], bool]) -> None:
        told(Fetched(35_000_000, 605_000_000, 10.0))
        seen.append(app.models.status("image-text").message)
        assert app.media.align(item, ["a cat"])["model"] == before
        app.models.stop_fetching("image-text")
        assert stopped()
        raise DownloadStoppedError("Fetching it was stopped.")

    monkeypatch.setattr("mmdemo.models.hub.download.fetch", slow)
    with pytest.raises(DownloadStoppedError):
        app.versions.choose_model("image-text", "clip-vit-base-patch32")
    assert seen == ["Fetching clip-vit-base-patch32: 35 of 605 MB, 3 min left"]
    assert app.models.status("image-text").state == "ready"
    assert app.media.align(item, ["a cat"])["model"] == before
