"""The Train page in Chromium, over a Training service that goes on only when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from fgdemo.storage.trainings.cloud_jobs import Flavour
from fgdemo.values.annotation import Person
from fgdemo.values.errors import HubError
from fgdemo.values.training import Verdict
from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.support.fake_training import CONFIGURED, GOOD, WORSE, FakeTraining
from tests.support.workspace import some_pictures


@pytest.fixture(scope="module")
def training() -> FakeTraining:
    return FakeTraining()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, training: FakeTraining) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home"), training) as running:
        running.accounts.add("mia", "maintainer", "long enough")
        running.accounts.add("ada", "expert", "long enough")
        running.workspace.take_in(some_pictures(8, 3))
        running.workspace.learner.refresh()
        yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp, training: FakeTraining) -> Iterator[Page]:
    """Of a maintainer; nothing was trained yet."""
    training.__init__(labelled=340, gold=150)
    page = signed_in(browser, app, "mia")
    complaints = complaints_of(page)
    page.goto(f"{app.url}#train")
    expect(page.locator(".fg-train-state h1")).to_contain_text("Live: field-guide")
    yield page
    page.context.close()
    assert complaints == []


def judged(app: RunningApp, verdict: Verdict) -> Verdict:
    """The verdict, with pictures of the workspace."""
    images = app.workspace.roster.image_ids
    return replace(verdict, fixed=tuple(images[:5]), broken=tuple(images[9:11]))


def look_again(page: Page) -> None:
    """The page asks by itself only every now and then."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def begin(page: Page, training: FakeTraining) -> None:
    page.get_by_role("button", name="Train a better model").click()
    expect(page.locator(".fg-train-job h2")).to_have_text("A training waits")
    assert [job.state for job in training.jobs] == ["waiting"]


def test_a_training_goes_from_its_start_to_live_and_back(page: Page, app: RunningApp, training: FakeTraining) -> None:
    expect(page.locator(".fg-train-state h1")).to_contain_text("34 labels are newer than it.")
    page.get_by_label("Standard").check()
    begin(page, training)
    assert training.jobs[0].preset == "standard"
    job = page.locator(".fg-train-job")
    training.change(sentence="It waits for an import to end.")
    look_again(page)
    expect(job).to_contain_text("It waits for an import to end.")
    training.run(4)
    look_again(page)
    expect(job).to_contain_text("Epoch 5 of 10")
    expect(job.get_by_role("img", name="Loss: from 2.21 to")).to_be_visible()
    assert job.get_by_role("progressbar").evaluate("(bar) => bar.value") == pytest.approx(0.45)
    page.reload()
    expect(job).to_contain_text("about 4 minutes left")
    expect(page.get_by_role("button", name="Train a better model")).to_be_hidden()
    other = page.context.new_page()
    other.goto(f"{app.url}#train")
    expect(other.locator(".fg-train-job")).to_contain_text("Epoch 5 of 10")
    other.close()
    version = training.finish(judged(app, GOOD))
    look_again(page)
    expect(job).to_contain_text("6.0 points more of the gold pictures are right")
    expect(job.locator(".fg-checks li")).to_have_count(5)
    page.evaluate("document.querySelector('.fg-model').textContent = ''")
    job.get_by_role("button", name="Make it live").click()
    expect(page.locator(".fg-train-swap")).to_contain_text("looking at pictures: 40 of 120")
    expect(job.get_by_role("button", name="Make it live")).to_be_disabled()
    training.swap()
    look_again(page)
    expect(job).to_contain_text("model-1 is live")
    expect(page.locator(".fg-model")).to_contain_text("kinds")  # the head says anew what answers
    expect(page.locator(".fg-train-swap")).to_be_hidden()
    job.get_by_role("button", name="Roll back to field-guide").click()
    expect(page.locator(".fg-train-swap")).to_contain_text("loading the model")
    training.swap()
    look_again(page)
    expect(page.locator(".fg-train-state h1")).to_contain_text("Live: field-guide")
    expect(job.locator("h2")).to_have_text("model-1")  # it was live: no candidate any more
    assert training.went_live == [CONFIGURED]
    assert [(model.version, model.state) for model in training.models] == [(version, "retired"), (CONFIGURED, "live")]


def test_cancelling_asks_once_and_keeps_the_best_so_far(page: Page, training: FakeTraining) -> None:
    begin(page, training)
    training.run(3)
    look_again(page)
    job = page.locator(".fg-train-job")
    expect(job).to_contain_text("Epoch 4 of 10")
    job.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Not now").click()
    assert training.jobs[0].state == "running"
    job.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Stop it").click()
    expect(job).to_contain_text("this is the best that it had until then")
    expect(job).to_contain_text("Candidate model-1")


