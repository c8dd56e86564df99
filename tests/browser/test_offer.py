"""The better model that the page offers: seen, tried on the collection's pairs, and used."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from playwright.sync_api import Page, expect

from mmdemo.models.presets import PRESETS
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from tests import checkpoints
from tests.browser.conftest import free_port
from tests.conftest import BASE, TASK, drawing

CLIP = "clip-vit-base-patch32"
Open = Callable[..., Page]
Own = tuple[App, str]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Own]:
    """A page over a workspace of ten labelled drawings, on a machine with 8 GB free, without the Hub."""
    from mmdemo.ui.shell import serve

    monkeypatch.setattr("mmdemo.models.memory._machine", lambda: (8_000_000_000, 16_000_000_000))
    settings = load_settings(
        {}, workspace=tmp_path / "w", device="cpu", server_port=free_port(), samples=False
    )
    app, address, page = serve(settings, block=False)
    for i, path in enumerate(sorted(drawing("x").parent.glob("*.jpg"))[:10]):
        item = app.ws.add_media("image", path.read_bytes(), path.name, source="test")
        with app.ws.database.write() as session:
            side, text = "held-out" if i < 4 else "validation", path.stem.replace("_", " ")
            pair, _ = app.ws.pairs.add(session, TASK, item.id, text, source="test", split=side)
            app.ws.labels.add_in(session, pair, NewLabel("match"))
    yield app, address
    page.close(verbose=False)
    app.close()
    shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)


@pytest.mark.slow
def test_a_better_model_is_offered_tried_on_the_validation_pairs_and_used_as_the_person_decides(
    own: Own, open_page: Open, tmp_path: Path
) -> None:
    app, address = own
    checkpoints.put_in_cache(checkpoints.save_clip(tmp_path / "clip", dim=512), PRESETS[CLIP].media_tower)
    page = open_page(address)
    hint = page.get_by_role("note")
    expect(hint).to_contain_text("A model that may be stronger fits this machine.")
    expect(hint).to_contain_text("Published, not measured here: 30.4 % of COCO's pictures")
    hint.get_by_role("button", name="Try it").click()
    card = page.get_by_label("A model that may be better")
    expect(card).to_contain_text(f"{CLIP}: on this machine already, fits this machine's memory.")
    expect(card).to_contain_text("Published, not measured here: 30.4 % of COCO's pictures")
    card.get_by_role("button", name="Try it on your 6 validation pairs").click()
    rows = card.locator("tbody tr")
    expect(rows).to_have_count(2, timeout=90_000)
    expect(rows.nth(0)).to_contain_text(BASE)
    expect(rows.nth(1)).to_contain_text(CLIP)
    expect(card).to_contain_text(
        re.compile(r"points of mean recall \(95 % .+ to .+\) on 6 validation pairs\.")
    )
    assert app.ws.versions.active(TASK) == BASE

    page.reload()  # what was measured is still there
    expect(rows).to_have_count(2)
    card.get_by_role("button", name="Use it", exact=True).click()
    expect(card).to_contain_text("4 held-out items are too few to decide by: 26 more are needed.")
    assert app.ws.versions.active(TASK) == BASE
    card.get_by_role("button", name="Use it all the same").click()
    expect(card).to_have_count(0)
    expect(page.locator("[data-models] tr", has_text="in use")).to_contain_text(CLIP)
    assert app.ws.versions.active(TASK) == CLIP


def test_where_the_hub_cannot_be_reached_the_page_says_so_in_one_sentence(own: Own, open_page: Open) -> None:
    page = open_page(f"{own[1]}?view=fine-tune&part=models")
    expect(page.locator("[data-offer]")).to_have_text(
        "siglip2-base-patch16-224 may be a better model. It is not on this machine, "
        "and HF_HUB_OFFLINE forbids to fetch it."
    )
    expect(page.locator("[data-offer] button")).to_have_count(0)
