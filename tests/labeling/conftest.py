"""Who gets which pair is the same on both databases."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdemo.models.aligner import Towers
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from tests.postgresql import execute


@pytest.fixture(scope="session")
def seeded(
    postgresql: str,
    tmp_path_factory: pytest.TempPathFactory,
    loaded: dict[str, Towers],
    heard_workspace: Path,
) -> Path:
    """A workspace as the first searches leave it, made once; its database is `seeded`."""
    folder = tmp_path_factory.mktemp("seeded") / "workspace"
    execute(postgresql, "CREATE DATABASE seeded TEMPLATE template")
    settings = load_settings({}, workspace=folder, device="cpu", database_url=f"{postgresql}/seeded")
    App(settings, loaded).close()
    for part in ("cache", "vectors"):  # what was made of the samples is called by what they are
        shutil.copytree(heard_workspace / part, folder / part, dirs_exist_ok=True)
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def app(
    make_app: Callable[..., App], request: pytest.FixtureRequest, tmp_path: Path, heard_workspace: Path
) -> App:
    """A workspace with the sample collection, indexed, over each database."""
    if request.param == "sqlite":
        shutil.copytree(heard_workspace, tmp_path / "over")
        made = make_app("over")
    else:
        server = request.getfixturevalue("postgresql")
        shutil.copytree(request.getfixturevalue("seeded"), tmp_path / "over")
        execute(server, f"CREATE DATABASE {tmp_path.name} TEMPLATE seeded")
        made = make_app("over", database_url=f"{server}/{tmp_path.name}")
    made.context.keeper.update()
    return made
