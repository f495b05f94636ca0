"""A person at the page, in real Chromium: every test waits on what that person would see."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from gradio.utils import get_upload_folder
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from fgdemo.settings import Settings
from fgdemo.values.annotation import Person
from fgdemo.values.errors import CheckpointError
from fgdemo.web.serve import serve
from tests.support.browser_app import (
    BLUE,
    LIME,
    MAGENTA,
    YELLOW,
    RunningApp,
    complaints_of,
    free_port,
    picture,
    running_app,
    settings_in,
)

VIEWS = ("picture", "class", "contrast", "parts")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with running_app(tmp_path_factory.mktemp("home")) as running:
            yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    """The empty page; whatever the browser complains of, or fetches from elsewhere, fails the test."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    complaints = complaints_of(page)
    page.on("request", lambda request: complaints.append(request.url) if is_elsewhere(request.url, app) else None)
    page.set_default_timeout(20_000)
    page.goto(app.url)
    expect(page.get_by_role("button", name="Choose a picture")).to_be_visible()
    yield page
    page.close()
    assert complaints == []


def is_elsewhere(url: str, app: RunningApp) -> bool:
    return url.startswith(("http:", "https:", "ws:", "wss:")) and not url.startswith(app.url)


@pytest.fixture
def warbler(tmp_path: Path) -> Path:
    return picture(tmp_path / "warbler.png", YELLOW, YELLOW)


def choose(page: Page, path: Path, answer: str | re.Pattern[str] = re.compile(r"\w")) -> None:
    """Upload a picture and wait for the answer and for the map to be drawn."""
    page.locator(".fg-classify input[type=file]").set_input_files(path)
    expect(page.locator(".fg-answer h1")).to_have_text(answer)
    expect(page.locator('.fg-classify[data-state="answered"]')).to_be_visible()


def test_an_avif_is_sent_as_a_jpeg(page: Page, tmp_path: Path) -> None:
    """Servers whose Pillow was built without AVIF cannot read one, and none reads the HEIC that Safari shows."""
    file = tmp_path / "warbler.avif"
    Image.open(picture(tmp_path / "warbler.png", YELLOW, YELLOW)).save(file, "AVIF")
    choose(page, file)
    (sent,) = Path(get_upload_folder()).rglob("warbler.avif")
    assert sent.read_bytes().startswith(b"\xff\xd8\xff")


def drawn(page: Page) -> str:
    """What the viewer shows, once it rests: nothing is fading any more."""
    return page.evaluate(
        """async () => {
            const canvas = document.querySelector(".fg-classify .fg-stage canvas");
            for (let before = null; ; ) {
                await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
                const now = canvas.toDataURL();
                if (now === before) return now;
                before = now;
            }
        }"""
    )


