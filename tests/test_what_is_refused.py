"""What a person can get wrong on the command line: one sentence each, and whose fault it is."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmdemo.command_line import main
from mmdemo.command_line.exit_status import INTERRUPTED
from mmdemo.command_line.serve import serve_page
from mmdemo.errors import MediaError, StorageError, UserError, cannot_write
from mmdemo.media.regular_file import require_file
from mmdemo.settings import ASSETS, load_settings
from tests.conftest import png
from tests.waiting import free_port

ROOT = ASSETS.parent


@pytest.fixture(autouse=True)
def cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMDEMO_DEVICE", "cpu")
    monkeypatch.setenv("MMDEMO_SAMPLES", "false")
    monkeypatch.delenv("MMDEMO_WORKSPACE", raising=False)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    assert main(list(arguments)) == status
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


def mmdemo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "MMDEMO_DEVICE": "cpu"} | environment,
        timeout=60,
    )


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Path]:
    """Names of what is no file that can be read, with what each is."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(str(tmp_path / "s.csv"))
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.wav").touch()
    return {
        "a device": Path("/dev/zero"),
        "a folder": tmp_path / "folder.png",
        "a pipe": tmp_path / "pipe.jpg",
        "a socket": tmp_path / "s.csv",
        "is empty": tmp_path / "empty.wav",
        "made by the system": Path("/proc/self/status"),
        "cannot be read": Path("/proc/self/mem"),
        "does not exist": tmp_path / ("x" * 300),
    }


def test_what_is_no_file_is_said_to_be_what_it_is(odd: dict[str, Path]) -> None:
    for says, path in odd.items():
        with pytest.raises(MediaError, match=says):
            require_file(path, 10)


@pytest.mark.slow
def test_every_verb_that_takes_a_file_refuses_what_is_none(
    tmp_path: Path, odd: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    space = ["--workspace", str(tmp_path / "w")]
    for says, path in odd.items():
        for verb in (["align", str(path), "a cat"], ["caption", str(path)]):
            assert says in refused(capsys, *verb, *space)
    for says in ("a device", "a pipe", "a socket", "made by the system"):
        assert says in refused(capsys, "import", str(odd[says]), *space)
        assert says in refused(capsys, "evaluate", "--pairs", str(odd[says]), *space)
        assert says in refused(capsys, "restore", str(odd[says]), "--workspace", str(tmp_path / "v"))
        assert says in refused(capsys, "search", str(odd[says]), *space)
    assert "a folder" in refused(capsys, "restore", str(odd["a folder"]), "--workspace", str(tmp_path / "v"))
    assert "a folder" in refused(capsys, "search", str(odd["a folder"]), *space)


def test_a_file_over_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(30_000_000_000)  # a hole: it takes no room on the disk
    space = ["--workspace", str(tmp_path / "w")]
    assert "30000 MB, over the limit of 20000 MB" in refused(
        capsys, "caption", str(tmp_path / "large.jpg"), *space
    )
    assert "over the limit" in refused(capsys, "import", str(tmp_path / "large.jpg"), *space)
    (tmp_path / "a.png").write_bytes(png())
    monkeypatch.setenv("MMDEMO_MAX_FILE_MB", "1")
    with (tmp_path / "b.png").open("wb") as file:
        file.truncate(2_000_000)
    (tmp_path / "m.csv").write_text("file_name,text\na.png,red\nb.png,large\n")
    assert main(["import", str(tmp_path / "m.csv"), *space]) == 0
    assert "b.png is 2 MB, over the limit of 1 MB" in capsys.readouterr().out


def test_a_picture_is_not_read_into_memory_to_be_described(tmp_path: Path) -> None:
    from mmdemo.modality import MODALITIES

    with (tmp_path / "large.png").open("wb") as file:
        file.write(png())
        file.truncate(4_000_000_000)
    code = (
        "import resource; from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from mmdemo.modality import MODALITIES; from mmdemo.settings import load_settings\n"
        f"print(MODALITIES.get('image').describe(Path({str(tmp_path / 'large.png')!r}), load_settings({{}})))"
    )
    done = mmdemo("-c", code)
    facts = MODALITIES.get("image").describe(png(), load_settings({}))
    assert done.stdout.strip() == str(facts), done.stderr


def test_a_place_that_cannot_be_written_to_is_the_input_s_fault_and_named_by_its_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = ["--workspace", str(tmp_path / "w")]
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "m.csv").write_text("file_name,text\na.png,red\n")
    assert main(["import", str(tmp_path / "m.csv"), "--verdict", "match", *space]) == 0
    capsys.readouterr()
    file = tmp_path / "a.png"
    assert "Make the folder first" in refused(capsys, "backup", str(tmp_path / "no" / "b.zip"), *space)
    assert "is a folder" in refused(capsys, "backup", str(tmp_path), *space)
    assert "A part of the path is a file" in refused(capsys, "backup", str(file / "b.zip"), *space)
    assert "A part of the path is a file" in refused(capsys, "export", str(file / "out"), *space)
    assert "is not a folder" in refused(capsys, "export", str(file), *space)
    assert "Choose a shorter name" in refused(capsys, "export", str(tmp_path / ("x" * 300)), *space)
    assert "Disk quota" not in refused(capsys, "export", "/proc/out", *space)
    for out in ("/proc/out", str(file / "out")):
        written = refused(capsys, "models", "export", "efficientnet-lite0-devise", "--out", out, *space)
        assert "Free some disk space" not in written and out in written
    assert not list(tmp_path.glob("**/.part-*"))


