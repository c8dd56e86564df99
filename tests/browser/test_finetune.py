"""The Fine-tune tab as somebody with a model of their own uses it: take it, train, queue, compare, decide."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests import checkpoints
from tests.browser.finetuning import part, promote, settings, start, train
from tests.browser.labelling import AWAY, Served
from tests.conftest import TASK, drawing, execute_run
from tests.waiting import free_port

Open = Callable[..., Page]
Own = tuple[App, str]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Own]:
    """A page over a workspace of a dozen labelled drawings, two of them with a marked mismatch as well."""
    from mmdemo.ui.shell import serve

    settings = load_settings(
        {}, workspace=tmp_path / "w", device="cpu", server_port=free_port(), samples=False
    )
    app, address, page = serve(settings, block=False)
    for i, path in enumerate(sorted(drawing("x").parent.glob("*.jpg"))[:12]):
        item = app.ws.add_media("image", path.read_bytes(), path.name, source="test")
        with app.ws.database.write() as session:
            side, text = "held-out" if i % 3 == 0 else "train", path.stem.replace("_", " ")
            pair, _ = app.ws.pairs.add(session, TASK, item.id, text, source="test", split=side)
            app.ws.labels.add_in(session, pair, NewLabel("match"))
            if i in (1, 7):
                pair, _ = app.ws.pairs.add(session, TASK, item.id, "a rocket", source="test", split=side)
                app.ws.labels.add_in(session, pair, NewLabel("mismatch"))
    yield app, address
    page.close(verbose=False)
    app.close()


@pytest.fixture
def labelled(tmp_path: Path) -> Iterator[Own]:
    """A page over a workspace of its own with the samples, and some labels of the train side."""
    from mmdemo.ui.shell import serve

    settings = load_settings({}, workspace=tmp_path / "w", device="cpu", server_port=free_port())
    app, address, page = serve(settings, block=False)
    train = [p for p in app.ws.pairs.browse(TASK, state="unlabelled") if p.split == "train"]
    for i, pair in enumerate(train[:24]):
        app.ws.labels.add(pair.id, NewLabel("mismatch" if i % 6 == 5 else "match"))
    yield app, address
    page.close(verbose=False)
    app.close()


def take(page: Page, name: str) -> None:
    """Use a model by hand, and wait until it serves."""
    part(page, "models")
    page.get_by_label("Model by hand").fill(name)
    page.get_by_role("button", name="Use this model").click()
    expect(page.locator("[data-loading]")).to_have_text(f"{name} is in use.")


@pytest.mark.slow
def test_a_model_by_hand_is_taken_trained_queued_compared_promoted_exported_and_deleted(
    small: Own, open_page: Open, tmp_path: Path
) -> None:
    app, address = small
    folder = checkpoints.save_clip(tmp_path / "clip")
    page = open_page(f"{address}?view=fine-tune&part=models", tolerate="400 (Bad Request)")
    models = page.locator("[data-models]")
    expect(models).to_contain_text("siglip2-base-patch16-224")
    expect(models.locator("tr", has_text=app.settings.model)).to_contain_text("in use")
    expect(page.locator("[data-device]")).to_contain_text("cpu")
    page.get_by_label("Model by hand").fill("nobody/nothing")
    page.get_by_role("button", name="Use this model").click()
    expect(page.locator("[data-error]")).to_contain_text("nobody/nothing could not be found")
    assert app.ws.versions.active(TASK) == app.settings.model
    take(page, str(folder))
    base = app.ws.versions.active(TASK)
    expect(page.locator("#mm-header")).to_contain_text(base)

    train(page, "lora", epochs="2", batch="4", learning_rate="0.01")
    expect(page.locator("[data-estimate]")).to_contain_text("2 epochs over 10 labels on cpu")
    expect(page.locator("[data-run] [data-state], .mm-verdict").first).to_be_visible()
    train(page, "full", learning_rate="0")
    expect(page.locator("[data-error]")).to_contain_text("learning rate of 0 learns nothing")
    train(page, "full", learning_rate="0.01")
    runs = part(page, "runs").locator("tbody tr")
    expect(runs).to_have_count(2)
    expect(runs.locator(".mm-pill.done")).to_have_count(2, timeout=90_000)
    runs.first.locator("button").first.click()
    expect(page.locator(".mm-verdict")).to_be_visible()
    expect(page.locator(".mm-verdict .primary")).to_have_text("Label more")  # nothing says that it is better
    promote(page)
    full = app.ws.versions.active(TASK)
    assert app.ws.runs.get(full.replace("tuned-", "run-")).method == "full"

    part(page, "versions")
    rows = page.locator("[data-tree] tbody tr")
    expect(rows).to_have_count(4)
    for name in (base, full):
        page.get_by_label(f"Compare {name}").check()
    page.get_by_role("button", name="Compare 2 versions").click()
    expect(page.locator("[data-compared] tbody tr")).to_have_count(2)
    rows.filter(has_text=full).locator("button").first.click()
    expect(page.locator("[data-card]")).to_contain_text(f"from{base}")
    with page.expect_download() as got:
        rows.filter(has_text=full).get_by_role("button", name="export").click()
    assert got.value.suggested_filename == f"{full}.zip"
    lora = next(v.id for v in app.ws.versions.of_task(TASK) if v.id.startswith("tuned-") and v.id != full)
    expect(rows.filter(has_text=full).get_by_role("button", name="delete")).to_have_count(0)  # it is active
    rows.filter(has_text=lora).get_by_role("button", name="delete").click()
    page.get_by_role("button", name="Cancel").click()
    expect(rows).to_have_count(4)
    rows.filter(has_text=lora).get_by_role("button", name="delete").click()
    expect(page.locator("dialog")).to_contain_text("gone for good")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(rows).to_have_count(3)
    assert not app.ws.version_folder(lora).exists()

    part(page, "runs")
    runs.last.get_by_role("button", name="remove").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(runs).to_have_count(1)
    item = app.ws.items.listed("image", limit=1)[0]
    assert app.media.align(item, ["a cat"])["model"] == full


@pytest.mark.slow
def test_a_captioner_is_taken_learns_and_writes_in_the_image_tab(
    small: Own, open_page: Open, tmp_path: Path
) -> None:
    app, address = small
    page = open_page(f"{address}?view=fine-tune&learns=captioner")
    expect(page.locator("[data-none]")).to_be_visible()
    take(page, f"captioner:{checkpoints.save_git(tmp_path / 'git')}")
    train(page, "full", epochs="2", learning_rate="0.01")
    expect(page.locator("[data-result]")).to_contain_text("BLEU-4", timeout=90_000)
    expect(page.locator("[data-result]")).to_contain_text("CLIPScore")
    promote(page)
    assert app.ws.versions.active("captioning").startswith("tuned-")
    item = app.ws.items.listed("image", limit=1)[0]
    assert app.caption(item)["captions"][0]["source"] == "written"
    part(page, "models")
    away = page.locator("[data-use]:not([data-use=proposed])").first  # nothing is fetched in tests
    expect(away).to_be_disabled()
    expect(away).to_have_attribute("title", re.compile("not on this machine, and HF_HUB_OFFLINE forbids"))
    page.locator("[data-use=proposed]").click()
    expect(page.locator("[data-loading]")).to_have_text("proposed is in use.")
    assert app.ws.versions.active("captioning") == "proposed"


@pytest.mark.slow
def test_what_the_gate_says_stands_before_a_run_after_it_and_on_the_version(
    labelled: Own, open_page: Open
) -> None:
    app, address = labelled
    page = open_page(f"{address}?view=fine-tune")
    expect(page.locator("[data-outlook]")).to_contain_text("The next try is attempt 1 on these 112 test")
    expect(page.locator("[data-outlook]")).to_contain_text("A gain of 4.2 points or more")
    expect(page.locator("[data-data]")).to_contain_text("112 pairs it never learns from: all came with the")
    # It learns next to nothing, and whether it is better is asked in the page: a run asks where folds say so.
    how = TrainSettings(epochs=1, members=1, learning_rate=1e-9)
    run = create_run(app.ws, TASK, "head", how, promote="never")
    execute_run(app, run)
    page.evaluate("mm.poke()")
    expect(page.locator(".mm-verdict")).to_be_visible()
    version = next(v.id for v in app.ws.versions.of_task(TASK) if v.parent)
    gate = app.versions.card(version)["card"]["gate"]
    expect(page.locator(".mm-verdict")).to_contain_text(gate["sentence"])
    expect(page.locator("[data-tested]")).to_contain_text("112 held-out items")
    expect(page.locator("[data-curves-of] .axis").first).to_have_text("rounds")
    rows = part(page, "versions").locator("[data-tree] tbody tr")
    expect(rows.filter(has_text=version)).to_contain_text("not certain")
    learned = app.versions.tree(TASK)[-1]["learned_from"]
    expect(rows.filter(has_text=version)).to_contain_text(f"{learned} answers")
    rows.filter(has_text=version).get_by_role("button", name="test again").click()
    expect(page.get_by_text("(attempt 1)").first).to_be_visible()
    assert len([a for a in app.ws.attempts.of_version(version) if a.number]) == 1
    again = rows.filter(has_text=version).get_by_role("button", name="test again")
    expect(again).to_be_disabled()
    expect(again).to_have_attribute("title", re.compile("was asked about on 112 held-out items"))
    rows.filter(has_text=version).get_by_role("button", name="use for everyone").click()
    expect(rows.filter(has_text=version)).to_contain_text("in use")
    rows.filter(has_text=version).locator("button").first.click()
    expect(page.locator("[data-card]")).to_contain_text("though the test was not certain")
    for name in ("versions", "train"):
        part(page, name)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width + 1, (name, width)


@pytest.mark.slow
def test_every_fusion_is_trained_from_the_page_and_one_table_compares_them(
    small: Own, open_page: Open
) -> None:
    app, address = small
    page = open_page(f"{address}?view=fine-tune")
    for kind in ("residual", "concatenation", "cross-attention"):
        settings(page)
        expect(page.locator(f"[name=head] option[value={kind}]")).to_have_count(1)
        page.locator("[name=head]").select_option(kind)
        page.locator("[name=epochs]").fill("2")
        start(page)
    runs = part(page, "runs").locator("tbody tr")
    expect(runs.locator(".mm-pill.done")).to_have_count(3, timeout=90_000)
    part(page, "versions")
    boxes = page.locator("[data-tree] [type=checkbox]")
    expect(boxes).to_have_count(4)
    for i in range(4):
        boxes.nth(i).check()
    page.get_by_role("button", name="Compare 4 versions").click()
    rows = page.locator("[data-compared] tbody tr")
    expect(rows).to_have_count(4)
    assert {r.settings["head"] for r in app.ws.runs.of_tasks([TASK])} == {
        "residual",
        "concatenation",
        "cross-attention",
    }
    expect(rows.first).to_contain_text(app.settings.model)


def test_no_part_of_the_tab_overflows_its_window(served: Own, open_page: Open) -> None:
    page = open_page(f"{served[1]}?view=fine-tune")
    for width, scheme in ((1360, "light"), (820, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for name in ("runs", "versions", "models", "train"):
            part(page, name)
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width + 1, (name, width)


def test_a_server_that_refuses_how_a_run_stands_is_quoted_there(served: Served, open_page: Open) -> None:
    page = open_page(f"{served[1]}?view=fine-tune", tolerate=AWAY, blank=True)
    full = {"error": "The disk is full.", "cure": "Free some disk space."}
    page.route("**/mmdemo/api/training", lambda route: route.fulfill(status=507, json=full))
    page.goto(f"{served[1]}?view=fine-tune")
    expect(page.locator("[data-lost]")).to_have_text("The disk is full. Free some disk space.")


def test_a_new_workspace_says_what_to_do_and_no_error(served: Served, open_page: Open) -> None:
    page = open_page(f"{served[1]}?view=fine-tune&task=speech-text")
    expect(page.locator("#mm-finetune h1:visible")).to_have_text("Teach the model with your own answers")
    expect(page.locator("[data-first]")).to_contain_text("which came with the samples")
    expect(page.locator("[data-step='1']")).to_contain_text("0 of 30 answers to learn from")
    expect(page.locator("[role=alert]:visible")).to_have_count(0)
    page.get_by_role("button", name="Start labelling").click()
    expect(page.locator(".mm-label")).to_be_visible()
