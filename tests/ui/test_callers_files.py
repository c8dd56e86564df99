"""A call opens what its own sender uploaded, and no other file of this machine."""

from __future__ import annotations

import json
import shutil
from asyncio import _get_running_loop
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio.utils import get_upload_folder
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message

from mmdemo.asker import Asker, asking
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.exchange import exchange_folder
from mmdemo.settings import ASSETS
from mmdemo.ui import waiting_files
from mmdemo.ui.files import FROM_CLIENT, sent_files
from mmdemo.ui.waiting_files import WAITING, BoundedForm
from tests.conftest import TASK, png
from tests.ui.conftest import agent, awaited

Served = tuple[App, Any, str]
RECORDING = ASSETS / "speech" / "samples"
NO_FILE = "That is no file that was uploaded here."


@pytest.fixture(scope="module")
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[2], timeout=60) as client:
        yield client


def upload(http: httpx.Client, data: bytes, name: str = "a.png") -> str:
    """The name that the answer gives a file of a script, which keeps no cookies."""
    http.cookies.clear()
    return str(http.post("gradio_api/upload", files={"files": (name, data)}).json()[0])


def called(http: httpx.Client, name: str, values: list[Any]) -> str:
    """How a raw call ends."""
    begun = http.post(f"gradio_api/call/{name}", json={"data": values}).json()["event_id"]
    return http.get(f"gradio_api/call/{name}/{begun}").text


@pytest.fixture
def in_gradios_folder() -> Iterator[Path]:
    """A picture where Gradio keeps what it caches."""
    path = Path(get_upload_folder()) / ("0" * 64) / "theirs.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png())
    yield path
    path.unlink()
    path.parent.rmdir()


def test_a_path_of_the_server_is_refused_the_same_whether_it_is_there_or_not(
    served: Served, http: httpx.Client, in_gradios_folder: Path
) -> None:
    there = next(RECORDING.iterdir())
    paths = [
        str(there),
        str(there.with_name("none.wav")),
        str(in_gradios_folder),
        f"{in_gradios_folder.parent}/../{in_gradios_folder.parent.name}/{in_gradios_folder.name}",
        str(in_gradios_folder.parent),
        "/",
        "/etc/passwd",
        "file:///etc/passwd",
        "mmdemo/sent/../../etc/passwd",
        f"mmdemo/sent/{'0' * 64}/a.png",
        f"mmdemo/sent/{'0' * 64}/../../etc/passwd",
    ]
    told = set()
    for path in paths:
        for file in (
            {"path": path},
            {"url": path},
            {"path": path, "meta": {"_type": "gradio.FileData"}},
            path,
        ):
            for name, more in (("transcribe", []), ("align", ["x", TASK]), ("caption", [])):
                told.add(called(http, name, [file, *more]))
        told.add(called(http, "search", ["", {"path": path}, TASK]))
        _, answer = agent(served[2], "caption", {"file": path})
        assert answer.isError and answer.content[0].text.startswith(NO_FILE), (path, answer.content[0].text)
    assert len(told) == 1 and NO_FILE in told.pop()


def test_what_was_uploaded_is_opened_by_its_name_in_each_form_and_the_name_is_no_path(
    http: httpx.Client,
) -> None:
    photo = (ASSETS / "photos" / "coffee.jpg").read_bytes()
    name = upload(http, photo, "a cup.jpg")
    assert name.startswith("mmdemo/sent/")
    for file in (
        {"path": name},
        {"path": name, "meta": {"_type": "gradio.FileData"}},
        {"url": f"http://x/{name}"},
    ):
        assert "event: complete" in called(http, "caption", [file])


def test_what_one_session_uploaded_no_other_may_open(served: Served) -> None:
    mine, theirs = Asker("viewer", session="mine"), Asker("viewer", session="theirs")

    async def send(asker: Asker) -> str:
        body, kind = form({"files": ("a.png", png())})

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", kind)]}
        return (await WAITING.receive(Request(scope, receive), asker, served[0].settings))[0]

    name = awaited(send(mine))
    with sent_files(served[0].settings, FROM_CLIENT) as files:
        with asking(mine):
            opened = files({"path": name}).path
            assert opened is not None and opened.read_bytes() == png()
        for other in (theirs, Asker("owner", session="owner"), Asker("viewer")):
            with asking(other), pytest.raises(UserError, match=NO_FILE):
                files({"path": name})


def form(files: dict[str, tuple[str, bytes]]) -> tuple[bytes, bytes]:
    """A multipart form and its media type."""
    request = httpx.Request("POST", "http://x", files=files)
    return request.read(), request.headers["content-type"].encode()


