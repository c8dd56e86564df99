"""The layout is the explanation, so it is tested."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import mmdemo

ROOT = Path(mmdemo.__file__).parent
FILES = sorted(f for f in ROOT.rglob("*.py") if "migrations" not in f.parts)
LARGEST = 400  # lines: a hint, since one idea is not cut in two to fit


def module_of(file: Path) -> str:
    return ".".join(("mmdemo", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(file): file for file in FILES}


def layers() -> list[set[str]]:
    line = re.search(r"\w+ >[\w,> \n]+", mmdemo.__doc__ or "")[0]  # type: ignore[index]
    return [set(re.findall(r"\w+", part)) for part in line.split(">")]


def layer_of(module: str) -> int | None:
    parts = module.split(".")
    if len(parts) < 2:
        return None
    return next((i for i, names in enumerate(layers()) if parts[1] in names), None)


def imports(file: Path) -> set[str]:
    """Everything that a file imports, in functions and under TYPE_CHECKING too, as whole modules."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{a.name}" for a in node.names} & set(MODULES)
            found |= inside or {node.module}
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected parts of more than one module (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in graph[module]:
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            part = set(stack[stack.index(module) :])
            del stack[stack.index(module) :]
            if len(part) > 1:
                found.append(part)

    for module in sorted(graph):
        if module not in number:
            visit(module)
    return found


def test_every_file_is_in_a_layer() -> None:
    top = {"mmdemo", "mmdemo.__main__"}
    assert [m for m in MODULES if layer_of(m) is None and m not in top] == []


def test_imports_run_downwards_only() -> None:
    wrong = []
    for module, file in MODULES.items():
        own = layer_of(module)
        if own is None:
            continue
        for other in imports(file):
            theirs = layer_of(other) if other.startswith("mmdemo.") else None
            if theirs is not None and theirs < own:
                wrong.append(f"{module} imports {other}")
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: imports(file) & set(MODULES) - {module, "mmdemo"} for module, file in MODULES.items()}
    assert circles(graph) == []


def test_the_circle_test_finds_a_circle() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]


def test_only_the_page_imports_gradio() -> None:
    wrong = [f for f in FILES if "ui" not in f.parts and any(m.split(".")[0] == "gradio" for m in imports(f))]
    assert not wrong


def test_no_file_holds_two_ideas_and_no_file_of_tests_either() -> None:
    every = [*FILES, *Path(__file__).parent.rglob("*.py")]
    assert {f.name: n for f in every if (n := len(f.read_text().splitlines())) > LARGEST} == {}


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
    allowed = {"settings.py", "page_worker.py", "shell.py", "command.py", "trial.py"}
    assert not [f for f in FILES if f.name not in allowed and reads_environment(f.read_text())]


def reads_environment(code: str) -> bool:
    """Whether some code names the environment of the process, in whichever way Python has for it."""
    names = {"environ", "environb", "getenv", "getenvb"}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and node.attr in names:
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names}:
            return True
    return False


def test_each_way_to_read_the_environment_is_found() -> None:
    ways = ("os.environ['X']", "os.getenv('X')", "from os import environ", "import os as o; o.getenv('X')")
    assert all(reads_environment(code) for code in ways)
    assert not reads_environment("'os.environ'; options = os.path.join('a', 'b')")
