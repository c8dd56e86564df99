"""The workspace's secret on disk."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mmdemo.errors import DamagedError, StorageError
from mmdemo.store.secret import secret_of


def test_the_workspace_s_secret_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mmdemo.store.durable.sync_file", full)
        with pytest.raises(StorageError, match="Free some disk space"):
            secret_of(tmp_path)
    assert not (tmp_path / "access.key").exists()
    made = secret_of(tmp_path)
    assert secret_of(tmp_path) == made == (tmp_path / "access.key").read_bytes()
    for damaged in (b"", made[:31], made + b"\n"):
        (tmp_path / "access.key").write_bytes(damaged)
        with pytest.raises(DamagedError, match=f"has {len(damaged)} bytes and not 32"):
            secret_of(tmp_path)
        assert (tmp_path / "access.key").read_bytes() == damaged