def test_gradios_own_route_serves_no_file_neither_cached_nor_uploaded_nor_fetched(
    http: httpx.Client, in_gradios_folder: Path
) -> None:
    name = upload(http, png())
    answers = set()
    for wanted in (
        name,
        str(in_gradios_folder),
        "/etc/passwd",
        "http://example.com/",
        "https://example.com/",
    ):
        for way in ("file=", "file/"):
            got = http.get(f"gradio_api/{way}{wanted}")
            answers.add((got.status_code, got.text))
    assert len(answers) == 1 and next(iter(answers))[0] == 404


def test_an_upload_is_bounded_as_a_whole_and_is_a_form_with_files(http: httpx.Client, served: Served) -> None:
    limit = served[0].settings.max_upload_mb
    many = [("files", (f"{i}.bin", b"0" * 60_000_000)) for i in range(limit // 60 + 1)]
    refused = http.post("gradio_api/upload", files=many)
    assert refused.status_code == 400 and f"over the limit of {limit} MB" in refused.json()["error"]
    for body in (
        {"content": b"x"},
        {"json": {}},
        {"files": {"other": ("a", b"x")}},
        {"data": {"files": "x"}},
    ):
        refused = http.post("gradio_api/upload", **body)  # type: ignore[arg-type]
        assert 400 <= refused.status_code < 500 and json.loads(refused.text)["error"]


@pytest.mark.parametrize("name", ["a\rb.png", f"{'n' * 9000}.png"])
def test_a_name_that_no_form_may_have_is_told_as_what_it_is(http: httpx.Client, name: str) -> None:
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body, kind = head.encode() + png() + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"
    refused = http.post("gradio_api/upload", content=body, headers={"Content-Type": kind})
    assert refused.status_code == 400 and "name in the form is too long" in refused.json()["error"]


def test_a_field_that_is_no_file_is_not_gathered_in_memory(served: Served) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\n'
    taken = 0

    async def part() -> Message:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": head if taken == 1 else b"0" * 100_000, "more_body": True}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    request = Request({"type": "http", "method": "POST", "headers": headers, "query_string": b""}, part)
    with pytest.raises(UserError, match=r"The form cannot be read\."):
        awaited(WAITING.receive(request, Asker(), served[0].settings))
    assert taken == 2


def test_a_file_that_is_gone_before_it_is_counted_leaves_no_folder(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = waiting_files.upload_fn

    async def received_and_gone(*args: Any) -> Any:
        found = await receive(*args)
        Path(found[0][0]).unlink()
        return found

    monkeypatch.setattr(waiting_files, "upload_fn", received_and_gone)
    before = set(exchange_folder().glob("sent-*"))
    assert http.post("gradio_api/upload", files={"files": ("a.png", png())}).status_code >= 400
    assert set(exchange_folder().glob("sent-*")) == before


def test_old_uploads_are_removed_while_other_requests_are_answered(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rmtree, seen = shutil.rmtree, []

    def watched(folder: Path, **more: Any) -> None:
        if folder.name.startswith("sent-"):
            seen.append((_get_running_loop() is not None, WAITING._lock.locked()))
        rmtree(folder, **more)

    monkeypatch.setattr("mmdemo.ui.waiting_files.shutil.rmtree", watched)
    monkeypatch.setattr("mmdemo.ui.waiting_files.KEPT_S", 0.0)
    upload(http, png())
    assert seen and set(seen) == {(False, False)}


def test_uploads_go_when_they_are_old_and_when_too_much_waits(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = upload(http, png()), upload(http, png())
    paths = [WAITING.path(name, Asker("viewer")) for name in (first, second)]
    assert all(path is not None and path.is_file() for path in paths)
    monkeypatch.setattr("mmdemo.ui.waiting_files.MOST_WAITING_BYTES", 2 * len(png()))
    third = upload(http, png())
    assert WAITING.path(first, Asker("viewer")) is None and WAITING.path(third, Asker("viewer")) is not None
    monkeypatch.setattr("mmdemo.ui.waiting_files.KEPT_S", 0.0)
    assert WAITING.path(third, Asker("viewer")) is None
    assert not [path for path in paths if path is not None and path.is_file()]


def test_a_form_holds_no_file_open_that_has_come_and_takes_no_more_than_a_request_may_have(
    http: httpx.Client, tmp_path: Path
) -> None:
    """Ten forms of a thousand small files, never ended, took every descriptor of the process."""
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nb\r\n'
    open_then = list[int]()

    async def pieces() -> AsyncGenerator[bytes, None]:
        for _ in range(2):
            yield part * 40
            open_then.append(sum(not file.closed for file in form._files_to_close_on_error))
        yield b"--x--\r\n"

    headers = Headers({"content-type": "multipart/form-data; boundary=x"})
    form = BoundedForm(headers, pieces(), upload_dir=tmp_path, max_file_size=100)
    assert len(awaited(form.parse()).getlist("files")) == 80
    assert max(open_then) <= 1
    many = [("files", (f"{n}.txt", b"a")) for n in range(101)]
    answer = http.post("gradio_api/upload", files=many)
    assert answer.status_code == 400 and "over 100 files were sent" in answer.text.lower()
