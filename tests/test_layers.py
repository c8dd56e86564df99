"""The layout is the explanation, so it is tested."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import mmdemo

ROOT = Path(mmdemo.__file__).parent
FILES = sorted(f for f in ROOT.rglob("*.py") if "migrations" not in f.parts)
LARGEST = 320


def layers() -> list[set[str]]:
    line = re.search(r"\w+ >[\w,> \n]+", mmdemo.__doc__ or "")[0]  # type: ignore[index]
    return [set(re.findall(r"\w+", part)) for part in line.split(">")]


def layer_of(module: str) -> int | None:
    parts = module.split(".")
    if len(parts) < 2:
        return None
    return next((i for i, names in enumerate(layers()) if parts[1] in names), None)


def imports(file: Path) -> list[str]:
    tree = ast.parse(file.read_text())
    found = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return found + [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]


def test_imports_run_downwards_only() -> None:
    wrong = []
    for file in FILES:
        own = layer_of("mmdemo." + ".".join(file.relative_to(ROOT).with_suffix("").parts))
        if own is None:
            continue
        for module in imports(file):
            other = layer_of(module) if module.startswith("mmdemo") else None
            if other is not None and other < own and "TYPE_CHECKING" not in file.read_text():
                wrong.append(f"{file.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_only_the_page_imports_gradio() -> None:
    wrong = [f for f in FILES if "ui" not in f.parts and any(m.split(".")[0] == "gradio" for m in imports(f))]
    assert not wrong


def test_no_file_holds_two_ideas() -> None:
    assert {f.name: n for f in FILES if (n := len(f.read_text().splitlines())) > LARGEST} == {}


def test_the_page_can_be_imported_without_pytorch() -> None:
    import subprocess
    import sys

    code = "import sys, mmdemo.ui.shell; print('torch' in sys.modules, 'faiss' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_only_one_place_decides_on_the_device() -> None:
    wrong = [
        f for f in FILES if f.name != "device.py" and re.search(r"\.cuda\(|cuda\.is_available", f.read_text())
    ]
    assert not wrong


def test_only_the_settings_read_the_environment() -> None:
    # the others set it for children, or are told by it that they are one of several processes
    allowed = {"settings.py", "jobs.py", "shell.py", "__main__.py", "train_verb.py"}
    assert not [f for f in FILES if f.name not in allowed and "os.environ" in f.read_text()]
