"""The page's questions as endpoints for programs: typed, and with one sentence where something is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from fgdemo.values.annotation import Person
from fgdemo.values.errors import FgdemoError
from fgdemo.values.types import CropBox
from fgdemo.web.http import payloads
from tests.support.browser_app import BLUE, LIME, YELLOW, RunningApp, picture, running_app

ENDPOINTS = {
    "/about",
    "/classify",
    "/explain",
    "/spread",
    "/trust",
    "/methods",
    "/neighbours",
    "/same_place",
    "/search_taxa",
    "/suggest",
    "/forget_picture",
    "/next_items",
    "/answer",
    "/start_export",
    "/export_state",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with running_app(tmp_path_factory.mktemp("home")) as running:
            yield running


@pytest.fixture(scope="module")
def client(app: RunningApp) -> Client:
    return Client(app.url, verbose=False)


@pytest.fixture
def warbler(tmp_path: Path) -> Path:
    return picture(tmp_path / "warbler.png", YELLOW, LIME)


def test_exactly_the_documented_questions_are_public(app: RunningApp, client: Client) -> None:
    described: Any = client.view_api(return_format="dict", print_info=False)
    assert set(described["named_endpoints"]) == ENDPOINTS
    assert described["unnamed_endpoints"] == {}
    answer = described["named_endpoints"]["/classify"]["returns"][0]["type"]
    assert {"answer", "candidates", "parts", "unknown"} <= set(answer["properties"])


def test_the_same_questions_are_tools_for_agents(app: RunningApp) -> None:
    with urlopen(f"{app.url}gradio_api/mcp/schema") as reply:
        tools = {tool["name"]: tool for tool in json.load(reply)}
    assert {name.rpartition("_")[2] for name in tools} >= {"classify", "trust", "suggest", "taxa"}
    classify = next(tool for name, tool in tools.items() if name.endswith("classify"))
    assert "how sure" in classify["description"]
    assert classify["inputSchema"]["properties"]["picture"]["type"] == "string"


def test_a_classification_holds_what_the_page_draws(client: Client, warbler: Path) -> None:
    found = client.predict(handle_file(str(warbler)), api_name="/classify")
    a, b = found["candidates"][:2]
    rows, columns = found["grid"]
    assert all(len(one["evidence"]) == rows * columns for one in found["candidates"])
    logits = [sum(one["evidence"]) + one["bias"] for one in (a, b)]
    assert logits[0] - logits[1] == pytest.approx(math.log(a["prob"] / b["prob"]), abs=1e-4)
    assert (found["asked"], found["rival"]) == (a["taxon"], b["taxon"])


def test_box_a_and_b_are_taken(client: Client, tmp_path: Path) -> None:
    scene = handle_file(str(picture(tmp_path / "scene.png", YELLOW, BLUE)))
    box = {"left": 0.6, "top": 0.1, "right": 0.9, "bottom": 0.9}
    found = client.predict(scene, box=box, rival="lowchen", api_name="/classify")
    assert (found["box"], found["asked"], found["rival"]) == (box, "eskimo_dog", "lowchen")
    trust = client.predict(scene, a="eskimo_dog", b="lowchen", box=box, api_name="/trust")
    assert trust["class"]["score"] == 0.71
    assert client.predict(scene, taxa=["eskimo_dog"], api_name="/neighbours") == {"eskimo_dog": []}


def test_the_model_says_what_it_knows(client: Client) -> None:
    found = client.predict(api_name="/about")
    assert (found["model_version"], found["kinds_known"]) == ("fake-00000000", 5)
    assert found["groups"][0] == {"taxon": "bird", "name": "bird", "kinds": 3}
    assert found["sentence"] == "Knows 5 kinds: 3 birds and 2 dogs."


def test_taxa_are_found(client: Client) -> None:
    found = client.predict("uhu", api_name="/search_taxa")
    assert [(hit["taxon"], hit["is_leaf"]) for hit in found] == [("eurasian_eagle_owl", True)]


def test_a_suggestion_is_stored_before_its_id_is_given(app: RunningApp, client: Client, warbler: Path) -> None:
    asked = {"taxon": "owl", "comment": "tufts", "keep_picture": True, "api_name": "/suggest"}
    saved = client.predict(handle_file(str(warbler)), **asked)
    kept = app.events.suggestions()[-1]
    assert (str(kept.id), kept.taxon, kept.comment) == (saved["id"], "owl", "tufts")
    assert app.images.read(kept.image) == warbler.read_bytes()
    assert client.predict(saved["receipt"], api_name="/forget_picture") == {"state": "removed", "kept_until": None}
    assert kept.image not in app.images


def test_without_consent_only_the_words_are_kept(app: RunningApp, client: Client, tmp_path: Path) -> None:
    before, files = app.events.since(0), len(list(app.services.settings.home.rglob("pictures/**/*")))
    other = handle_file(str(picture(tmp_path / "other.png", BLUE, LIME)))
    saved = client.predict(other, taxon="owl", comment="private", api_name="/suggest")
    assert (saved["receipt"], saved["kept_until"]) == (None, None)
    assert app.events.since(0) == before
    assert len(list(app.services.settings.home.rglob("pictures/**/*"))) == files
    table = b"".join(app.services.suggestions.remarks(Person("ada", "expert"))).decode()
    assert "owl" in table
    assert "private" in table


@pytest.mark.parametrize(
    ("question", "more", "sentence"),
    [
        ("/classify", {"asked": "dodo"}, "dodo"),
        ("/classify", {"asked": "owl"}, "group of kinds"),
        ("/classify", {"asked": ["owl"]}, "“asked” must be text"),
        ("/classify", {"rival": {"taxon": "owl"}}, "“rival” must be text"),
        ("/trust", {"a": ["owl"], "b": "lowchen"}, "“a” must be text"),
        ("/classify", {"box": {"left": 0.5, "top": 0, "right": 0.5, "bottom": 1}}, "too small"),
        ("/classify", {"box": {"left": "0"}}, "four numbers"),
        ("/classify", {"box": [0, 0, 1, 1]}, "four numbers"),
        ("/trust", {"a": "lowchen", "b": "lowchen"}, "two different"),
        ("/neighbours", {"taxa": "lowchen"}, "must be a list"),
        ("/suggest", {"comment": "x" * 2001, "taxon": "owl"}, "too long"),
        ("/suggest", {}, "Say what it is"),
    ],
)
def test_a_bad_question_gets_a_sentence(
    app: RunningApp, client: Client, warbler: Path, question: str, more: dict, sentence: str
) -> None:
    before = len(app.events.suggestions())
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(str(warbler)), **more, api_name=question)
    assert len(app.events.suggestions()) == before


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "", "x" * 5000, "\0"])
def test_a_path_is_not_a_picture(client: Client, path: str) -> None:
    with pytest.raises(AppError, match="a path is not an upload"):
        client.predict(path, api_name="/classify")


def test_a_path_dressed_as_an_upload_is_refused(client: Client) -> None:
    dressed = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}, "orig_name": "a.png"}
    with httpx.Client(timeout=30) as http:  # by hand, because `gradio_client` would upload its own file
        event = http.post(f"{client.src}gradio_api/call/classify", json={"data": [dressed]}).json()["event_id"]
        text = http.get(f"{client.src}gradio_api/call/classify/{event}").text
    assert "event: error" in text
    assert "hostname" not in text
    assert "Traceback" not in text


def test_what_an_upload_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = tmp_path / "uploads"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    (uploads / "ab").mkdir(parents=True)
    good = uploads / "ab" / "a.png"
    good.write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")
    (uploads / "link").symlink_to(tmp_path / "secret")
    assert payloads.uploaded_file(str(good)) == good
    for bad in (uploads, uploads / "link", uploads / ".." / "secret", tmp_path / "uploads2" / "a.png", None, 3, {}, []):
        with pytest.raises(payloads.PictureError, match="a path is not an upload"):
            payloads.uploaded_file(bad if not isinstance(bad, Path) else str(bad))
    with pytest.raises(payloads.PictureGoneError):
        payloads.uploaded_file(str(uploads / "ab" / "gone.png"))


@pytest.mark.parametrize("value", [{"left": 0, "top": 0, "right": True, "bottom": 1}, "0,0,1,1", {}, 7, [0, 0, 1, 1]])
def test_arbitrary_json_is_no_crop_box(value: object) -> None:
    with pytest.raises(FgdemoError):
        payloads.crop_box(value)


def test_a_crop_box_from_json() -> None:
    assert payloads.crop_box(None) is None
    assert payloads.crop_box({"left": 0, "top": 0.25, "right": 1, "bottom": 1}) == CropBox(0, 0.25, 1, 1)