@pytest.mark.parametrize(
    ("number", "named", "kind", "cure"),
    [
        (errno.ENOSPC, True, StorageError, "Free some disk space"),
        (errno.EDQUOT, True, StorageError, "quota"),
        (errno.EACCES, True, UserError, "that you may write to"),
        (errno.EROFS, True, UserError, "not read-only"),
        (errno.EACCES, False, StorageError, "that you may write to"),
        (errno.EIO, True, StorageError, "Check the disk"),
    ],
)
def test_only_a_full_disk_is_called_one(number: int, named: bool, kind: type, cure: str) -> None:
    found = cannot_write("The export could not be written", OSError(number, os.strerror(number)), named=named)
    assert type(found) is kind and cure in found.cure and os.strerror(number) in found.what
    assert ("disk space" in found.cure) == (number in (errno.ENOSPC, errno.EDQUOT))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MMDEMO_SLICE_S", "-1"),
        ("MMDEMO_SLICE_S", "nan"),
        ("MMDEMO_THREADS", "-3"),
        ("MMDEMO_HELD_OUT_SHARE", "2"),
        ("MMDEMO_MAX_UPLOAD_MB", "0"),
        ("MMDEMO_MODEL_MEMORY_MB", "1e3"),
        ("MMDEMO_SAMPLES", "perhaps"),
        ("MMDEMO_SERVER_PORT", "99999"),
        ("MMDEMO_SERVER_NAME", "a\x1bb"),
        ("GRADIO_SERVER_PORT", "abc"),
        ("GRADIO_SERVER_PORT", "99999"),
        ("GRADIO_SERVER_PORT", "-1"),
        ("GRADIO_SERVER_PORT", "0"),
        ("GRADIO_NUM_PORTS", "many"),
        ("MMDEMO_WORKSPACE", "/dev/null"),
        ("MMDEMO_WORKSPACE", "/dev/null/below"),
        ("MMDEMO_WORKSPACE", "/tmp/\udcff"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_with_what_can(name: str, value: str) -> None:
    with pytest.raises(UserError) as refused:
        load_settings({name: value})
    shown = "workspace" if name == "MMDEMO_WORKSPACE" else name
    assert shown.lower() in str(refused.value).lower() and refused.value.cure


def test_a_range_that_fits_is_taken_at_both_ends() -> None:
    for value in ("0", "0.9"):
        assert load_settings({"MMDEMO_HELD_OUT_SHARE": value}).held_out_share == float(value)
    assert load_settings({"GRADIO_SERVER_PORT": "65535"}).server_port == 65535


@pytest.mark.slow
@pytest.mark.parametrize("value", ["abc", "99999", "0"])
def test_a_bad_port_is_said_in_one_line_by_both_ways_to_start(value: str) -> None:
    for start in (["app.py"], ["-m", "mmdemo", "serve"]):
        done = mmdemo(*start, GRADIO_SERVER_PORT=value)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.count("\n") == 1 and "GRADIO_SERVER_PORT is" in done.stderr


def test_a_name_that_is_no_address_of_this_machine_is_refused_before_a_workspace_is_made(
    tmp_path: Path,
) -> None:
    for name in ("999.1.1.1", "203.0.113.7", "a" * 80, "not a name"):
        settings = load_settings({}, workspace=tmp_path / "w", server_name=name)
        with pytest.raises(UserError, match=r"is no address of this machine.*GRADIO_SERVER_NAME"):
            serve_page(settings)
    assert not (tmp_path / "w").exists()


def test_a_folder_that_cannot_be_one_is_never_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "not a folder" in refused(capsys, "settings", "--workspace", "/dev/null")
    assert "cannot be used" in refused(capsys, "search", "x", "--workspace", "\udcff")
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_wrongly_is_one_line_with_the_way_to_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "There is no verb 'frob'. Use one of: import, align" in refused(capsys, "frob")
    assert "required: file. mmdemo transcribe --help" in refused(capsys, "transcribe")
    assert "Unrecognized arguments: --frob" in refused(capsys, "settings", "--frob")
    assert "There is no format 'doc'. Use one of: json, srt" in refused(
        capsys, "transcribe", "a", "--format", "doc"
    )
    assert "match, mismatch, unsure, none." in refused(capsys, "import", "x", "--verdict", "zz")


def test_help_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["align", "--help"])
    assert ended.value.code == 0 and "usage: mmdemo align" in capsys.readouterr().out


def run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PY": sys.executable, "MMDEMO_DEVICE": "cpu"} | environment
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, env=os.environ | given, timeout=60
    )


@pytest.mark.slow
def test_who_stops_reading_the_answer_is_told_nothing(tmp_path: Path) -> None:
    done = run(f'"$PY" -m mmdemo settings --workspace {tmp_path} | true; echo ${{PIPESTATUS[0]}}')
    assert (done.stdout, done.stderr) == ("0\n", "")
    done = run(f'"$PY" -m mmdemo settings --workspace {tmp_path} > /dev/full')
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "The answer could not be written: No space left on device." in done.stderr


def test_ctrl_c_ends_with_130_and_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmdemo.command_line import parser

    def interrupted(options: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(parser, "run_settings", interrupted)
    assert main(["settings"]) == INTERRUPTED == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_ctrl_c_ends_a_served_page_with_130(tmp_path: Path) -> None:
    port = free_port()
    served = subprocess.Popen(
        [sys.executable, "app.py", "--workspace", str(tmp_path / "w"), "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"MMDEMO_DEVICE": "cpu"},
    )
    try:
        assert served.stderr is not None
        for line in served.stderr:
            if "mmdemo is at" in line:
                break
        served.send_signal(signal.SIGINT)
        out, err = served.communicate(timeout=60)
        assert served.returncode == 130 and "Traceback" not in out + err
    finally:
        served.kill()
