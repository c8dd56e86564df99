from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mmdemo import registry
from mmdemo.errors import RegistryError, UserError
from mmdemo.registry import Registry, load_plugins


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """Entry points of packages that are installed for one test, none at first."""
    found: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: found)
    monkeypatch.setattr(registry, "_loaded", None)
    monkeypatch.syspath_prepend(tmp_path)
    yield found


def package(folder: Path, name: str, code: str) -> EntryPoint:
    (folder / f"{name}.py").write_text(code)
    return EntryPoint(name, f"{name}:register", registry.GROUP)


def test_an_unknown_name_lists_those_there_are_and_a_doubled_one_is_refused() -> None:
    fruit: Registry[int] = Registry("fruit", int)
    fruit.add("apple", 1)
    fruit.add("pear", 2)
    with pytest.raises(UserError, match=r"There is no fruit 'nut'. Use one of: apple, pear."):
        fruit.get("nut")
    with pytest.raises(RegistryError, match="There is a fruit named 'apple' already"):
        fruit.add("apple", 3)
    assert list(fruit) == ["apple", "pear"] and fruit["apple"] == 1 and len(fruit) == 2


@pytest.mark.parametrize(
    ("table", "wrong", "wanted"),
    [
        ("mmdemo.data.importers.base:IMPORTERS", lambda path: [], "an Importer"),
        ("mmdemo.data.exporters.base:EXPORTERS", "csv", "an Exporter"),
        ("mmdemo.training.losses:LOSSES", 3, "a function"),
        ("mmdemo.models.heads.residual:HEADS", dict, "a class that is a ResidualHead"),
        ("mmdemo.service.sources.table:SOURCES", "a sentence", "a function"),
        ("mmdemo.label_kinds:LABEL_KINDS", None, "a LabelKind"),
    ],
)
def test_what_is_of_another_kind_than_a_table_holds_is_refused_when_it_is_added(
    table: str, wrong: object, wanted: str
) -> None:
    module, name = table.split(":")
    known = getattr(import_module(module), name)
    with pytest.raises(RegistryError, match=f"'wrong' is .* Give {wanted}\\."):
        known.add("wrong", wrong)
    assert "wrong" not in known


def test_a_plug_in_adds_to_a_table_after_what_ships(plugins: list[EntryPoint], tmp_path: Path) -> None:
    (tmp_path / "shipped_fruit.py").write_text("import fruit_table\nfruit_table.FRUIT.add('apple', 1)\n")
    (tmp_path / "fruit_table.py").write_text(
        "from mmdemo.registry import Registry\nFRUIT = Registry('fruit', int, ['shipped_fruit'])\n"
    )
    code = "import fruit_table\ndef register():\n    fruit_table.FRUIT.add('nut', 2)\n"
    plugins.append(package(tmp_path, "nuts", code))
    load_plugins()
    from fruit_table import FRUIT  # type: ignore[import-not-found]

    assert list(FRUIT) == ["apple", "nut"] and list(registry._loaded or ()) == ["nuts"]


def test_a_plug_in_that_fails_leaves_nothing_behind_and_takes_nothing_that_ships_with_it(
    plugins: list[EntryPoint], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = """
from mmdemo.models.presets import LOADERS, PRESETS, Loader, Preset
def register():
    LOADERS.add("mine", Loader("mine", "image-text"))
    LOADERS.remove("dual")
    PRESETS.add("new-model", Preset("new-model", "image-text", "", "", "", ""))
    PRESETS.add("clip-vit-base-patch32", Preset("clip-vit-base-patch32", "image-text", "", "", "", ""))
"""
    plugins.append(package(tmp_path, "doubling", code))
    from mmdemo.models.presets import LOADERS, PRESETS

    assert "clip-vit-base-patch32" in PRESETS and PRESETS["clip-vit-base-patch32"].architecture == "CLIP"
    assert "new-model" not in PRESETS and "mine" not in LOADERS and "dual" in LOADERS
    assert (
        "The plug-in doubling was not loaded: There is a model named 'clip-vit-base-patch32'" in caplog.text
    )
    assert registry._loaded == {}


def test_rows_of_ours_that_a_failing_plug_in_is_the_first_to_import_stay(tmp_path: Path) -> None:
    code = """
def register():
    from mmdemo.data.importers.folders import PictureFolder
    from mmdemo.label_kinds import LABEL_KINDS
    from mmdemo.data.importers.base import IMPORTERS
    IMPORTERS.add("mine", PictureFolder())
    raise OSError("no more")
"""
    (tmp_path / "borrowing.py").write_text(code)
    facts = tmp_path / "borrowing-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: borrowing\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[{registry.GROUP}]\nborrowing = borrowing:register\n")
    look = (
        "from mmdemo.registry import load_plugins; load_plugins()\n"
        "from mmdemo.data.importers.base import IMPORTERS; from mmdemo.label_kinds import LABEL_KINDS\n"
        "print(*(name in IMPORTERS for name in ('classes', 'folder', 'mine')), 'match' in LABEL_KINDS)"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["True", "True", "False", "True"], done.stderr
    assert "The plug-in borrowing was not loaded: OSError: no more" in done.stderr


def test_what_another_thread_adds_while_a_plug_in_is_called_is_not_the_plug_ins(
    plugins: list[EntryPoint], tmp_path: Path
) -> None:
    (tmp_path / "nut_table.py").write_text(
        "from mmdemo.registry import Registry\nNUTS = Registry('nut', int)\n"
    )
    code = """
import threading
import nut_table
def register():
    nut_table.NUTS.add("pecan", 1)
    other = threading.Thread(target=nut_table.NUTS.add, args=("walnut", 2))
    other.start()
    other.join()
    raise OSError("no more")
"""
    plugins.append(package(tmp_path, "nut_failing", code))
    load_plugins()
    from nut_table import NUTS  # type: ignore[import-not-found]

    assert list(NUTS) == ["walnut"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("def register():\n    exit()\n", "SystemExit"),
        ("raise OSError('one\\n  two')\n", "OSError: one two"),
        ("import gone_from_everywhere\n", "No module named 'gone_from_everywhere'"),
    ],
)
def test_a_plug_in_that_would_end_the_program_is_left_out_in_one_line(
    plugins: list[EntryPoint], tmp_path: Path, caplog: pytest.LogCaptureFixture, code: str, why: str
) -> None:
    name = f"ending_{abs(hash(code))}"
    plugins.append(package(tmp_path, name, code))
    with caplog.at_level("WARNING"):
        load_plugins()
    assert len(caplog.records) == 1 and caplog.records[0].exc_info is None
    said = caplog.records[0].getMessage()
    assert said.startswith(f"The plug-in {name} was not loaded: ") and why in said and "\n" not in said
    assert registry._loaded == {}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_that_comes_while_a_plug_in_loads_still_ends_the_program(
    plugins: list[EntryPoint], tmp_path: Path, name: str
) -> None:
    number = signal.Signals[name]

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)  # as the command line does of SIGTERM

    before = signal.signal(number, end)
    try:
        code = f"import signal\nsignal.raise_signal(signal.{name})\n"
        plugins.append(package(tmp_path, f"slow_to_load_{name}", code))
        with pytest.raises(SystemExit):
            load_plugins()
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)
