"""`pip install .`: one version, one list of pins, and a wheel that has everything the page needs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import mmdemo
from mmdemo.settings import ASSETS
from tests.test_layers import FILES, imports
from tests.waiting import free_port, wait_for, wait_for_page

ROOT = ASSETS.parent
# What the package reads of assets/ where it is installed, and who made it: not what it was made with.
OF_A_WHEEL = (
    *(
        "SOURCES.md",
        "*.LICENSE.txt",
        "*.json",
        "*.safetensors",
        "samples.csv",
        "fonts/*",
        "photos/*.jpg",
        "clipart/images/*.jpg",
    ),
    *("clipart/metadata.csv", "speech/samples.csv", "speech/samples.safetensors", "speech/samples/*.ogg"),
    *("video/samples.csv", "video/*.mp4"),
)
PINS = re.findall(r"(?m)^([\w\[\].-]+==[\w.]+)", (ROOT / "requirements.txt").read_text())


def metadata() -> ProjectMetadata[PluginManager]:
    return ProjectMetadata(str(ROOT), PluginManager())


def test_every_pin_is_a_dependency_or_belongs_to_the_tests() -> None:
    core = metadata().core
    tests = core.optional_dependencies["test"]
    pinned = [p.split(";")[0].strip() for p in core.dependencies + tests]  # some are for one system only
    assert sorted(p.lower() for p in pinned) == sorted(p.lower().replace("_", "-") for p in PINS)
    assert {p.split("==")[0] for p in tests} >= {"pytest", "playwright", "ruff", "mypy"}
    assert not {p.split("==")[0] for p in core.dependencies} & {"pytest", "playwright", "ruff", "mypy"}


def test_what_the_package_imports_is_pinned_and_does_not_come_with_something_else_by_chance() -> None:
    files = [*FILES, ROOT / "app.py"]
    by_name = {name for f in files for name in re.findall(r'heavy\("(\w+)', f.read_text(encoding="utf-8"))}
    tops = {name.split(".")[0] for f in files for name in imports(f)} | by_name
    others = tops - set(sys.stdlib_module_names) - {"mmdemo"}
    packages, pinned = packages_distributions(), {p.split("[")[0].split("==")[0] for p in PINS}
    of = {name: {d.lower().replace("_", "-") for d in packages[name]} for name in others}
    assert not {name for name, d in of.items() if not d & {p.lower().replace("_", "-") for p in pinned}}


def test_the_version_is_written_once() -> None:
    assert metadata().version == mmdemo.__version__
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_build_uses_the_pinned_builder() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"] == [
        pin for pin in PINS if pin.startswith("hatchling==")
    ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", str(out), str(ROOT)], check=True, capture_output=True)
    return next(out.glob("mmdemo-*.whl"))


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package_and_of_the_samples(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = [f for f in (ROOT / "mmdemo").rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert {str(f.relative_to(ROOT)) for f in package} <= names
    held = {name.removeprefix("mmdemo/assets/") for name in names if name.startswith("mmdemo/assets/")}
    assert held == {
        str(f.relative_to(ASSETS))
        for f in ASSETS.rglob("*")
        for kind in OF_A_WHEEL
        if f.match(f"assets/{kind}")
    }
    assert not [n for n in names if not n.startswith(("mmdemo/", f"mmdemo-{mmdemo.__version__}."))]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment's `mmdemo`; the dependencies are those that the tests run with."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "mmdemo"


@pytest.mark.slow
def test_the_installed_command_aligns_serves_and_trains_in_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    port = free_port()
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}  # nothing leads to the clone
    variables |= {"MMDEMO_DEVICE": "cpu", "MMDEMO_WORKSPACE": "w", "GRADIO_SERVER_PORT": str(port)}

    def call(*arguments: str) -> Any:
        command = [str(installed), *arguments, "--json"]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    cat, rocket = call("align", str(ASSETS / "photos" / "chelsea.jpg"), "a tabby cat", "a rocket")["scores"]
    assert cat["probability"] > 0.5 > rocket["probability"]
    assert call("import", str(ASSETS / "clipart" / "metadata.csv"), "--verdict", "match")["labels"] > 500
    with (tmp_path / "log").open("w") as log:
        page = subprocess.Popen([str(installed), "serve"], cwd=folder, env=variables, stdout=log, stderr=log)
    try:
        wait_for_page(f"http://127.0.0.1:{port}", page, tmp_path / "log")
        client = Client(f"http://127.0.0.1:{port}", verbose=False)
        assert client.predict("a cat", None, "image-text", 3, api_name="/search")["results"]
        run = client.predict("image-text", "head", 1, 0, api_name="/start_training")["run"]
        under_way = {"queued", "running"}
        wait_for(lambda: client.predict(run, api_name="/training_status")["status"] not in under_way)
        at = client.predict(run, api_name="/training_status")
        assert at["status"] == "done" and at["after"], at
    finally:
        page.terminate()
        page.wait(30)
