"""In Chromium: names from right to left, emoji and what turns text around, wherever a page shows a name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from fgdemo.storage.history.events import LabelEvent
from tests.support.browser_app import RunningApp, complaints_of, running_app, signed_in
from tests.support.workspace import coloured, some_pictures

KINDS = ("שחרור", "עורב (אפור)", "طائر", "🐦 Rook", "evil \u202egpj")
PERSON = "דנה"
OPEN_ENDED = """() => {
    const turned = /[\\u0590-\\u08ff]/;
    const isClosedIn = (text) => !turned.test(text.replace(/\\u2068[^\\u2068\\u2069]*\\u2069/g, ""));
    const isName = (text, names) => names.includes(text.trim());
    return (names) => {
        const found = [];
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            if (node.parentElement.closest("script, style, textarea")) continue;
            const isOwn = getComputedStyle(node.parentElement).unicodeBidi.includes("isolate");
            if (!isOwn && !isClosedIn(node.textContent)) found.push(node.textContent);
            if (/[\\u202a-\\u202e]/.test(node.textContent)) found.push(`turned: ${node.textContent}`);
        }
        for (const element of document.querySelectorAll("[title], [aria-label], [alt]")) {
            for (const name of ["title", "aria-label", "alt"]) {
                const text = element.getAttribute(name) ?? "";
                if (!isClosedIn(text) && !isName(text, names)) found.push(`${name}: ${text}`);
                if (/[\\u202a-\\u202e]/.test(text)) found.push(`turned ${name}: ${text}`);
            }
        }
        return found;
    };
}"""


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home")) as running:
        running.accounts.add(PERSON, "maintainer", "long enough")
        workspace = running.workspace
        workspace.take_in([*some_pictures(6, 3), *(coloured("lowchen", 700 + at) for at in range(10))])
        roster = workspace.roster
        images = roster.image_ids[-10:]
        kinds = [workspace.taxa.add(name) for name in KINDS]
        for at, image in enumerate(images):
            taxon = kinds[at % len(kinds)].id
            said = LabelEvent(image, "label", PERSON, taxon=taxon, shown_version=roster.standing(image).version)
            running.events.answer(said)
        workspace.learner.refresh()
        yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    page = signed_in(browser, app, PERSON)
    complaints = complaints_of(page)
    yield page
    page.context.close()
    assert complaints == []


def open_ended(page: Page) -> list[str]:
    """Texts with something from right to left that may turn what stands beside it around."""
    return page.evaluate(f"(names) => ({OPEN_ENDED})()(names)", [*KINDS, PERSON])


def test_no_name_turns_around_what_stands_beside_it(page: Page, app: RunningApp) -> None:
    kind, other = (app.workspace.taxa.load().taxa[at].id for at in (-5, -4))
    for view, shown in (
        ("state=all", ".fg-tile-given bdi"),
        ("view=kinds", ".fg-kinds bdi"),
        ("view=annotators", ".fg-people bdi"),
        ("view=confusions", ".fg-matrix canvas"),
        (f"view=kind&taxon={kind}", ".fg-kind-head bdi"),
        (f"view=pair&a={kind}&b={other}", ".fg-pair-table bdi"),
        (f"state=all&given={kind}", ".fg-filter-kind bdi"),
    ):
        page.goto(f"{app.url}#review?{view}")
        expect(page.locator(f".fg-review-body {shown}").first).to_be_visible()
        assert open_ended(page) == [], view
    page.keyboard.press("a")
    expect(page.locator(".fg-bulk-will")).to_contain_text("chosen")
    assert open_ended(page) == []
    page.goto(f"{app.url}#data")
    expect(page.locator(".fg-people bdi").first).to_be_visible()
    assert open_ended(page) == []
    page.goto(f"{app.url}#label")
    page.get_by_text("Random check").click()
    page.get_by_role("button", name="Begin").click()
    for _ in range(8):
        expect(page.locator(".fg-choice").first).to_be_visible()
        assert open_ended(page) == []
        page.keyboard.press("h")
        expect(page.get_by_text("What was said about this picture")).to_be_visible()
        assert open_ended(page) == []
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)  # Chromium closes it a moment later
        page.keyboard.press("u")


def test_the_matrix_draws_each_name_in_its_own_direction(page: Page, app: RunningApp) -> None:
    page.add_init_script(
        """window.drawn = [];
        const { fillText } = CanvasRenderingContext2D.prototype;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
            window.drawn.push(text);
            return fillText.call(this, text, ...place);
        };"""
    )
    page.goto(f"{app.url}#review?view=confusions")
    page.wait_for_function("() => window.drawn.some((text) => text.includes('עורב'))")
    drawn = page.evaluate("window.drawn")
    assert "\u2068עורב (אפור)\u2069" in drawn
    assert "עורב (אפור)" not in drawn


def test_an_emoji_is_searched_on_every_page(page: Page, app: RunningApp) -> None:
    page.goto(f"{app.url}#review?view=kinds")
    page.get_by_label("Find a kind").fill("🐦")
    expect(page.locator(".fg-kinds tbody tr")).to_have_count(1)
    page.get_by_label("Find a kind").fill("עורב (")
    expect(page.locator(".fg-kinds tbody tr")).to_have_count(1)
    page.goto(f"{app.url}#label")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".fg-choice").first).to_be_visible()
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Kind or group").fill("🐦")
    expect(page.get_by_role("option")).to_have_text(["🐦 Rook"])


def test_a_prediction_of_names_from_right_to_left_keeps_its_order(page: Page, app: RunningApp) -> None:
    page.goto(app.url)
    expect(page.locator(".fg-model")).to_contain_text("5 kinds")
    source = page.evaluate("document.querySelector('link[href*=\"classify/page.js\"]').href")
    said = page.evaluate(
        """async ([source, names]) => {
            const { showPredictionSet } = await import(source.replace("classify/page.js", "classify/answer.js"));
            const place = document.createElement("p");
            const set = names.map((name) => ({ name, prob: 0.4 }));
            showPredictionSet(place, { prediction_set: set, coverage: 0.9, unknown: { is_unknown: false } });
            document.body.append(place);
            const range = document.createRange();
            const at = (text) => {
                const start = place.textContent.indexOf(text);
                range.setStart(place.firstChild, start);
                range.setEnd(place.firstChild, start + text.length);
                return range.getBoundingClientRect().left;
            };
            return [place.textContent, names.map(at), at("(right")];
        }""",
        [source, ["שחרור", "עורב"]],
    )
    text, places, promise = said
    assert text == "Either \u2068שחרור\u2069 or \u2068עורב\u2069 (right 90 times in 100)."
    assert [*places, promise] == sorted([*places, promise])
