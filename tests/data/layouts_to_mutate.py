"""An input of every layout, small, for those that change it."""

from __future__ import annotations

import json
from pathlib import Path

from mmdemo.data.importers.base import IMPORTERS
from tests.data.conftest import Files, lay_out
from tests.data.odd_layouts import ODD_LAYOUTS
from tests.data.test_every_row import COCO, ODD, RECORDS, SPECIAL


def inputs(place: Path) -> list[tuple[Path, Path]]:
    """Each input with the folder that it lies in."""
    made: list[tuple[Path, Path]] = []
    for layout in IMPORTERS:
        own = place / layout
        if layout in SPECIAL:
            own.mkdir(parents=True)
            source = SPECIAL[layout](own)
        else:
            source = lay_out(own, ODD_LAYOUTS.get(layout, ODD))
        made.append((source, own))
    for layout, record in RECORDS.items():
        own = lay_out(place / f"records of {layout}", {f"{i}.png": "" for i in range(3)})
        (own / "t.json").write_text(json.dumps([record(i) for i in range(3)], indent=1))
        made.append((own / "t.json", own))
    captions: Files = {"c.json": json.dumps(COCO, indent=1), "1.png": "", "2.png": ""}
    own = lay_out(place / "captions of coco", captions)
    made.append((own / "c.json", own))
    rows = "file_name,text,verdict,start,end,split\n1.png,one,match,,,train\n2.png,two,,0,1.5,\n"
    for name, text in (("m.csv", rows), ("m.tsv", rows.replace(",", "\t"))):
        own = lay_out(place / f"table {name}", {name: text, "1.png": "", "2.png": ""})
        made.append((own, own))
    return made