def candidate(page: Page, name: str):
    return page.locator(".fg-candidate", has_text=name)


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Over the picture, from and to fractions of the stage."""
    stage = page.locator(".fg-classify .fg-stage canvas").bounding_box()
    assert stage is not None
    ends = [(stage["x"] + x * stage["width"], stage["y"] + y * stage["height"]) for x, y in (start, end)]
    page.mouse.move(*ends[0])
    page.mouse.down()
    page.mouse.move(*ends[1], steps=4)
    page.mouse.up()


def test_the_page_says_what_the_model_knows_before_any_picture(page: Page) -> None:
    expect(page.locator(".fg-model")).to_have_text("fake-00000000 · 5 kinds")
    expect(page.locator(".fg-drop")).to_contain_text("Knows 5 kinds: 3 birds and 2 dogs.")


def test_a_model_that_cannot_be_loaded_is_said_on_the_page(browser: Browser, tmp_path: Path) -> None:
    is_up, is_seen = threading.Event(), threading.Event()

    def load(settings: Settings, go_live: object) -> NoReturn:
        is_up.set()
        is_seen.wait(60)
        raise CheckpointError("The checkpoint field-guide has no weights.")

    with ThreadPoolExecutor() as threads:
        port = free_port()
        serving = threads.submit(serve, settings_in(tmp_path), load, server_port=port, quiet=True)
        try:
            assert is_up.wait(60)
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            expect(page.locator('.fg-classify[data-ready="true"]')).to_be_visible()
            expect(page.locator(".fg-model")).to_have_text("loading the model…")
        finally:
            is_seen.set()
        expect(page.get_by_role("alert")).to_have_text("The checkpoint field-guide has no weights.")
        expect(page.locator(".fg-model")).to_have_text("no model")
        page.close()
        assert isinstance(serving.exception(timeout=60), CheckpointError)


def test_the_keys_are_listed(page: Page, warbler: Path) -> None:
    listed = page.get_by_role("dialog", name="Keys")
    expect(page.locator('.fg-classify[data-ready="true"]')).to_be_visible()
    page.keyboard.press("?")
    expect(listed).to_contain_text("draw a box")
    page.keyboard.press("?")
    expect(listed).to_be_hidden()
    choose(page, warbler)
    page.get_by_role("button", name="Keys").click()
    page.keyboard.press("1")  # belongs to the list while that is open
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    expect(page.locator('.fg-classify[data-view="class"]')).to_be_visible()


def test_an_uploaded_picture_gets_an_answer_in_words_with_everything_beside_it(page: Page, warbler: Path) -> None:
    choose(page, warbler, re.compile(r"Nashville Warbler"))
    expect(page.locator(".fg-path li")).to_have_text(
        [re.compile("^bird"), re.compile("^warbler"), re.compile("^Nashville")]
    )
    expect(page.locator(".fg-candidate")).to_have_count(5)
    expect(candidate(page, "Nashville Warbler").get_by_role("button", name="Ask about this kind")).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.locator(".fg-set")).to_contain_text("Nashville Warbler")
    expect(page.locator(".fg-model")).to_contain_text("fake-00000000 · 5 kinds")
    expect(page.locator(".fg-neighbours")).to_contain_text("no pictures of these two")


def test_a_picture_unlike_all_others_is_called_unknown(page: Page, tmp_path: Path) -> None:
    choose(page, picture(tmp_path / "odd.png", MAGENTA, MAGENTA), re.compile("Probably none of the 5 kinds"))
    expect(page.locator(".fg-unknown.is-unknown")).to_be_visible()
    for compared in (".fg-set", ".fg-candidates", ".fg-reasons", ".fg-path"):
        expect(page.locator(compared)).to_be_hidden()
    expect(page.locator('.fg-views input[value="picture"]')).to_be_checked()
    page.get_by_role("button", name="Show what it resembles").click()
    expect(page.locator(".fg-reasons")).to_be_visible()
    expect(page.locator(".fg-set")).to_contain_text(re.compile("^If it is one I know: [noe]"))
    page.get_by_role("button", name="Draw a box around it").click()
    expect(page.get_by_text("Drag a box")).to_be_visible()


def test_views_change_the_drawing_and_ask_the_server_nothing(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    expect(page.locator(".fg-trust-text")).to_have_text("trust 0.71")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    seen = []
    for key, view in enumerate(VIEWS, start=1):
        page.keyboard.press(str(key))
        expect(page.locator(f'.fg-classify[data-view="{view}"]')).to_be_visible()
        seen.append(drawn(page))
    assert len(set(seen)) == len(VIEWS)
    page.get_by_role("radio", name="Class map").check()
    page.get_by_label("Opacity").fill("20")
    assert drawn(page) not in seen
    assert [url for url in asked if not url.startswith("data:")] == []


def test_each_map_says_how_far_it_can_be_trusted(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    expect(page.locator(".fg-trust-text")).to_have_text("trust 0.71")
    page.keyboard.press("3")
    expect(page.locator(".fg-trust-text")).to_have_text("trust −0.04: this map is not faithful for this picture")
    page.keyboard.press("4")
    expect(page.locator(".fg-trust")).to_be_hidden()


def test_the_bars_add_up_to_the_ratio_of_the_probabilities(page: Page, tmp_path: Path) -> None:
    mostly_yellow = (243, 232, 0)
    choose(page, picture(tmp_path / "between.png", mostly_yellow, mostly_yellow))
    total = float(page.locator("[data-total]").get_attribute("data-total") or "nan")
    bars = page.locator(".fg-part-bar .fg-num").all_text_contents()
    values = [float(bar.replace("−", "-")) for bar in bars]
    assert sum(values) == pytest.approx(total, abs=0.005 * len(bars))
    assert abs(sum(values[:-2])) > 0.1, "a picture in which parts, background and starting point all count"
    a, b = (candidate(page, name) for name in ("Nashville Warbler", "Mourning Warbler"))
    probs = [float(re.sub(r"\D", "", one.locator(".fg-num").text_content() or "")) for one in (a, b)]
    assert total == pytest.approx(math.log(probs[0] / probs[1]), abs=0.05)


def test_a_and_b_change_with_one_click(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    expect(page.locator(".fg-reasons h2")).to_have_text("Why Nashville Warbler and not Mourning Warbler")
    page.keyboard.press("3")
    before = drawn(page)
    candidate(page, "Eskimo Dog").get_by_role("button", name="Compare with this kind").click()
    expect(page.locator(".fg-reasons h2")).to_have_text("Why Nashville Warbler and not Eskimo Dog")
    assert drawn(page) != before
    candidate(page, "Eskimo Dog").get_by_role("button", name="Ask about this kind").click()
    expect(page.locator(".fg-reasons h2")).to_have_text("Why Eskimo Dog and not Nashville Warbler")


def test_another_kind_to_compare_with_is_found_by_typing(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    page.get_by_role("button", name="Compare with another kind").click()
    page.keyboard.type("uhu 1")  # the digit is typed, it does not change the view
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")  # sooner than the list is there
    expect(page.locator(".fg-reasons h2")).to_have_text("Why Nashville Warbler and not Eurasian Eagle-Owl")
    expect(page.locator('.fg-classify[data-view="class"]')).to_be_visible()


def test_a_part_lights_up_under_its_bar(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    page.keyboard.press("1")
    bar = page.locator(".fg-part-bar", has_text="crown")
    resting = drawn(page)
    bar.hover()
    lit = drawn(page)
    assert lit != resting
    bar.click()
    page.mouse.move(0, 0)
    expect(bar).to_have_attribute("aria-pressed", "true")
    assert drawn(page) == lit
    page.keyboard.press("Escape")
    expect(bar).to_have_attribute("aria-pressed", "false")
    bar.blur()
    assert drawn(page) == resting


def test_a_crop_gets_its_own_answer_and_leads_back(page: Page, tmp_path: Path) -> None:
    choose(page, picture(tmp_path / "scene.png", YELLOW, BLUE))
    whole = page.locator(".fg-answer h1").text_content()
    page.keyboard.press("c")
    expect(page.get_by_text("Drag a box")).to_be_visible()
    drag(page, (0.6, 0.3), (0.85, 0.7))
    expect(page.locator(".fg-answer h1")).to_contain_text("Eskimo Dog")
    page.get_by_role("button", name="Crop").click()
    drag(page, (0.3, 0.45), (0.45, 0.7))
    expect(page.locator(".fg-answer h1")).to_contain_text("Nashville Warbler")
    page.get_by_role("button", name="Back to the whole picture").click()
    expect(page.locator(".fg-answer h1")).to_have_text(whole or "")
    expect(page.get_by_role("button", name="Back to the whole picture")).to_be_hidden()


def test_a_crop_can_be_drawn_with_the_keyboard(page: Page, tmp_path: Path) -> None:
    choose(page, picture(tmp_path / "scene.png", YELLOW, BLUE))
    page.keyboard.press("c")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    for _ in range(8):
        page.keyboard.press("Shift+ArrowLeft")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Back to the whole picture")).to_be_visible()


def test_zooming_moves_the_picture_and_fit_brings_it_back(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    resting = drawn(page)
    page.keyboard.press("+")
    near = drawn(page)
    drag(page, (0.5, 0.5), (0.3, 0.4))
    assert len({resting, near, drawn(page)}) == 3
    page.keyboard.press("0")
    page.mouse.move(0, 0)  # under the pointer the map is filled
    assert drawn(page) == resting


def test_what_is_wrong_is_kept_for_the_experts(page: Page, app: RunningApp, tmp_path: Path) -> None:
    path = picture(tmp_path / "übung 🐦.png", LIME, YELLOW)
    choose(page, path)
    page.get_by_role("button", name="That’s wrong").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Save suggestion").click()
    expect(form).to_contain_text("Say what it is")
    form.get_by_role("combobox").fill("owl")
    expect(form.get_by_role("option", name="Eurasian Eagle-Owl")).to_be_visible()
    form.get_by_role("option", name="Eurasian Eagle-Owl").click()
    form.get_by_label("Comment").fill("<b>ear tufts</b>")
    keep = form.get_by_role("switch", name="Leave my picture for the experts")
    expect(keep).not_to_be_checked()
    expect(form).to_contain_text("after 90 days it is removed")
    keep.check()
    form.get_by_role("button", name="Save suggestion").click()
    expect(form).to_contain_text("Saved. Thank you")
    kept = app.events.suggestions()[-1]
    assert (kept.taxon, kept.comment, kept.model_version) == ("eurasian_eagle_owl", "<b>ear tufts</b>", "fake-00000000")
    assert app.images.read(kept.image) == path.read_bytes()
    link = form.get_by_label("Link to delete the picture").input_value()
    form.get_by_role("button", name="Done").click()

    page.goto(link)  # much later, in a new window
    page.reload()
    expect(form).to_contain_text("Experts can see the picture that you left. It is removed on")
    form.get_by_role("button", name="Delete my picture").click()
    expect(form).to_contain_text("The picture that you left is deleted")
    assert kept.image not in app.images
    assert app.events.history(kept.image)[0].comment == "<b>ear tufts</b>"
    form.get_by_role("button", name="Close").click()
    expect(page).to_have_url(re.compile("#classify$"))


def test_what_is_typed_while_a_dialog_loads_is_no_key_of_the_page(page: Page, warbler: Path) -> None:
    held: list[Route] = []
    page.route(re.compile(r"/suggest\.js"), lambda route: held.append(route))
    choose(page, warbler, re.compile("Nashville"))
    page.get_by_role("button", name="That’s wrong").click()
    dialog = page.locator('[data-dialog="wrong"]')
    expect(dialog).to_have_attribute("open", "")
    page.keyboard.type("1c")
    expect(page.locator('.fg-classify[data-view="class"]')).to_be_visible()
    expect(page.locator(".fg-stage.is-cropping")).to_have_count(0)
    held[0].continue_()
    expect(dialog.get_by_role("combobox")).to_be_focused()


def test_a_kind_that_is_not_known_yet_can_be_named(page: Page, app: RunningApp, warbler: Path) -> None:
    choose(page, warbler)
    before = app.events.since(0)
    page.get_by_role("button", name="That’s wrong").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").fill("Virginia’s Warbler")
    expect(form.get_by_text("No kind of that name")).to_be_visible()
    form.get_by_label("Comment").fill("grey back")
    form.get_by_role("button", name="Save suggestion").click()
    expect(form).to_contain_text("Your words are kept; your picture is not")
    assert app.events.since(0) == before
    assert "Virginia’s Warbler" in b"".join(app.services.suggestions.remarks(Person("ada", "expert"))).decode()


def test_a_file_that_is_no_picture_gets_a_sentence_and_changes_nothing(
    page: Page, warbler: Path, tmp_path: Path
) -> None:
    choose(page, warbler)
    answer, before = page.locator(".fg-answer h1").text_content(), drawn(page)
    bad = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    bad.write_bytes(b"this is not a picture")
    page.locator(".fg-classify input[type=file]").set_input_files(bad)
    expect(page.get_by_role("alert")).to_contain_text("not a picture")
    expect(page.get_by_role("alert").locator("*")).to_have_count(0)
    expect(page.get_by_role("alert")).not_to_contain_text("Traceback")
    assert page.locator(".fg-answer h1").text_content() == answer
    choose(page, warbler)
    expect(page.get_by_role("alert")).to_be_hidden()
    assert drawn(page) == before


@pytest.mark.parametrize(("content", "sentence"), [(b"", "empty"), (b"\x89PNG" + bytes(3_000_000), "2 MB")])
def test_an_empty_or_too_large_file_as_the_first_one(page: Page, tmp_path: Path, content: bytes, sentence: str) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(content)
    page.locator(".fg-classify input[type=file]").set_input_files(bad)
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.get_by_role("button", name="Choose a picture")).to_be_visible()


def test_a_picture_can_be_pasted_or_dropped(page: Page, tmp_path: Path) -> None:
    send = """async ({ bytes, name, event }) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
        const options = { bubbles: true, cancelable: true };
        const fired = event === "paste"
            ? new ClipboardEvent("paste", { ...options, clipboardData: transfer })
            : new DragEvent("drop", { ...options, dataTransfer: transfer });
        document.body.dispatchEvent(fired);
    }"""
    page.wait_for_function("document.querySelector('.fg-classify').dataset.ready === 'true'")
    for event, colour, name in (("paste", YELLOW, "Nashville Warbler"), ("drop", BLUE, "Eskimo Dog")):
        path = picture(tmp_path / f"{event}.png", colour, colour)
        page.evaluate(send, {"bytes": list(path.read_bytes()), "name": path.name, "event": event})
        expect(page.locator(".fg-answer h1")).to_contain_text(name)


def test_screen_readers_are_told_what_the_map_shows(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    said = page.locator('[data-live="map"]')
    expect(said).to_contain_text(re.compile(r"Nashville Warbler.*(left|right|top|bottom|centre)"))
    page.keyboard.press("3")
    expect(said).to_contain_text("Mourning Warbler")
    expect(page.locator(".fg-classify .fg-stage canvas")).to_have_attribute(
        "aria-label", re.compile("Nashville Warbler")
    )


@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1180, 820), (1440, 900)])
def test_nothing_scrolls_sideways_and_the_answer_is_in_sight(
    page: Page, tmp_path: Path, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    choose(page, picture(tmp_path / "wide.png", YELLOW, LIME, (1500, 700)))
    expect(page.locator(".fg-trust-text")).to_have_text("trust 0.71")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    stage, answer = (page.locator(part).bounding_box() for part in (".fg-classify .fg-stage", ".fg-answer h1"))
    assert stage is not None
    assert answer is not None
    assert answer["y"] + answer["height"] <= height
    if width < 1000:
        assert answer["y"] >= stage["y"] + stage["height"]
        small = page.evaluate(
            """() => [...document.querySelectorAll(".fg-classify :is(button, .fg-views label)")]
                .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 40)
                .map((one) => one.outerHTML)"""
        )
        assert small == []
    else:
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        page.keyboard.press("3")
        tools, reading = (page.locator(part).bounding_box() for part in (".fg-map-bar", ".fg-reading"))
        assert tools is not None
        assert reading is not None
        assert tools["x"] + tools["width"] <= reading["x"], "what is said of a map stays beside the answer"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_is_dark_or_light_as_asked(page: Page, app: RunningApp, theme: str) -> None:
    page.goto(f"{app.url}?__theme={theme}")
    heading = page.locator(".fg-drop h1")
    expect(heading).to_be_visible()
    light = "(element) => Number(getComputedStyle(element).color.match(/\\d+/)[0]) > 128"
    page.wait_for_function(f"(dark) => ({light})(document.querySelector('.fg-drop h1')) === dark", arg=theme == "dark")


def test_the_api_page_opens_from_the_head(page: Page) -> None:
    page.get_by_role("button", name="API").click()
    expect(page.get_by_text("Tell the experts that an answer is wrong").first).to_be_visible()


def test_methods_stand_beside_each_other_each_with_its_figure(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    page.keyboard.press("5")
    tiles = page.locator(".fg-methods figure")
    expect(tiles).to_have_count(7)  # HiResCAM is named beside the map that it repeats
    expect(page.locator(".fg-methods-words")).to_have_text("One of these is another.")
    expect(tiles.nth(1)).to_contain_text("Grad-CAM = HiResCAM")
    expect(tiles.nth(1)).to_contain_text("trust 0.50")
    expect(tiles.filter(has_text="EigenCAM")).to_contain_text("No positive evidence.")
    expect(tiles.filter(has_text="Finer-CAM")).to_contain_text("trust 0.50")
    expect(page.locator(".fg-methods-progress")).to_be_empty()
    page.keyboard.press("c")  # what is drawn on is the large picture
    expect(page.locator(".fg-methods")).to_be_hidden()


def test_a_map_is_an_outline_until_its_colours_are_wanted(page: Page, warbler: Path) -> None:
    choose(page, warbler)
    page.mouse.move(2, 2)
    outlined = drawn(page)
    page.locator(".fg-classify .fg-stage canvas").hover()
    filled = drawn(page)
    assert filled != outlined
    page.mouse.move(2, 2)
    assert drawn(page) == outlined
    page.keyboard.press("f")
    expect(page.get_by_role("switch", name="Fill")).to_be_checked()
    assert drawn(page) == filled
    page.get_by_role("switch", name="Fill").uncheck()
    assert drawn(page) == outlined


def test_maps_are_drawn_on_the_pixels_that_the_server_names(page: Page, warbler: Path) -> None:
    """A versus B is asked when it is shown, and once."""
    left = {"grid": [56, 56], "values": [1.0 if place % 56 < 28 else 0.0 for place in range(56 * 56)]}
    asked: list[str] = []

    def answer(route: Route) -> None:
        name = json.loads(route.request.post_data or "{}").get("fn_name")
        asked.append(name)
        if name == "spread":
            route.fulfill(json={"class": left, "contrast": left})
        elif name == "classify":
            reply = route.fetch()
            route.fulfill(response=reply, json={**reply.json(), "spread": left})
        else:
            route.continue_()

    page.route("**/component_server/**", answer)
    choose(page, warbler)
    expect(page.locator(".fg-drawn")).to_have_text("drawn on the thing")
    expect(page.locator(".fg-map-words")).to_contain_text("left")
    assert "spread" not in asked
    for _ in range(2):
        page.keyboard.press("3")
        expect(page.locator(".fg-drawn")).to_have_text("drawn where it decides")
        page.keyboard.press("2")
    assert asked.count("spread") == 1
