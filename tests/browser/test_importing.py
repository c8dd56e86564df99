"""The Data tab while an import waits, goes on, and leaves files where they are."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from assets.sounds import wav_bytes
from mmdemo.data.import_job import ImportJob
from mmdemo.data.importing import Order
from mmdemo.store.changes import Target
from tests.browser.labelling import Open, Served
from tests.conftest import TASK, png


@pytest.mark.slow
def test_an_import_that_waits_is_resumed_and_files_stay_where_they_are(
    served: Served, open_page: Open, tmp_path: Path
) -> None:
    app, address = served
    pictures = tmp_path / "shelf"
    pictures.mkdir()
    for i in range(12):
        (pictures / f"{i:02}.png").write_bytes(png((20 * i, 7, 140)))
    other = ImportJob(app.ws)  # of another process, as `mmdemo import` is
    other.run(Order(str(pictures), TASK, outside=True), lambda done, total: other.pause())
    page = open_page(f"{address}?view=data")
    state = page.locator("[data-import-state]")
    expect(state).to_contain_text("The import of shelf is paused after 8 of 12 rows.")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    page.get_by_role("button", name="Resume").click()
    expect(state).to_contain_text("Imported 12 new pictures")
    expect(state).to_contain_text("12 stay where they are.")
    expect(page.get_by_role("button", name="Resume")).to_be_hidden()
    (pictures / "00.png").unlink()
    (pictures / "01.png").rename(pictures / "first.png")
    (pictures / "02.png").write_bytes(png((3, 141, 59)))
    listed = [f"{i:02}.png,picture {i}" for i in range(2, 10)]
    (pictures / "metadata.csv").write_text(
        "\n".join(["file_name,text", *listed, "first.png,the first", "none.png,x"])
    )
    page.get_by_role("button", name="Path or data set").click()
    page.get_by_label("Path or data set").fill(str(pictures))
    page.get_by_role("button", name="Preview").click()
    page.get_by_label("leave the files where they are").check()
    page.get_by_role("button", name="Import 9", exact=True).click()
    expect(state).to_contain_text("Of 10 rows 1 was skipped")
    for told in (
        *("Rows that were skipped, and why: 1", "Files in no row, left out: 2", "Files that have changed: 1"),
        "Files that were here already, the same: 7",
    ):
        expect(state.get_by_text(told, exact=True)).to_be_visible()
    expect(state.get_by_text("2 files of the folder are in no row")).to_be_hidden()  # the list says it
    with page.expect_download() as got:
        state.get_by_role("button", name="Download all of these as a CSV").click()
    whole = Path(got.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert got.value.suggested_filename == "import.csv" and len(whole) == 1 + 1 + 2 + 1 + 1 + 1 + 7
    state.get_by_text("Files that are gone: 1").click()
    expect(state.get_by_text("00.png", exact=True)).to_be_visible()
    state.get_by_text("Files with another name: 1").click()
    expect(state.get_by_text("01.png is first.png now", exact=True)).to_be_visible()
    for brought in app.curation.imports(TASK, 10):  # whose files go with the test
        if brought["name"] == "shelf":
            app.curation.make("remove", Target(import_id=brought["id"]), dry_run=False)


DROP = """([place, name, type, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const at = document.querySelector(place), options = { dataTransfer, bubbles: true, cancelable: true };
  for (const kind of ["dragover", "drop"]) at.dispatchEvent(new DragEvent(kind, options));
}"""


@pytest.mark.slow
def test_what_is_dropped_is_shown_before_it_is_imported_and_another_kind_leads_to_its_own(
    served: Served, open_page: Open
) -> None:
    page = open_page(f"{served[1]}?view=data")
    expect(page.locator(".mm-dropzone")).to_be_visible()
    picture = base64.b64encode(png((9, 80, 160))).decode()
    page.evaluate(DROP, [".mm-dropzone", "sound.wav", "audio/wav", picture])
    expect(page.locator("#mm-toasts")).to_contain_text("These are recordings: Speech is chosen for them.")
    expect(page.get_by_role("tab", name="Speech", exact=True).last).to_have_attribute("aria-selected", "true")
    rows = page.get_by_role("region", name="Preview")
    expect(rows).to_contain_text("1 row skipped. Row 1: sound.wav is not a recording that can be read.")
    expect(rows.get_by_role("button", name="Import 0")).to_be_disabled()
    page.evaluate(DROP, [".mm-dropzone", "dropped.png", "image/png", picture])
    expect(rows).to_contain_text("dropped.png")
    page.get_by_role("button", name="Cancel").click()
    expect(rows).to_be_hidden()
    page.evaluate(DROP, [".mm-dropzone", "dropped.png", "image/png", picture])
    expect(rows).to_contain_text("1 ready")
    page.get_by_role("button", name="Import 1", exact=True).click()
    expect(page.locator("[data-import-state]")).to_contain_text(
        "Imported 1 new picture, 0 new pairs and 0 labels"
    )
    expect(rows).to_be_hidden()  # and with it the button
    page.get_by_role("button", name="Show it").click()
    expect(page.locator("[data-pairs] figure")).to_contain_text(["dropped.png"])
    page.locator("[data-browse] [name=what]").select_option("pairs")
    expect(page.locator("[data-pairs]")).to_contain_text(
        "No pair fits these filters. 1 picture has no text yet."
    )
    page.get_by_role("button", name="Show them").click()
    expect(page.locator("[data-pairs] figure")).to_contain_text(["dropped.png"])


@pytest.mark.slow
def test_what_is_dropped_on_a_tab_of_another_kind_opens_where_it_belongs(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    expect(page.locator("[data-score]").first).to_be_visible()
    sound = base64.b64encode(wav_bytes(np.zeros(8000, np.float32))).decode()
    page.evaluate(DROP, ["#mm-image .mm-stage", "quiet.wav", "audio/wav", sound])
    expect(page.get_by_role("tab", name="Speech", exact=True).first).to_have_attribute(
        "aria-selected", "true"
    )
    expect(page.locator("#mm-speech [data-name]")).to_contain_text("quiet.wav")
    table = base64.b64encode(b"file_name,text\nx.png,one\n").decode()
    page.evaluate(DROP, ["#mm-speech .mm-speech", "pairs.csv", "text/csv", table])
    expect(page.get_by_role("region", name="Preview")).to_contain_text("1 row skipped. Row 1: x.png")