@pytest.mark.parametrize(
    ("device", "interrupted", "said"),
    [
        ("cpu", False, "What it has learned until now is kept"),
        ("cpu", True, "What it has learned until now is lost"),
        ("jobs:t4-small", False, "cancelled, too. What it has learned is kept only if that was over already"),
        ("jobs:t4-small", True, "cancelled, too. What it has learned until now is lost"),
    ],
)
def test_what_stopping_costs_is_said_before(
    page: Page, training: FakeTraining, device: str, interrupted: bool, said: str
) -> None:
    begin(page, training)
    training.run(3)
    training.change(device=device)
    if interrupted:
        training.interrupt()
    look_again(page)
    job = page.locator(".fg-train-job")
    expect(job).to_contain_text("A training was interrupted" if interrupted else "Epoch 4 of 10")
    job.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_contain_text(said)
    page.get_by_role("button", name="Not now").click()


def test_a_refused_candidate_cannot_go_live_and_can_be_deleted(page: Page, training: FakeTraining) -> None:
    begin(page, training)
    training.run(9)
    version = training.finish(WORSE)
    look_again(page)
    job = page.locator(".fg-train-job")
    expect(job.locator(".fg-outcome")).to_contain_text("Worse")
    expect(job.get_by_role("img", name="not passed")).to_have_count(2)
    expect(job.get_by_role("button", name="Make it live")).to_be_disabled()
    expect(job.get_by_role("button", name="Make it live")).to_have_accessible_description(
        "It cannot go live: it is worse than what is live."
    )
    refused = page.evaluate(
        """async (version) => {
          const { components } = await (await fetch("config")).json();
          const id = components.find((one) => one.props.server_fns?.includes("train_promote")).id;
          const question = { data: { version }, fn_name: "train_promote", component_id: id, session_hash: "x" };
          const body = JSON.stringify(question);
          const headers = { "Content-Type": "application/json" };
          return (await fetch("gradio_api/component_server", { method: "POST", headers, body })).json();
        }""",
        version,
    )
    assert refused["error"].startswith(f"model-1@00000001 cannot go live in place of {CONFIGURED}: Worse")
    job.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(job).to_be_hidden()
    assert [model.version for model in training.models] == [CONFIGURED]


def test_what_was_interrupted_goes_on_and_what_failed_shows_its_log(page: Page, training: FakeTraining) -> None:
    begin(page, training)
    training.run(4)
    training.interrupt()
    look_again(page)
    job = page.locator(".fg-train-job")
    expect(job).to_contain_text("Its process ended unexpectedly. It has finished epoch 4 of 10.")
    job.get_by_role("button", name="Go on").click()
    expect(job.locator("h2")).to_have_text("A training waits")
    training.interrupt("The checkpoint could not be written: the disk is full.")
    look_again(page)
    expect(job).to_contain_text("The checkpoint could not be written: the disk is full. It has finished epoch 4")
    job.get_by_role("button", name="Go on").click()
    expect(job.locator("h2")).to_have_text("A training waits")
    training.change(state="failed", sentence="The disk of the workspace is full: free some space.")
    look_again(page)
    expect(job).to_contain_text("The disk of the workspace is full")
    job.get_by_role("button", name="Show the log").click()
    expect(page.locator(".fg-log")).to_contain_text("<b>epoch</b> 1 of 10")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Train a better model")).to_be_enabled()


def test_an_error_is_said_in_place(page: Page, app: RunningApp, training: FakeTraining) -> None:
    training.jobs.clear()
    other = page.context.new_page()
    other.goto(f"{app.url}#train")
    begin(other, training)
    page.get_by_role("button", name="Train a better model").click()
    expect(page.locator(".fg-train-message")).to_contain_text("Another training is not over")


