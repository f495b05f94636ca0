"""A closer look at the page, in real Chromium: by itself, by L, and the frame that becomes the crop box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect

from tests.support.browser_app import LIME, MAGENTA, YELLOW, RunningApp, complaints_of, running_app, signed_in
from tests.support.fakes import FakeCloser
from tests.support.workspace import some_pictures

BETWEEN = tuple((a + b) // 2 for a, b in zip(YELLOW, LIME, strict=True))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with running_app(tmp_path_factory.mktemp("home")) as running:
            running.workspace.classifier.closer = FakeCloser()
            yield running


@pytest.fixture
def page(browser: Browser, app: RunningApp) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    complaints = complaints_of(page)
    page.set_default_timeout(20_000)
    page.goto(app.url)
    expect(page.get_by_role("button", name="Choose a picture")).to_be_visible()
    yield page
    page.close()
    assert complaints == []


def scene(
    path: Path, *places: tuple[int, int], colour: tuple[int, int, int] = YELLOW, ground: object = BETWEEN
) -> Path:
    """A picture midway between two kinds, with small squares of one of them."""
    image = Image.new("RGB", (600, 400), ground)  # pyright: ignore[reportArgumentType]
    for left, top in places:
        image.paste(colour, (left, top, left + 120, top + 120))
    image.save(path)
    return path


def choose(page: Page, path: Path) -> None:
    page.locator(".fg-classify input[type=file]").set_input_files(path)
    expect(page.locator('.fg-classify[data-state="answered"]')).to_be_visible()
    expect(page.locator(".fg-progress")).to_be_hidden()


def test_a_small_thing_is_looked_at_again_and_both_answers_are_told(page: Page, tmp_path: Path) -> None:
    choose(page, scene(tmp_path / "small.png", (400, 40)))
    expect(page.locator(".fg-closer")).to_have_text(re.compile(r"^At first sight (.+, )?[<>]?\d+\s%\.$"))
    expect(page.locator(".fg-answer h1")).to_contain_text("Nashville Warbler")
    expect(page.locator('[data-do="closer"]')).to_have_attribute("aria-pressed", "true")
    frame, canvas = page.locator(".fg-frame").bounding_box(), page.locator(".fg-stage canvas").first.bounding_box()
    assert frame is not None
    assert canvas is not None
    middle = frame["x"] + frame["width"] / 2 - canvas["x"]
    assert middle > canvas["width"] / 2, "the thing is on the right"
    assert frame["width"] < canvas["width"] / 2


def test_l_goes_between_first_sight_and_the_closer_look(page: Page, tmp_path: Path) -> None:
    choose(page, scene(tmp_path / "small.png", (400, 40)))
    expect(page.locator(".fg-closer")).to_contain_text("At first sight")
    page.keyboard.press("l")
    expect(page.locator('[data-do="closer"]')).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".fg-frame")).to_be_hidden()
    expect(page.locator(".fg-closer")).to_be_hidden()
    page.get_by_role("button", name="Closer").click()
    expect(page.locator(".fg-frame")).to_be_visible()


def test_the_frame_taken_by_its_edge_becomes_the_crop_box(page: Page, tmp_path: Path) -> None:
    choose(page, scene(tmp_path / "small.png", (400, 40)))
    frame = page.locator(".fg-frame").bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] - 4)
    page.mouse.down()
    expect(page.get_by_text("Drag a box")).to_be_visible()
    page.mouse.move(frame["x"] + frame["width"] / 2 - 60, frame["y"] + frame["height"] + 40, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Back to the whole picture")).to_be_visible()
    expect(page.locator(".fg-frame")).to_be_hidden()
    page.keyboard.press("l")
    expect(page.locator(".fg-error")).to_contain_text("part of the picture already")


def test_another_animal_is_told_and_can_be_looked_at(page: Page, tmp_path: Path) -> None:
    choose(page, scene(tmp_path / "two.png", (40, 40), (430, 240)))
    expect(page.locator(".fg-closer")).to_contain_text("another one in the picture")
    page.get_by_role("button", name="Look at that one").click()
    expect(page.get_by_role("button", name="Back to the whole picture")).to_be_visible()


def test_what_is_unknown_after_that_is_compared_with_nothing(page: Page, tmp_path: Path) -> None:
    choose(page, scene(tmp_path / "odd.png", (400, 40), colour=MAGENTA, ground=(255, 60, 255)))
    page.keyboard.press("l")
    expect(page.locator(".fg-answer h1")).to_have_text("Probably none of the 5 kinds I know")
    expect(page.locator(".fg-reasons")).to_be_hidden()
    expect(page.locator(".fg-candidates")).to_be_hidden()
    expect(page.get_by_role("button", name="That’s wrong")).to_be_visible()


def test_a_picture_without_a_thing_says_so(page: Page, tmp_path: Path) -> None:
    choose(page, scene(tmp_path / "flat.png", ground=YELLOW))
    page.keyboard.press("l")
    expect(page.locator(".fg-error")).to_contain_text("Nothing stands out")


def test_a_place_in_the_frame_is_compared_within_it_and_one_beside_it_in_the_whole_picture(
    page: Page, tmp_path: Path
) -> None:
    asked: list[dict[str, float] | None] = []

    def note(request: Request) -> None:
        question = (request.post_data_json or {}) if "component_server" in request.url else {}
        if question.get("fn_name") == "compare":
            asked.append(question["data"]["box"])

    page.on("request", note)
    choose(page, scene(tmp_path / "small.png", (400, 40)))
    expect(page.locator(".fg-closer")).to_contain_text("At first sight")
    frame = page.locator(".fg-frame").bounding_box()
    assert frame is not None
    words = page.locator(".fg-compare-pane.is-b .fg-compare-words")
    for x in (frame["x"] + frame["width"] / 2, frame["x"] - 60):
        page.mouse.click(x, frame["y"] + frame["height"] / 2)
        expect(words).to_contain_text("There is no picture of")
        page.keyboard.press("Escape")
        expect(page.locator(".fg-compare-dialog")).to_have_count(0)
    within, beside = asked
    assert beside is None
    assert within is not None
    assert 0 < within["right"] - within["left"] < 0.5


def test_l_on_label_explains_the_frame_too(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path) as running:
        running.workspace.classifier.closer = FakeCloser()
        running.accounts.add("ada", "expert", "long enough")
        running.workspace.take_in(some_pictures(4, 1))
        running.workspace.learner.refresh()
        page = signed_in(browser, running, "ada")
        complaints = complaints_of(page)
        page.goto(f"{running.url}#label")
        page.get_by_role("button", name="Begin").click()
        expect(page.locator(".fg-choice").first).to_be_visible()
        page.keyboard.press("l")
        expect(page.locator(".fg-label .fg-frame")).to_be_visible()
        expect(page.locator(".fg-label .fg-stage-note")).to_have_text(re.compile("^Closer: blue speaks for"))
        page.keyboard.press("l")
        expect(page.locator(".fg-label .fg-frame")).to_be_hidden()
        page.context.close()
        assert complaints == []
