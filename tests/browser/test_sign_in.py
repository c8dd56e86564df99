"""Signing in on the page: by the pass phrase, an invitation, the owner's link; and out again."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.grants import INVITATION
from mmdemo.ui import shell
from mmdemo.ui.start_words import owner_link
from tests.browser.labelling import LABELS, press, shows_a_pair, verdicts
from tests.conftest import labels_of
from tests.waiting import free_port, wait_for

Open = Callable[..., Page]
REFUSED = "401 (Unauthorized)"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str]]:
    """A page with a pass phrase."""
    flags: dict[str, Any] = {"device": "cpu", "server_port": free_port(), "passphrase": "let me in"}
    folder: Path = tmp_path_factory.mktemp("locked")
    app, address, page = shell.serve(load_settings({}, workspace=folder, **flags), block=False)
    yield app, address
    page.close(verbose=False)
    app.close()


def who(page: Page) -> Any:
    return page.locator("[data-who]")


def invitation(page: Page, name: str) -> Any:
    """Make an invitation; the dialog that shows its link."""
    who(page).get_by_role("button", name="Invite").click()
    page.get_by_role("dialog").get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make it").click()
    return page.get_by_role("dialog", name="Invitation link")


def test_a_wrong_key_is_told_in_the_dialog_and_a_right_one_goes_on_with_what_one_did(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    page = open_page(f"{address}?view=label", tolerate=REFUSED)
    expect(page.locator(".mm-picture img")).to_be_visible()
    expect(who(page).get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator(".mm-receipt")).to_have_text("You look only. To label, sign in.")
    before = app.ws.labels.total()
    page.keyboard.press("m")
    dialog = page.get_by_role("dialog", name="Sign in")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.locator("[data-waiting]")).to_have_count(0)
    expect(page.locator(".mm-receipt")).to_have_text("It was discarded, and is not stored.")
    page.keyboard.press("m")
    expect(page.locator(".mm-receipt")).to_contain_text("1 label kept in this browser until you sign in.")
    expect(dialog).to_contain_text("This is for annotators, and you are a viewer.")
    dialog.get_by_label("Pass phrase or invitation").fill("open sesame")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is not right, or it was used up or is over.")
    dialog.get_by_label("Pass phrase or invitation").fill("let me in")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_have_count(0)
    wait_for(lambda: app.ws.labels.total() == before + 1)
    expect(who(page)).to_contain_text("owner")
    page.reload()
    expect(who(page)).to_contain_text("owner")
    assert "let me in" not in page.evaluate("JSON.stringify({...localStorage}) + document.cookie")
    who(page).get_by_role("button", name="Sign out").click()
    expect(who(page).get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.slow
def test_cancel_ends_the_dialog_and_it_comes_back_when_one_asks_for_it(
    locked: tuple[App, str], open_page: Open
) -> None:
    page = open_page(f"{locked[1]}?view=data", tolerate=REFUSED)
    button = who(page).get_by_role("button", name="Sign in")
    expect(page.get_by_text("Importing is for trainers.")).to_be_visible()
    page.get_by_role("button", name="Choose files").click()
    asked = page.get_by_role("dialog", name="Sign in")
    expect(asked).to_contain_text("Importing is for trainers. Sign in as one.")
    asked.get_by_role("button", name="Cancel").click()
    page.locator(".mm-data input[type=file]").first.set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"}
    )
    page.get_by_role("dialog", name="Sign in").get_by_role("button", name="Cancel").click()
    expect(page.locator(".mm-data [data-error]")).to_contain_text("trainer")
    expect(page.get_by_text("Uploading")).to_have_count(0)
    page.get_by_role("button", name="Restore…").click()
    expect(page.get_by_role("dialog", name="Sign in")).to_contain_text("Restoring is for the owner.")
    page.keyboard.press("Escape")
    dialog = page.get_by_role("dialog", name="Sign in")
    for leave in (dialog.get_by_role("button", name="Cancel").click, lambda: page.keyboard.press("Escape")):
        button.click()
        expect(dialog).to_be_visible()
        leave()
        expect(dialog).to_have_count(0)


@pytest.mark.slow
def test_a_link_signs_its_reader_in_and_leaves_nothing_of_it_in_the_address(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    page = open_page(owner_link(app, address))
    expect(who(page)).to_contain_text("owner")
    assert "sign-in" not in page.url
    other = open_page(invitation(page, "Anna").get_by_label("Invitation link").input_value(), width=390)
    expect(who(other)).to_contain_text("Anna · annotator")
    shows_a_pair(other)
    expect(other.locator(".mm-receipt")).to_have_text("Answers are saved as you give them.")
    expect(other.get_by_label("Your name")).to_be_hidden()


@pytest.mark.slow
def test_whoever_signs_in_elsewhere_to_label_is_shown_the_way(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    _, key = app.access.grant(INVITATION, "annotator", "Greta", 1, 1)
    page = open_page(f"{address}#sign-in={key}")
    page.get_by_role("link", name="Start labelling").click()
    shows_a_pair(page)


@pytest.mark.slow
def test_the_owner_makes_a_token_in_the_page_and_is_told_how_a_script_sends_it(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    page = open_page(owner_link(app, address), width=390)
    who(page).get_by_role("button", name="Invite").click()
    page.get_by_label("For", exact=True).select_option("a script, by a token")
    expect(page.get_by_label("How many people")).to_be_hidden()
    page.get_by_role("button", name="Make it").click()
    made = page.get_by_role("dialog", name="Token")
    expect(made).to_contain_text("A script that sends this token may label, until")
    token = made.get_by_label("Token").input_value()
    line = made.locator("pre").first.inner_text().replace("TOKEN", token).replace("label_counts", "undo")
    command = line.replace("[]", "[999999]").replace("\\\n", "")
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=60)
    assert "There is no label 999999" in done.stdout


def test_an_invitation_is_copied_over_plain_http_too_and_stays_until_it_is_closed(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    page = open_page(address, blank=True, width=390)
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.goto(owner_link(app, address))
    made = invitation(page, "Berta")
    expect(made).to_contain_text("An invitation for Berta")
    expect(made).to_contain_text("Whoever opens this link may label. It can be opened once, until")
    link = made.get_by_label("Invitation link").input_value()
    wholly_seen = "(field) => field.scrollHeight <= field.clientHeight"
    assert made.get_by_label("Invitation link").evaluate(wholly_seen)
    made.get_by_role("button", name="Copy").click()
    expect(made.get_by_role("status")).to_have_text("Copied.")
    made.get_by_role("button", name="Close").click()
    who(page).get_by_role("button", name="Invite").click()
    page.get_by_label("Name").press("Control+v")
    expect(page.get_by_label("Name")).to_have_value(link)


@pytest.mark.slow
def test_whoever_is_somebody_already_is_asked_before_a_link_makes_them_another(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    page = open_page(owner_link(app, address))
    expect(who(page)).to_contain_text("owner")
    _, key = app.access.grant(INVITATION, "annotator", "Mallory", 1.0, 5)
    for come in ("location.href = link", "location.hash = link.split('#')[1]"):
        page.evaluate(f"link => {{ {come}; }}", f"{address}#sign-in={key}")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("You are signed in as owner")
        dialog.get_by_role("button", name="Cancel").click()
        expect(who(page)).to_contain_text("owner")
        assert "sign-in" not in page.url
    page.goto(f"{address}#sign-in={key}")
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(who(page)).to_contain_text("Mallory")


@pytest.mark.slow
def test_ones_own_link_again_asks_nothing_and_one_that_was_used_up_is_told_where_one_signs_in(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    grant, key = app.access.grant(INVITATION, "annotator", "Frida", 1, 1)
    page = open_page(f"{address}#sign-in={key}")
    expect(who(page)).to_contain_text("Frida")
    page.evaluate("(key) => { location.hash = `sign-in=${key}`; }", key)
    expect(page.locator("#mm-toasts")).to_contain_text("You are signed in already, as Frida")
    expect(page.get_by_role("dialog")).to_have_count(0)
    other = open_page(f"{address}#sign-in={key}", tolerate=REFUSED)
    dialog = other.get_by_role("dialog", name="Sign in")
    expect(dialog.get_by_role("alert")).to_contain_text("Ask for a new one.")
    assert [row.used for row in app.ws.grants.listed() if row.id == grant.id] == [1]


@pytest.mark.slow
def test_the_owner_sees_who_is_let_in_and_is_asked_before_anybody_is_signed_out(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    (grant, key), (unused, _) = (app.access.grant(INVITATION, "annotator", n, 1, 1) for n in ("Carla", "Dan"))
    other = open_page(f"{address}#sign-in={key}", tolerate=REFUSED)
    expect(who(other)).to_contain_text("Carla")
    page = open_page(owner_link(app, address))
    who(page).get_by_role("button", name="People").click()
    people = page.get_by_role("dialog", name="People")
    expect(people.get_by_role("row", name="Carla")).to_have_count(2)
    expect(people).to_contain_text("this browser")
    people.get_by_role("button", name=f"Revoke invitation {unused.id}").click()
    expect(page.locator("#mm-toasts")).to_contain_text("The invitation opens nothing any more.")
    expect(people.get_by_role("row", name="Dan")).to_contain_text("revoked")
    revoke = people.get_by_role("button", name=f"Revoke invitation {grant.id}")
    for answer in ("Cancel", "Revoke"):
        expect(people.get_by_role("row", name="Carla")).to_have_count(2)
        revoke.click()
        asked = page.get_by_role("dialog").last
        expect(asked).to_contain_text("Revoke this invitation? Carla is signed out.")
        asked.get_by_role("button", name=answer).click()
    expect(people.get_by_role("row", name="Carla")).to_have_count(1)
    expect(people.get_by_role("row", name="Carla")).to_contain_text("revoked")
    assert not [row for row in app.ws.sessions.listed() if row.name == "Carla"]


@pytest.mark.slow
def test_labels_that_wait_go_out_as_who_made_them_and_as_nobody_else(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    (anna, hers), (_, his) = (app.access.grant(INVITATION, "annotator", n, 1, 1) for n in ("Anna", "Bob"))
    page = shows_a_pair(open_page(f"{address}?view=label#sign-in={hers}", tolerate="Failed to load"))
    expect(who(page)).to_contain_text("Anna")
    page.route(LABELS, lambda route: route.abort())
    by_anna = press(page, "m")
    expect(page.locator("#mm-header")).to_contain_text("1 label wait")
    app.access.revoke(anna.id)
    page.unroute(LABELS)
    dialog = page.get_by_role("dialog", name="Sign in")
    dialog.get_by_label("Pass phrase or invitation").fill(his)
    dialog.get_by_role("button", name="Sign in").click()
    expect(who(page)).to_contain_text("Bob")
    by_bob = press(page, "x")
    wait_for(lambda: verdicts(app, by_bob) == ["mismatch"])
    assert verdicts(app, by_anna) == []
    expect(page.locator("[data-aside]")).to_have_count(0)
    page.evaluate("mm.outbox.discard()")  # what could not be stored is given up; this can be
    page.get_by_role("button", name="1 label of somebody else waits").click()
    aside = page.get_by_role("dialog")
    expect(aside).to_contain_text("Somebody else made it in this browser.")
    with page.expect_download() as saved:
        aside.get_by_role("button", name="Save as a file").click()
    assert f'"pair": {by_anna}' in Path(saved.value.path()).read_text()
    expect(aside.get_by_role("button", name="Try again")).to_have_count(0)
    aside.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_text("of somebody else, who has not signed in again?").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    _, again = app.access.grant(INVITATION, "annotator", "Anna", 1, 1)
    page.evaluate("(key) => { location.hash = `sign-in=${key}`; }", again)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    wait_for(lambda: verdicts(app, by_anna) == ["match"])
    assert [row.annotator for row in labels_of(app.ws, by_anna)] == ["Anna"]
    assert [row.annotator for row in labels_of(app.ws, by_bob)] == ["Bob"]
    expect(page.locator("[data-anothers]")).to_have_count(0)


@pytest.mark.slow
def test_a_status_that_was_asked_before_somebody_signed_in_says_nothing_of_who_labels(
    locked: tuple[App, str], open_page: Open
) -> None:
    app, address = locked
    (_, hers), (_, his) = (app.access.grant(INVITATION, "annotator", n, 1, 1) for n in ("Dora", "Emil"))
    page = shows_a_pair(open_page(f"{address}?view=label#sign-in={hers}"))
    expect(who(page)).to_contain_text("Dora")
    held: list[tuple[Route, Any]] = []
    page.route("**/mmdemo/api/status", lambda route: held.append((route, route.fetch())))
    page.evaluate("mm.poke()")
    wait_for(lambda: page.evaluate("1") and len(held) == 1)
    page.evaluate("(key) => { location.hash = `sign-in=${key}`; }", his)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.locator("#mm-toasts")).to_contain_text("as Emil")
    route, of_dora = held[0]
    route.fulfill(response=of_dora)
    wait_for(lambda: page.evaluate("1") and len(held) == 2)  # the next one is on its way
    by_emil = press(page, "m")
    wait_for(lambda: page.evaluate("1") and verdicts(app, by_emil) == ["match"])
    assert [row.annotator for row in labels_of(app.ws, by_emil)] == ["Emil"]
    page.unroute("**/mmdemo/api/status")


@pytest.mark.slow
def test_alone_at_one_s_own_machine_there_is_nobody_to_sign_in(
    served: tuple[App, str], open_page: Open
) -> None:
    page = open_page(served[1])
    expect(page.locator("#mm-header")).to_contain_text("efficientnet")
    expect(who(page)).to_be_hidden()
