"""Shards of samples for WebDataset (github.com/webdataset/webdataset), which `import` reads."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from mmdemo.data.exporters.base import EXPORTERS, OF_SIDES, ExportedLabel, Exporter, Labels

SHARD = 500_000_000  # bytes of a shard at most, unless one file is larger
MEMBER = 512  # bytes of a member's head, and by which its size is rounded up


def write_webdataset(out: Path, labels: Labels) -> Path:
    """train-000000.tar and so on: of each label a sample of the file, its text and a JSON of all that is
    said. The samples of a split are numbered through.
    """
    sides: dict[str, _Side] = {}
    try:
        for label in labels:
            name = OF_SIDES[label.split]
            sides.setdefault(name, _Side(out, name)).add(label)
    finally:
        for side in sides.values():
            side.close()
    return out


class _Side:
    """The shards of a split."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._tar: tarfile.TarFile | None = None
        self._shards = self._samples = self._written = 0

    def add(self, label: ExportedLabel) -> None:
        """Write a sample, into another shard where this one is full."""
        members = {
            "txt": label.final_text.encode(),
            "json": json.dumps(label.columns() | {"file_name": label.name}, ensure_ascii=False).encode(),
        }
        size = label.medium.stat().st_size + sum(map(len, members.values())) + 3 * 2 * MEMBER
        if self._tar is not None and self._written + size > SHARD:
            self.close()
        if self._tar is None:
            self._tar = tarfile.open(self._folder / f"{self._name}-{self._shards:06}.tar", "w")  # noqa: SIM115
            self._shards += 1
        key = f"{self._samples:09}"
        self._samples += 1
        self._written += size
        with label.medium.open("rb") as f:
            self._tar.addfile(_member(f"{key}{label.medium.suffix.lower()}", label.medium.stat().st_size), f)
        for suffix, data in members.items():
            self._tar.addfile(_member(f"{key}.{suffix}", len(data)), io.BytesIO(data))

    def close(self) -> None:
        """End this shard."""
        if self._tar is not None:
            self._tar.close()
        self._tar, self._written = None, 0


def _member(name: str, size: int) -> tarfile.TarInfo:
    """The head of a member that belongs to nobody and has no date: equal labels are equal bytes."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


EXPORTERS.add("webdataset", Exporter("shards for WebDataset", 210, write_webdataset, packs=True))
