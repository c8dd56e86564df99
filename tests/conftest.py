"""Real files, a real database, the real models: loaded once and shared by every workspace of the session."""

from __future__ import annotations

import atexit
import fcntl
import io
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # of those that run at a time none takes the others' cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
# Models that were downloaded on this machine are no part of a test: a new workspace would begin with them.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="mmdemo-hub-")
# Nor is the workspace of whoever runs them: a command that is told of none would open and upgrade it.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="mmdemo-data-")

import hypothesis
import pytest
from PIL import Image
from sqlalchemy import select

from mmdemo import registry
from mmdemo.modality import MODALITIES
from mmdemo.models.aligner import Towers
from mmdemo.retrieval.embed import encoder_states, text_vectors
from mmdemo.service.app import App
from mmdemo.settings import ASSETS, Settings, load_settings
from mmdemo.store.database import Database
from mmdemo.store.tables import Label, Run
from mmdemo.store.workspace import Workspace
from tests import postgresql as private_postgresql

for made in ("HF_HOME", "XDG_DATA_HOME"):
    atexit.register(shutil.rmtree, os.environ[made], ignore_errors=True)

# Files whose tests take longest together, in a quick run or a slow one: they begin first, so that no process
# is left with one of them at the end.
LONGEST = (
    "store/test_restore_while_open.py",
    "data/test_round_trips.py",
    "browser/test_outbox_at_random.py",
    "training/test_architectures.py",
    "service/test_checking.py",
    "training/test_queue.py",
    "service/test_speech.py",
    "service/test_video.py",
    "browser/test_finetune.py",
    "browser/test_outbox.py",
)
TASK = "image-text"
BASE = MODALITIES.get("image").default_model
STORES = ("sqlite", "postgresql")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell that starts a job in the background says so
    signal.signal(signal.SIGINT, signal.default_int_handler)
