"""What a trainer uploads for imports is bounded until it is imported."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable

from mmdemo.service.app import App
from mmdemo.service.exchange import batch_folder
from tests.ui.conftest import gated
from tests.ui.test_who_is_asking import bearer

MB = b"0" * 1_000_000


def test_a_trainer_s_uploads_for_imports_are_bounded_until_they_are_imported(
    make_app: Callable[..., App],
) -> None:
    app = make_app("shared", server_name="0.0.0.0", samples=False, trainer_mb=2)
    client = gated(app)

    def upload(of: str, batch: str) -> int:
        count = len(list(batch_folder(batch).glob("*")))
        url = f"/mmdemo/upload?name={count}.bin&batch={batch}"
        return client.post(url, content=MB, headers=bearer(keys[of])).status_code

    keys = {
        name: app.access.grant("token", role, name, 1, None)[1]  # type: ignore[arg-type]
        for name, role in (("Tom", "trainer"), ("Tia", "trainer"), ("Ola", "owner"))
    }
    try:
        assert [upload("Tom", "quota00one") for _ in range(3)] == [200, 200, 400]
        assert upload("Tom", "quota00two") == 400  # another import is no other room
        assert upload("Tia", "quota0three") == 200
        assert [upload("Ola", "quota0four") for _ in range(3)] == [200] * 3
        shutil.rmtree(batch_folder("quota00one"))  # as an import does
        assert upload("Tom", "quota00two") == 200
    finally:
        for batch in ("quota00one", "quota00two", "quota0three", "quota0four"):
            shutil.rmtree(batch_folder(batch), ignore_errors=True)


def test_what_waits_on_one_page_takes_no_room_of_another(make_app: Callable[..., App]) -> None:
    try:
        for name in [str(n) for n in range(6)]:
            app = make_app(name, server_name="0.0.0.0", samples=False, trainer_mb=1)
            client, key = gated(app), bearer(app.access.grant("token", "trainer", "Tom", 1, None)[1])
            url = f"/mmdemo/upload?name=a.bin&batch=quota000{name}"
            assert client.post(url, content=MB, headers=key).status_code == 200
    finally:
        for n in range(6):
            shutil.rmtree(batch_folder(f"quota000{n}"), ignore_errors=True)


def zipped(size: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("set/a.txt", b"0" * size)
    return made.getvalue()


def test_what_comes_out_of_a_trainer_s_archive_counts_while_it_lies_here(
    make_app: Callable[..., App],
) -> None:
    app = make_app("packed", server_name="0.0.0.0", samples=False, trainer_mb=2)
    client = gated(app)
    keys = {role: bearer(app.access.grant("token", role, role, 1, None)[1]) for role in ("trainer", "owner")}

    def looked_at(role: str, batch: str, size: int) -> str:
        url = f"/mmdemo/upload?name=set.zip&batch={batch}"
        assert client.post(url, content=zipped(size), headers=keys[role]).status_code == 200
        answer = client.post("/mmdemo/api/import_preview", json={"batch": batch}, headers=keys[role])
        return str(answer.json().get("error", ""))

    def lies_in(batch: str) -> int:
        return sum(file.stat().st_size for file in batch_folder(batch).rglob("*") if file.is_file())

    try:
        assert "set.zip holds 3 MB, and 1 MB are left of a trainer's space" in looked_at(
            "trainer", "packed00one", 3_000_000
        )
        assert lies_in("packed00one") < 100_000
        assert "MB are left" not in looked_at("owner", "packed00two", 3_000_000)
        assert "MB are left" not in looked_at("trainer", "packed0three", 1_500_000)
        assert "MB are left" not in looked_at("trainer", "packed0three", 1_500_000)  # it is unpacked once
        assert "MB are left" in looked_at("trainer", "packed00four", 1_500_000)
        shutil.rmtree(batch_folder("packed0three"))  # as an import does, and a day
        assert "MB are left" not in looked_at("trainer", "packed00four", 1_500_000)
    finally:
        for batch in ("packed00one", "packed00two", "packed0three", "packed00four"):
            shutil.rmtree(batch_folder(batch), ignore_errors=True)
