"""The Align view of pictures: texts as rows that are edited in place, and light on what fits."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from mmdemo.models.shipped import shipped_fit
from mmdemo.service.app import App
from tests.browser.labelling import check_texts

Open = Callable[..., Page]
Served = tuple[App, str]
# How much of the picture its canvas covers, 0 to 255: at its least, at its most, and where nothing is drawn.
COVERED = """(canvas) => {
  if (!canvas.width) return null;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const covered = data.filter((_, i) => i % 4 === 3), among = (best) => covered.reduce((a, b) => best(a, b));
  return [among(Math.min), among(Math.max)];
}"""


def test_a_text_is_edited_in_its_place_and_checked_again_and_pasted_lines_become_texts(
    served: Served, open_page: Open
) -> None:
    page = open_page(f"{served[1]}?view=align&text=a+rocket%0Aa+cup")
    rows = page.locator("#mm-image [data-score]")
    expect(rows).to_have_count(2)
    expect(page.locator("#mm-image h1:visible")).to_have_text("No text fits this picture")
    rows.nth(0).dblclick()
    field = page.get_by_label("New words for: a rocket")
    field.fill("a tabby cat")
    field.press("Escape")
    expect(rows.nth(0)).to_contain_text("a rocket")
    expect(rows.nth(0).locator(".mm-pick")).to_be_focused()
    rows.nth(0).hover()
    page.get_by_role("button", name="Edit: a rocket").click()
    field.fill("a tabby cat")
    field.press("Enter")
    expect(rows.nth(0)).to_contain_text("a tabby cat")
    expect(rows.nth(0)).to_contain_text("fits")
    expect(rows.nth(0).locator(".mm-pick")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#mm-image h1:visible")).to_have_text("1 of 2 texts fits this picture")
    another = page.get_by_label("Another text")
    another.evaluate(
        """(field) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", "a dog\\na cup\\nan animal\\n");
          const how = { clipboardData, bubbles: true, cancelable: true };
          field.dispatchEvent(new ClipboardEvent("paste", how));
        }"""
    )
    expect(rows).to_have_count(4)
    assert page.locator("#mm-image .mm-pick").all_inner_texts() == [
        "a tabby cat",
        "a cup",
        "a dog",
        "an animal",
    ]
    assert page.get_by_label("Captions", exact=True).is_hidden()
    assert "text=a+tabby+cat%0Aa+cup%0Aa+dog%0Aan+animal" in page.url


def test_the_bars_are_cut_at_the_limits_that_the_server_gives_and_what_it_cannot_tell_has_no_percent(
    served: Served, open_page: Open
) -> None:
    app, address = served
    page = open_page(address)
    fit = shipped_fit(app.settings.model)
    assert fit is not None
    bar = page.locator("[data-score='0'] .mm-scale")
    cuts = "(bar) => ['--cut-no', '--cut-yes'].map((name) => parseFloat(bar.style.getPropertyValue(name)))"
    expect(bar).to_be_visible()
    assert bar.evaluate(cuts) == [100 * fit.zones.does_not, 100 * fit.zones.fits]

    def other_limits(route: Route) -> None:
        answer = route.fetch().json()
        answer["zones"] = {"does_not": 0.3, "fits": 0.75}
        answer["scores"][0] |= {"zone": "can't tell", "probability": 0.4}
        route.fulfill(body=json.dumps(answer), content_type="application/json")

    page.route("**/mmdemo/api/explain", other_limits)
    check_texts(page, "a tabby cat\na rocket")
    row = page.locator("[data-score='0']")
    expect(row).to_contain_text("can't tell")
    expect(row).not_to_contain_text("%")
    assert bar.evaluate(cuts) == [30, 75]
    whole, between = bar.bounding_box(), bar.locator(".between").bounding_box()
    assert whole is not None and between is not None
    assert abs((between["x"] - whole["x"]) / whole["width"] - 0.3) < 0.02
    assert abs(between["width"] / whole["width"] - 0.45) < 0.02


def test_light_dims_what_does_not_fit_and_nothing_is_lit_for_a_text_that_does_not_fit(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    stage, said = page.locator("#mm-image .mm-stage canvas"), page.locator("#mm-image [data-lit]")
    expect(said).to_have_text("Lit where “A tabby cat” fits")
    page.wait_for_function("() => document.querySelector('#mm-image .mm-stage canvas').width > 0")
    least, most = stage.evaluate(COVERED)
    assert least < 20 and most > 240  # the fitting part keeps its colours, another is dimmed
    page.get_by_role("button", name="Off", exact=True).click()
    assert stage.evaluate(COVERED) is None
    page.get_by_role("button", name="Colours", exact=True).click()
    assert stage.evaluate(COVERED)[1] > 200
    page.locator("[data-score='1'] .mm-pick").click()
    expect(said).to_contain_text("doesn't fit this picture, so nothing is lit.")
    assert stage.evaluate(COVERED) is None