hypothesis.settings.register_profile("mmdemo", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("mmdemo")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    rank = {here / name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty workspace's settings, untouched by the environment."""
    return load_settings({}, workspace=tmp_path / "workspace", samples=False, device="cpu")


@pytest.fixture
def ws(settings: Settings) -> Iterator[Workspace]:
    """An empty workspace with its base version."""
    workspace = Workspace(settings)
    workspace.versions.ensure_base(TASK, BASE, BASE)
    yield workspace
    workspace.close()


@pytest.fixture(scope="session", autouse=True)
def tables_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new SQLite database is a copy of one that has its tables: to make them takes a third of a second,
    which thousands of tests would spend. How they are made has tests of its own.
    """
    made = tmp_path_factory.mktemp("tables") / "empty.db"
    Database(f"sqlite:///{made}").close()
    migrate = Database.migrate

    def copied(self: Database, revision: str = "head") -> None:
        path = Path(self.engine.url.database or "")
        if self.engine.dialect.name == "sqlite" and revision == "head" and not path.exists():
            with suppress(OSError):  # of a folder or a disk that the test has made so
                shutil.copyfile(made, path)
        migrate(self, revision)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "migrate", copied)
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server of this session's own, with the tables in the database `template`.

    MMDEMO_REQUIRE_POSTGRESQL=1 makes it an error that there is none.
    """
    if reason := private_postgresql.why_not():
        if os.environ.get("MMDEMO_REQUIRE_POSTGRESQL"):
            pytest.fail(f"MMDEMO_REQUIRE_POSTGRESQL is set and {reason}")
        pytest.skip(reason)
    with private_postgresql.cluster() as made:
        server = made.address
        private_postgresql.execute(server, "CREATE DATABASE template")
        Database(f"{server}/template").close()
        yield server


@pytest.fixture
def postgresql_url(postgresql: str) -> str:
    """A new database with the tables of a new workspace: what MMDEMO_DATABASE_URL takes."""
    name = f"test_{secrets.token_hex(6)}"
    private_postgresql.execute(postgresql, f"CREATE DATABASE {name} TEMPLATE template")
    return f"{postgresql}/{name}"


@pytest.fixture(params=STORES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind in turn: empty for SQLite in the workspace, as in the settings."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgresql_url"))


@pytest.fixture(scope="session")
def loaded() -> dict[str, Towers]:
    """The towers of every preset that a test has loaded."""
    return {}


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process to want it makes, for all that run these tests: they copy from it."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, done = root / name, root / f"{name}.done"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one that failed on its way
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def new_workspace(tmp_path_factory: pytest.TempPathFactory, loaded: dict[str, Towers]) -> Path:
    """A workspace as a first start leaves it, made once: two seconds that not every test need spend."""

    def make(folder: Path) -> None:
        App(load_settings({}, workspace=folder, device="cpu"), loaded).close()

    return made_once(tmp_path_factory, "new", make)


@contextmanager
def grown(source: Path, folder: Path, loaded: dict[str, Towers]) -> Iterator[App]:
    """A copy of a workspace, open: what is done in it stays in the folder."""
    shutil.copytree(source, folder)
    app = App(load_settings({}, workspace=folder, device="cpu"), loaded)
    try:
        yield app
    finally:
        app.close()


@pytest.fixture(scope="session")
def indexed_workspace(
    tmp_path_factory: pytest.TempPathFactory, loaded: dict[str, Towers], new_workspace: Path
) -> Path:
    """The same as the first searches in pictures leave it: indexed, and with the vectors of all its texts."""

    def make(folder: Path) -> None:
        with grown(new_workspace, folder, loaded) as app:
            app.context.keeper.update()
            texts = [pair.final_text for pair in app.ws.pairs.browse(TASK, limit=10_000)]
            text_vectors(app.ws, app.models.aligner(TASK).towers, texts)

    return made_once(tmp_path_factory, "indexed", make)


@pytest.fixture(scope="session")
def heard_workspace(
    tmp_path_factory: pytest.TempPathFactory, loaded: dict[str, Towers], indexed_workspace: Path
) -> Path:
    """The same as the first search in recordings leaves it: with the states of each of them."""

    def make(folder: Path) -> None:
        with grown(indexed_workspace, folder, loaded) as app:
            tower = app.models.aligner("speech-text").towers.media
            for item in app.ws.items.listed("audio"):
                encoder_states(app.ws, tower, item)

    return made_once(tmp_path_factory, "heard", make)


@pytest.fixture(scope="module")
def read_only_app(
    tmp_path_factory: pytest.TempPathFactory, loaded: dict[str, Towers], indexed_workspace: Path
) -> Iterator[App]:
    """A workspace with the sample collection, indexed, for tests that leave it as it is."""
    with grown(indexed_workspace, tmp_path_factory.mktemp("read_only") / "workspace", loaded) as app:
        app.context.keeper.update()
        yield app


@pytest.fixture
def make_app(tmp_path: Path, loaded: dict[str, Towers], new_workspace: Path) -> Iterator[Callable[..., App]]:
    """Open workspaces, with samples unless told otherwise."""
    opened: list[App] = []

    def make(name: str = "demo", **flags: object) -> App:
        flags = {"workspace": tmp_path / name, "device": "cpu"} | flags
        folder = Path(str(flags["workspace"]))
        if flags.get("samples", True) and "database_url" not in flags and not folder.exists():
            shutil.copytree(new_workspace, folder)
        app = App(load_settings({}, **flags), loaded)
        opened.append(app)
        return app

    yield make
    for app in opened:
        app.close()


@pytest.fixture
def app(make_app: Callable[..., App], tmp_path: Path, indexed_workspace: Path) -> App:
    """A workspace with the sample collection, indexed."""
    shutil.copytree(indexed_workspace, tmp_path / "demo")
    made = make_app()
    made.context.keeper.update()
    return made


@pytest.fixture(scope="session")
def seeded(
    postgresql: str,
    tmp_path_factory: pytest.TempPathFactory,
    loaded: dict[str, Towers],
    heard_workspace: Path,
) -> Path:
    """A workspace as the first searches leave it, made once; its database is `seeded`."""
    folder = tmp_path_factory.mktemp("seeded") / "workspace"
    private_postgresql.execute(postgresql, "CREATE DATABASE seeded TEMPLATE template")
    settings = load_settings({}, workspace=folder, device="cpu", database_url=f"{postgresql}/seeded")
    App(settings, loaded).close()
    for part in ("cache", "vectors"):  # what was made of the samples is called by what they are
        shutil.copytree(heard_workspace / part, folder / part, dirs_exist_ok=True)
    return folder


@pytest.fixture
def open_over(
    make_app: Callable[..., App], request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[str, Path], App]:
    """Open a copy of a workspace with the sample collection over a database of either kind."""

    def open_it(kind: str, source: Path) -> App:
        folder = tmp_path / f"over-{secrets.token_hex(4)}"
        if kind == "sqlite":
            shutil.copytree(source, folder)
            made = make_app(folder.name)
        else:
            server, name = request.getfixturevalue("postgresql"), f"test_{secrets.token_hex(6)}"
            shutil.copytree(request.getfixturevalue("seeded"), folder)
            for part in ("cache", "vectors"):
                shutil.copytree(source / part, folder / part, dirs_exist_ok=True)
            private_postgresql.execute(server, f"CREATE DATABASE {name} TEMPLATE seeded")
            made = make_app(folder.name, database_url=f"{server}/{name}")
        made.context.keeper.update()
        return made

    return open_it


@pytest.fixture(params=STORES)
def app_over_each(
    open_over: Callable[[str, Path], App], request: pytest.FixtureRequest, heard_workspace: Path
) -> App:
    """A workspace with the sample collection, indexed, over each database in turn."""
    return open_over(request.param, heard_workspace)


@pytest.fixture
def heard_app(
    open_over: Callable[[str, Path], App], request: pytest.FixtureRequest, heard_workspace: Path
) -> App:
    """The same, whose recordings have been listened to."""
    return open_over(getattr(request, "param", "sqlite"), heard_workspace)


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Install a package with one module whose `register` is named under mmdemo.plugins.

    It is found as any installed one, here and, by PYTHONPATH, in processes that the test starts; what it
    added to the tables goes with it.
    """
    brought: list[registry.PlugIn] = []
    installed = registry.entry_points

    def install(name: str, source: str) -> Path:
        folder = tmp_path / "plugins"
        facts = folder / f"{name}-1.0.dist-info"
        facts.mkdir(parents=True)
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{name} = {name}:register\n")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setenv("PYTHONPATH", str(folder))
        monkeypatch.setattr(registry, "_loaded", None)
        monkeypatch.setattr(registry, "entry_points", lambda group: installed(group=group, name=name))
        registry.load_plugins()
        assert registry._loaded is not None and name in registry._loaded
        brought.append(registry._loaded[name])
        return folder

    yield install
    for one in brought:
        one.take_back()


@pytest.fixture(scope="session")
def series_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where examples/series_text is installed, as pip installs it: a folder for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("series_text")
    how = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    source = Path(__file__).resolve().parents[1] / "examples" / "series_text"
    command = [sys.executable, "-m", "pip", "install", *how, "--target", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def drawing(name: str) -> Path:
    """One of the drawings in assets/."""
    return ASSETS / "clipart" / "images" / f"{name}.jpg"


def png(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 30)) -> bytes:
    """A plain picture as PNG."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def labels_of(ws: Workspace, pair: int) -> list[Label]:
    """Every label of a pair, oldest first, undone ones and undos included."""
    with ws.database.read() as session:
        return list(session.scalars(select(Label).where(Label.pair_id == pair).order_by(Label.id)))


def execute_run(  # type: ignore[no-untyped-def]
    app: App, run_id: str, progress=None, holder: str = ""
) -> Run:
    """Claim a run and work on it here until it has finished or its slice is over; returns its row, as it is
    where it cannot be claimed.
    """
    from mmdemo.training.lease import new_holder
    from mmdemo.training.runs import carry_out

    run = app.ws.runs.claim(holder or new_holder(), run_id)
    return app.ws.runs.get(run_id) if run is None else carry_out(app.ws, run, app.models, progress)
