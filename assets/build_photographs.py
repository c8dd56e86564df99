"""Collect the photographs that captions are fitted on, which do not ship.

    apt-get download gcompris-qt-data gnome-backgrounds mate-backgrounds plasma-workspace-wallpapers \
        stellarium-data supertuxkart-data sway-backgrounds tuxpaint-data tuxpaint-stamps-default \
        ukui-wallpapers
    for FILE in *.deb; do dpkg-deb -x $FILE ${FILE%%_*}; done
    python assets/build_photographs.py FOLDER OUT

FOLDER holds one folder for each of these packages of Debian 12, by its name. OUT gets the pictures under the
names of judged_photographs.csv and judged_things.csv, at most 512 pixels wide and high, on white. Only what
those files name is written.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

ASSETS = Path(__file__).resolve().parent
SIDE = 512  # pixels
LEAST = 200  # pixels, of pictures in GCompris' archives
WALLPAPERS = {
    "gnome-backgrounds": "gnome",
    "mate-backgrounds": "mate",
    "sway-backgrounds": "sway",
    "ukui-wallpapers": "ukui",
}


def wanted() -> set[str]:
    """The names that were looked at."""
    found = set()
    for name in ("judged_photographs.csv", "judged_things.csv"):
        with (ASSETS / name).open(encoding="utf-8") as f:
            found |= {row["file_name"] for row in csv.DictReader(f)}
    return found


def embedded(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The WebP and JPEG pictures in a resource archive of Qt, which keeps them as they are."""
    data, number = archive.read_bytes(), 0
    for magic in (b"RIFF", b"\xff\xd8\xff"):
        at = data.find(magic)
        while at >= 0:
            is_webp = magic == b"RIFF" and data[at + 8 : at + 12] == b"WEBP"
            end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little") if is_webp else len(data)
            if is_webp or magic != b"RIFF":
                try:
                    with Image.open(io.BytesIO(data[at:end])) as image:
                        image.load()
                        large = min(image.size) >= LEAST
                except OSError:
                    large = False
                if large:
                    yield f"{archive.stem}-{'' if is_webp else 'j'}{number:03d}", data[at:end]
                    number += 1
            at = data.find(magic, end if is_webp else at + len(magic))


def pictures(folder: Path) -> Iterator[tuple[str, Path | io.BytesIO]]:
    """All pictures with the stems that they get."""
    for archive in sorted((folder / "gcompris-qt-data").rglob("*.rcc")):
        for stem, data in embedded(archive):
            yield f"gcompris-{stem}", io.BytesIO(data)
    for file in sorted((folder / "tuxpaint-stamps-default").rglob("*.png")):
        yield f"tuxpaint-{file.parent.name}-{file.stem}", file
    for file in sorted((folder / "tuxpaint-data").rglob("templates/*")):
        yield f"template-{file.stem}", file
    for package, short in WALLPAPERS.items():
        for file in sorted((folder / package).rglob("*.*")):
            yield f"{short}-{file.stem}", file
    for file in sorted((folder / "plasma-workspace-wallpapers").rglob("wallpapers/*/contents/*/*")):
        yield f"plasma-{file.parts[-4]}", file
    for file in sorted((folder / "stellarium-data").rglob("nebulae/*/*.png")):
        yield f"stellarium-{file.stem}", file
    for file in sorted((folder / "supertuxkart-data").rglob("*.*")):
        yield f"stk-{file.stem}", file


def main() -> None:
    """Write those that were looked at."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    left = wanted()
    left = {name for name in left if "/" not in name}  # the drawings are here already
    for stem, file in pictures(folder):
        name = f"{stem}.jpg"
        if name not in left:
            continue
        try:
            with Image.open(file) as opened:
                image = opened.convert("RGBA")
        except (OSError, ValueError):
            continue
        image.thumbnail((SIDE, SIDE))
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        paper.save(out / name, quality=92)
        left.discard(name)
    print(f"not found: {sorted(left)}" if left else "all found")


if __name__ == "__main__":
    main()
