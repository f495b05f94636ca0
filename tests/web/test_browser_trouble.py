"""In Chromium: whatever is lost between page and server, the page says so, asks again and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from fgdemo.values.annotation import Person
from tests.support.browser_app import YELLOW, RunningApp, picture, running_app, signed_in
from tests.support.fake_training import GOOD, FakeTraining
from tests.support.losing import How, Losing
from tests.support.workspace import some_pictures
from tests.web.test_browser_label import press, saved

EACH: tuple[How, ...] = ("abort", "500", "empty")


@pytest.fixture(scope="module")
def training() -> FakeTraining:
    return FakeTraining(labelled=340, gold=150)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, training: FakeTraining) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home"), training) as running:
        running.workspace.take_in(some_pictures(8, 3))
        running.workspace.learner.refresh()
        yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    """Of a maintainer whom no other test knows. Scripts must not fail; that requests do is seen on the console."""
    name = f"mia {len(app.accounts.all())}"
    app.accounts.add(name, "maintainer", "long enough")
    page = signed_in(browser, app, name)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.context.close()
    assert faults == []


def insist(button: Locator, outcome: Locator) -> None:
    """Press again where an answer was lost, as a person does who reads that it was."""
    for _ in range(4):
        if button.is_visible() and button.is_enabled():
            button.click()
        with suppress(AssertionError):
            expect(outcome).to_be_visible(timeout=2500)
            return
    expect(outcome).to_be_visible()


def is_calm(page: Page) -> None:
    """Nothing is waited for any more."""
    expect(page.locator(".fg-trouble")).to_be_hidden()


@pytest.mark.parametrize("how", [*EACH, "reply"])
def test_label_loses_no_answer_and_never_stands_still(page: Page, app: RunningApp, how: How) -> None:
    losing = Losing(page, how)
    page.goto(f"{app.url}#label")
    insist(page.get_by_role("button", name="Begin"), page.locator(".fg-choice").first)
    expect(page.locator(".fg-refs figure").first).to_be_visible()
    for key in ("Enter", "u", "x"):
        press(page, key)
    saved(page)
    press(page, "z")
    expect(page.locator(".fg-standing .fg-figures")).to_contain_text("2 done")
    page.keyboard.press("/")
    field = page.get_by_role("combobox")
    field.press_sequentially("dog")
    page.get_by_role("button", name="Try again").dispatch_event("pointerdown")
    expect(page.get_by_role("option").first).to_contain_text("dog")
    field.press("Escape")
    page.keyboard.press("h")
    expect(page.locator(".fg-label dialog[open]")).to_have_count(0)  # it closes again: nothing came
    expect(page.locator(".fg-label .fg-banner")).to_be_visible()
    insist(page.locator('[data-action="history"]'), page.get_by_text("What was said about this picture"))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="End the session").click()
    expect(page.get_by_text("2 pictures done")).to_be_visible()
    is_calm(page)
    me = page.evaluate("fetch('fgdemo/me').then((reply) => reply.json())")["name"]
    assert [said.kind for said in app.events.since(0) if said.annotator == me] == [
        "label",
        "unsure",
        "unusable",
        "undo",
    ]
    missed = losing.missed(
        "label/page.js fgdemo/me label_open label_start label_next label_answer label_undo label_explain "
        "label_references label_search label_history label_close fgdemo/pictures "
    )
    assert missed == set()


def test_answers_that_were_not_saved_outlive_a_page_that_is_loaded_again(page: Page, app: RunningApp) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{app.url}#label")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".fg-choice").first).to_be_visible()
    before = len(app.events.since(0))
    page.route("**/component_server/", lambda route: route.abort())
    for key in ("u", "x"):
        press(page, key)
    expect(page.locator(".fg-label .fg-banner")).to_contain_text("2 answers are not saved yet.")
    page.unroute("**/component_server/")
    page.reload()
    expect(page.locator(".fg-choice").first).to_be_visible()
    saved(page)
    assert [said.kind for said in app.events.since(0)[before:]] == ["unsure", "unusable"]


@pytest.mark.parametrize("how", [*EACH, "reply"])
def test_review_shows_what_its_filter_says_and_saves_each_answer_once(page: Page, app: RunningApp, how: How) -> None:
    losing = Losing(page, how)
    page.goto(f"{app.url}#review?state=all")
    expect(page.locator(".fg-count")).to_have_text("27 pictures")
    page.goto(f"{app.url}#review?state=all&given=eskimo_dog")
    expect(page.locator(".fg-count")).to_have_text("8 pictures")
    expect(page.locator(".fg-tile")).to_have_count(8)
    expect(page.locator(".fg-inspector .fg-past")).to_contain_text("came with")
    before = len(app.events.since(0))
    page.keyboard.press("x")
    expect(page.locator(".fg-bulk-said")).to_contain_text("Saved.")
    page.keyboard.press("z")
    expect(page.locator(".fg-bulk-said")).to_contain_text("Taken back")
    assert [said.kind for said in app.events.since(0)[before:]] == ["unusable", "undo"]
    page.keyboard.press("/")
    search = page.locator(".fg-review dialog")
    search.get_by_role("combobox").press_sequentially("dog")
    search.get_by_role("button", name="Try again").dispatch_event("pointerdown")
    expect(search.get_by_role("option").first).to_contain_text("dog")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    for view, shown in (
        ("confusions", ".fg-matrix canvas"),
        ("kinds", ".fg-kinds"),
        ("annotators", ":is(.fg-people, .fg-review-empty)"),
        ("kind&taxon=eskimo_dog", ".fg-kind-head"),
        ("pair&a=eskimo_dog&b=nashville_warbler", ".fg-pair-table"),
    ):
        page.goto(f"{app.url}#review?view={view}")
        expect(page.locator(f".fg-review-page {shown}")).to_be_visible()
    expect(page.get_by_text("Looking at typical pictures")).to_be_hidden()
    is_calm(page)
    missed = losing.missed(
        "review_open review_grid review_history review_explain review_spread review_answer review_undo review_search "
        "review_matrix review_kinds review_annotators review_kind review_pair review_parts "
    )
    assert missed == set()


def test_an_answer_about_an_older_filter_never_overwrites_a_newer_one(page: Page, app: RunningApp) -> None:
    """The first filter is answered last."""
    late = []
    page.route(
        "**/component_server/",
        lambda route: (
            late.append(route) if "mourning_warbler" in (route.request.post_data or "") else route.continue_()
        ),
    )
    page.goto(f"{app.url}#review?state=all&given=mourning_warbler")
    page.wait_for_function("document.querySelector('.fg-more')?.textContent === '…'")
    page.goto(f"{app.url}#review?state=all&given=eskimo_dog")
    expect(page.locator(".fg-tile")).to_have_count(8)
    for route in late:
        route.continue_()
    with page.expect_response(lambda response: "review_open" in (response.request.post_data or "")):
        page.goto(f"{app.url}#review?state=all&given=eskimo_dog&sort=newest")
    expect(page.locator(".fg-tile")).to_have_count(8)
    assert {*page.locator(".fg-tile-given").all_inner_texts()} == {"Eskimo Dog"}


@pytest.mark.parametrize("how", EACH)
def test_train_follows_its_job_again(page: Page, app: RunningApp, training: FakeTraining, how: How) -> None:
    training.__init__(labelled=340, gold=150)
    losing = Losing(page, how)
    page.goto(f"{app.url}#train")
    expect(page.locator(".fg-train-state h1")).to_contain_text("Live: field-guide")
    job = page.locator(".fg-train-job")
    insist(page.get_by_role("button", name="Train a better model"), job.locator("h2"))
    training.run(4)
    expect(job).to_contain_text("Epoch 5 of 10")
    insist(job.get_by_role("button", name="Log"), page.locator(".fg-log"))
    page.get_by_role("button", name="Look again").click()
    expect(page.locator(".fg-log")).not_to_contain_text("server")
    page.get_by_role("button", name="Close").click()
    training.finish(GOOD)
    expect(job).to_contain_text("6.0 points more of the gold pictures are right")
    page.get_by_role("link", name="Picture by picture").click()
    expect(page.get_by_text("Card", exact=True)).to_be_visible()
    page.goto(f"{app.url}#train")
    promote = page.get_by_role("button", name="Make it live")
    promote.click()
    expect(page.locator(".fg-train-message")).to_contain_text("look before you try again")
    promote.click()
    expect(page.locator(".fg-train-swap")).to_be_visible()
    training.swap()
    expect(job).to_contain_text("is live")
    is_calm(page)
    missed = losing.missed("train_now train_start train_log train_compare train_card train_promote")
    assert missed == set()


@pytest.mark.parametrize("how", EACH)
def test_data_goes_on_with_what_it_sends_and_shows_what_became_of_it(
    page: Page, app: RunningApp, how: How, tmp_path: Path
) -> None:
    losing = Losing(page, how)
    page.goto(f"{app.url}#data")
    expect(page.locator(".fg-people li").first).to_be_visible()
    photo = picture(tmp_path / f"{how}.png", YELLOW, {"abort": (9, 9, 9), "500": (99, 9, 9)}.get(how, (9, 99, 9)))
    transfer = page.locator(".fg-transfer")
    page.locator('[data-field="files"]').set_input_files(photo)
    expect(transfer).to_contain_text("Nothing seems to have begun: try again.")
    page.locator('[data-field="files"]').set_input_files(photo)
    yes = page.get_by_role("button", name="Bring them in")
    insist(yes, transfer.get_by_text("came in"))
    export = page.get_by_role("button", name="Prepare the download")
    export.click()
    expect(transfer).to_contain_text("Nothing seems to have begun: try again.")
    export.click()
    expect(page.get_by_role("link", name="Download")).to_be_visible()
    name = f"eve {how}"
    for field, text in (("Name", name), ("Password", "long enough too")):
        page.locator(".fg-person-form").get_by_label(field).fill(text)
    insist(page.get_by_role("button", name="Add"), page.locator(".fg-person-name", has_text=name))
    role = page.get_by_label(f"Role of {name}")
    role.select_option("maintainer")
    expect(page.locator('[data-message="people"]')).to_contain_text("Nothing is known")
    expect(role).to_have_value("expert")
    role.select_option("maintainer")
    expect(page.locator('[data-message="people"]')).to_be_empty()
    assert next(one.role for one in app.accounts.all() if one.name == name) == "maintainer"
    is_calm(page)
    missed = losing.missed("data_now people_list fgdemo/data/incoming data_import data_export people_add people_change")
    assert missed == set()


def remarks(app: RunningApp) -> int:
    return b"".join(app.services.suggestions.remarks(Person("ada", "expert"))).count(b"\r\n") - 1


@pytest.mark.parametrize("how", EACH)
def test_classify_sends_the_picture_again_and_answers(page: Page, app: RunningApp, how: How, tmp_path: Path) -> None:
    losing, before = Losing(page, how), remarks(app)
    page.goto(app.url)
    expect(page.locator(".fg-model")).to_have_text("fake-00000000 · 5 kinds")
    page.locator(".fg-classify input[type=file]").set_input_files(picture(tmp_path / "warbler.png", YELLOW, YELLOW))
    expect(page.locator(".fg-answer h1")).to_contain_text("Nashville Warbler")
    expect(page.locator(".fg-trust")).to_contain_text("0.71")
    page.get_by_role("button", name="That’s wrong").click()
    dialog = page.locator('[data-dialog="wrong"]')
    field = dialog.get_by_role("combobox")
    field.press_sequentially("mourn")
    dialog.get_by_role("button", name="Try again").dispatch_event("pointerdown")
    dialog.get_by_role("option").first.click()
    insist(dialog.get_by_role("button", name="Save suggestion"), dialog.get_by_text("Saved. Thank you."))
    is_calm(page)
    assert remarks(app) == before + 1, "a lost reply and a second press make one"
    missed = losing.missed(
        "head/nav.js classify/page.js about gradio_api/upload classify neighbours cards trust search_taxa suggest"
    )
    assert missed == set()


@pytest.mark.parametrize("how", EACH)
def test_signing_in_says_that_the_answer_was_lost(browser: Browser, app: RunningApp, how: How) -> None:
    if "ada" not in {one.name for one in app.accounts.all()}:
        app.accounts.add("ada", "expert", "long enough")
    page = browser.new_page()
    losing = Losing(page, how)
    page.goto(app.url)
    page.get_by_role("button", name="Sign in").click()
    dialog = page.locator(".fg-top dialog")
    dialog.get_by_label("Name").fill("ada")
    dialog.get_by_label("Password").fill("long enough")
    insist(dialog.get_by_role("button", name="Sign in"), page.get_by_role("button", name="ada · expert"))
    page.get_by_role("button", name="ada · expert").click()
    insist(dialog.get_by_role("button", name="Sign out"), page.get_by_role("button", name="Sign in"))
    missed = losing.missed("fgdemo/me fgdemo/sign-in fgdemo/sign-out fgdemo/mirror")
    assert missed == set()
    page.close()