def test_pictures_are_looked_at_side_by_side(page: Page, app: RunningApp, training: FakeTraining) -> None:
    training.explain = lambda person, image: app.workspace.review.explain(person, image, None, None)
    begin(page, training)
    training.finish(judged(app, GOOD))
    look_again(page)
    page.get_by_role("link", name="Picture by picture").click()
    expect(page.locator(".fg-model-head h1")).to_have_text("model-1 ")
    expect(page.locator(".fg-changes")).to_have_count(2)
    expect(page.locator(".fg-changes").first).to_contain_text("Mourning Warbler")
    page.locator('[data-side="fixed"] .fg-mini').first.click()
    large = page.locator(".fg-large")
    expect(large).to_contain_text("newly right · 1 of 7")
    for stage in large.locator(".fg-stage").all():
        expect(stage).to_have_attribute("data-drawn", "map")
    expect(large.locator(".fg-large-said b")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(large).to_contain_text("newly right · 2 of 7")
    address = page.url
    assert address.endswith(f"#train/model-1?picture={app.workspace.roster.image_ids[1]}")
    page.reload()  # every view is an address
    expect(large).to_contain_text("newly right · 2 of 7")
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    assert page.url.endswith("#train/model-1")
    page.get_by_text("Card", exact=True).click()
    expect(page.locator(".fg-card")).to_contain_text("mobilenetv2_100")
    expect(page.locator(".fg-card")).not_to_contain_text("Scale")


def test_a_verdict_names_its_model_and_another_that_went_live_since_is_compared_first(
    page: Page, app: RunningApp, training: FakeTraining
) -> None:
    begin(page, training)
    first = training.finish(judged(app, GOOD))
    look_again(page)
    expect(page.locator("#fg-why-not")).to_have_count(0)
    mia = Person("mia", "maintainer")
    training.start(mia, "quick")
    second = training.finish(judged(app, GOOD))
    training.promote(mia, first)
    training.swap()
    look_again(page)
    job = page.locator(".fg-train-job")
    expect(job.locator('[data-side="before"] .fg-whisker-name')).to_have_text("field-guide")
    said = "It was compared with field-guide, which is not live now. Before it goes live it is compared with model-1"
    expect(job.locator("#fg-why-not")).to_contain_text(said)
    page.goto(f"{app.url}#train/model-2")
    expect(page.locator('[data-side="before"] .fg-whisker-name')).to_have_text("field-guide")
    page.get_by_role("button", name="Compare again").click()
    expect(page.locator(".fg-train-swap")).to_contain_text("Two models are compared. What is live stays live.")
    training.judged(second)
    look_again(page)
    expect(page.locator(".fg-verdict-said")).to_have_text(f"{second} is better than {first}.")
    expect(page.locator('[data-side="before"] .fg-whisker-name')).to_have_text("model-1")
    expect(page.locator("#fg-why-not")).to_have_count(0)
    page.get_by_role("button", name="Make it live").click()
    expect(page.locator(".fg-train-swap")).to_be_visible()
    training.swap()
    assert training.now(mia).live == second


def test_a_verdict_by_gold_labels_that_have_changed_since_is_told_and_made_anew(
    page: Page, app: RunningApp, training: FakeTraining
) -> None:
    begin(page, training)
    version = training.finish(judged(app, GOOD))
    look_again(page)
    expect(page.locator("#fg-why-not")).to_have_count(0)
    training.gold_changed[version] = 3
    look_again(page)
    job = page.locator(".fg-train-job")
    said = "Gold has changed since: 3 labels. Before it goes live it is compared again with field-guide"
    expect(job.locator("#fg-why-not")).to_contain_text(said)
    expect(page.locator(".fg-models")).to_contain_text("Gold has changed since: 3 labels.")
    job.get_by_role("button", name="Compare again").click()
    expect(page.locator(".fg-train-swap")).to_contain_text("Two models are compared.")
    training.judged(version)
    look_again(page)
    expect(page.locator("#fg-why-not")).to_have_count(0)
    expect(page.locator(".fg-models")).not_to_contain_text("Gold has changed")


def test_any_two_models_are_compared(page: Page, app: RunningApp, training: FakeTraining) -> None:
    begin(page, training)
    training.finish(judged(app, GOOD))
    look_again(page)
    compare = page.locator(".fg-history-head button")
    expect(compare).to_be_disabled()
    page.get_by_label("Compare model-1").check()
    page.get_by_label("Compare field-guide").check()
    compare.click()
    expect(page.locator(".fg-verdict-said")).to_have_text(f"model-1@00000001 is better than {CONFIGURED}.")
    assert page.url.endswith("#train/compare/field-guide/model-1")
    page.goto(f"{app.url}#train/model-9")
    expect(page.locator(".fg-model-head")).to_contain_text("There is no model model-9")


def test_what_is_missing_is_said_in_one_line(page: Page, training: FakeTraining) -> None:
    for labelled, said in (
        (0, "Nothing is labelled yet"),
        (7, "Only 7 pictures are"),
        (340, "No gold picture is labelled"),
    ):
        training.labelled, training.gold = labelled, 0
        look_again(page)
        expect(page.locator(".fg-train-starter")).to_contain_text(said)
        expect(page.get_by_role("button", name="Train a better model")).to_have_count(0)
    training.gold, training.has_val = 150, False
    look_again(page)
    starter = page.locator(".fg-train-starter")
    expect(starter).to_contain_text("none of the labelled ones is held out")
    expect(starter.get_by_role("link", name="Bring pictures in")).to_be_visible()
    expect(page.get_by_role("button", name="Train a better model")).to_have_count(0)


def test_what_is_open_about_gold_is_said_above_the_training(page: Page) -> None:
    found = page.evaluate(
        """async (gold_check) => {
          const known = document.querySelector('link[href*="classify/page.js"]').href;
          const source = known.replace("classify/page.js", "train/now.js");
          const root = document.createElement("div");
          const now = { models: [], live: "one", newer: 0, train: 1, val: 1, checked: 0, gold: 1, jobs: [] };
          (await import(source)).drawState(root, { ...now, gold_check });
          return root.querySelector(".fg-gold-check").textContent;
        }""",
        {"labelled": 35, "looks_wrong": 1, "disputed": 0},
    )
    assert found == "1 of 35 gold labels looks wrong. Models are judged by them. Check gold first"


def test_a_verdict_does_not_say_above_its_checks_what_stands_in_them(page: Page, training: FakeTraining) -> None:
    begin(page, training)
    failed = [check.sentence for check in WORSE.checks if not check.passed]
    training.finish(replace(WORSE, sentence=" ".join((WORSE.sentence, *failed[1:]))))
    look_again(page)
    expect(page.locator(".fg-verdict-said")).to_have_text(WORSE.sentence)
    expect(page.locator(".fg-checks")).to_contain_text(failed[1])


def test_a_price_that_could_not_be_had_is_asked_for_again(page: Page, training: FakeTraining) -> None:
    training.device, training.price = "jobs:t4-small", HubError("The Hub does not answer.")
    look_again(page)
    starter, start = page.locator(".fg-train-starter"), page.get_by_role("button", name="Train a better model")
    expect(starter).to_contain_text("The Hub does not answer.")
    expect(start).to_be_disabled()  # nothing begins before it is known what it costs
    training.price = Flavour("t4-small", "Nvidia T4 - small", 0.4)
    page.get_by_role("button", name="Ask again").click()
    expect(starter).to_contain_text("at your cost: Nvidia T4 - small, $0.40 an hour")
    expect(start).to_be_enabled()
    expect(page.get_by_role("button", name="Ask again")).to_have_count(0)


def test_where_hugging_face_signs_people_in_that_stands_first(browser: Browser, app: RunningApp) -> None:
    page = browser.new_context().new_page()

    def with_hub(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json={**reply.json(), "hub_sign_in": True})

    page.route("**/fgdemo/me", with_hub)
    page.goto(f"{app.url}#train")
    page.locator(".fg-train-gate").get_by_role("button", name="Sign in").click()
    dialog = page.get_by_role("dialog")
    ways = dialog.locator("a, input, button[type=submit]").evaluate_all(
        "all => all.map(one => one.textContent || one.name)"
    )
    assert ways == ["Sign in with Hugging Face", "username", "password", "Sign in"]
    expect(dialog).to_contain_text("or with an account of this page")
    there = dialog.get_by_role("link", name="Sign in with Hugging Face").get_attribute("href")
    assert there == "login/huggingface?_target_url=%2F%23train"  # and back to where one was
    page.context.close()


def test_a_narrow_page_does_not_scroll_sideways(page: Page, app: RunningApp, training: FakeTraining) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    begin(page, training)
    training.run(9)
    training.finish(judged(app, GOOD))
    look_again(page)
    for address, shown in (("#train", ".fg-verdict"), ("#train/model-1", ".fg-minis")):
        page.goto(f"{app.url}{address}")
        expect(page.locator(shown).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("name", ["ada", None])
def test_others_have_no_train_page(browser: Browser, app: RunningApp, name: str | None) -> None:
    page = signed_in(browser, app, name) if name else browser.new_context().new_page()
    page.goto(f"{app.url}#train")
    expect(page.locator(".fg-train-gate h1")).to_have_text("Train a better model")
    expect(page.locator(".fg-train-body")).to_be_hidden()
    page.get_by_role("link", name="Classify").click()
    page.reload()
    expect(page.get_by_role("button", name="ada · expert" if name else "Sign in").first).to_be_visible()
    expect(page.get_by_role("link", name="Train")).to_be_hidden()
    page.context.close()
