"""What a trainer uploads for imports is bounded until it is imported."""

from __future__ import annotations

import shutil
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
