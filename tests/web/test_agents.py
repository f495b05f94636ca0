"""What agents and other programs are told, asked by the real MCP client, and by plain HTTP as curl would."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from jsonschema import Draft202012Validator
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import CallToolResult, ImageContent, TextContent, Tool

from fgdemo.storage.exchange.export import ExportFormat
from fgdemo.values.annotation import Order
from fgdemo.web.programs.endpoints import docstring_of
from tests.support.browser_app import LIME, YELLOW, RunningApp, picture, running_app
from tests.support.workspace import some_pictures

HTTP = httpx.Client(timeout=60)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with running_app(tmp_path_factory.mktemp("home")) as running:
            running.workspace.take_in(some_pictures(4, 1))
            running.workspace.learner.refresh()
            yield running


@pytest.fixture(scope="module")
def token(app: RunningApp) -> str:
    return app.accounts.tokens.add("robot", "maintainer")


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> str:
    content = picture(tmp_path_factory.mktemp("pictures") / "a.png", YELLOW, LIME).read_bytes()
    return "data:image/png;base64," + base64.b64encode(content).decode()


Call = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def agent(app: RunningApp, token: str) -> Callable[..., Any]:
    """Asks for the tools, and then for some of them by name, all in one session."""

    async def session(calls: list[Call]) -> tuple[list[Tool], list[CallToolResult]]:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            streamablehttp_client(f"{app.url}gradio_api/mcp/", headers=headers) as (read, write, _),
            ClientSession(read, write) as client,
        ):
            await client.initialize()
            tools = (await client.list_tools()).tools
            return tools, [await client.call_tool(name, asked) for name, asked in calls]

    return lambda *calls: asyncio.run(session(list(calls)))


def text_of(reply: CallToolResult) -> str:
    (text,) = [one.text for one in reply.content if isinstance(one, TextContent)]
    return text


def test_every_tool_says_all_of_what_it_takes_and_answers(agent: Callable[..., Any]) -> None:
    tools = {tool.name: tool for tool in agent()[0]}
    assert len(tools) == 15
    for tool in tools.values():
        assert tool.description.endswith("."), tool.name
        assert tool.outputSchema["type"] == "object", tool.name
        Draft202012Validator.check_schema(tool.inputSchema)
        for name, told in tool.inputSchema["properties"].items():
            assert told.get("description"), (tool.name, name)
    asked = {name: tool.inputSchema["properties"] for name, tool in tools.items()}
    assert asked["answer"]["kind"]["enum"] == ["label", "unsure", "skip", "unusable", "none", "adjudication"]
    assert asked["next_items"]["order"]["enum"] == list(get_args(Order))
    assert asked["start_export"]["format"]["enum"] == list(get_args(ExportFormat))
    assert asked["suggest"]["keep_picture"]["description"].endswith("Place, time and camera are taken out before.")
    assert "data:image/jpeg;base64" in asked["classify"]["picture"]["description"]
    assert "gradio_api/upload" in asked["classify"]["picture"]["description"]


def test_answers_are_json_of_the_schema_that_is_told(agent: Callable[..., Any], photograph: str) -> None:
    box = {"left": 0, "top": 0, "right": 0.5, "bottom": 0.5}
    calls = [
        ("about", {}),
        ("classify", {"picture": photograph}),
        ("classify", {"picture": photograph, "box": box}),
        ("classify", {"picture": photograph, "with_maps": True, "with_picture": True}),
        ("neighbours", {"picture": photograph, "taxa": ["nashville_warbler"]}),
        ("neighbours", {"picture": photograph, "taxa": ["nashville_warbler"], "with_thumbnails": True}),
        ("trust", {"picture": photograph, "a": "lowchen", "b": "eskimo_dog"}),
        ("methods", {"picture": photograph, "a": "lowchen", "b": "eskimo_dog", "with_maps": True}),
        ("search_taxa", {"query": "owl"}),
        ("explain", {"picture": photograph}),
        ("suggest", {"picture": photograph, "taxon": "owl"}),
        ("next_items", {"order": "new", "count": 2}),
        ("start_export", {"format": "csv"}),
        ("export_state", {}),
        ("same_place", {"picture": photograph, "a": "lowchen", "b": "nashville_warbler", "x": 0.4, "y": 0.6}),
    ]
    tools, replies = agent(*calls)
    schemas = {tool.name: tool.outputSchema for tool in tools}
    for (name, _), reply in zip(calls, replies, strict=True):
        assert not reply.isError, text_of(reply)
        Draft202012Validator(schemas[name]).validate(reply.structuredContent)
        assert json.loads(text_of(reply)) == reply.structuredContent
    short, full = replies[1].structuredContent, replies[3].structuredContent
    assert len(text_of(replies[1])) < 4000
    assert (full["display"][:23], len(full["candidates"][0]["evidence"])) == ("data:image/jpeg;base64,", 196)
    assert ("display" in short, "evidence" in short["candidates"][0]) == (False, False)
    few, all_of_them = (replies[at].structuredContent["nashville_warbler"][0] for at in (4, 5))
    assert ("thumbnail" in few, "thumbnail" in all_of_them) == (False, True)
    assert [one.mimeType for one in replies[9].content if isinstance(one, ImageContent)] == ["image/png"]


def test_the_sheet_is_where_the_answer_says(app: RunningApp, agent: Callable[..., Any], photograph: str) -> None:
    _, (reply,) = agent(("explain", {"picture": photograph}))
    found = HTTP.get(f"{app.url}{reply.structuredContent['file']}")
    assert (found.status_code, len(found.content)) == (200, reply.structuredContent["size_bytes"])


def test_an_upload_is_taken_and_the_page_of_a_question_is_answered(
    app: RunningApp, agent: Callable[..., Any], tmp_path: Path
) -> None:
    content = picture(tmp_path / "b.png", YELLOW, LIME).read_bytes()
    (path,) = HTTP.post(f"{app.url}gradio_api/upload", files={"files": ("b.png", content)}).json()
    _, (found,) = agent(("classify", {"picture": path}))
    assert found.structuredContent["answer"]["taxon"] == "warbler"


@pytest.mark.parametrize("name", ["http://1.2.3.4/a.png", "HTTPS://example.org/a", "ftp://a/b", "//example.org/a.png"])
def test_an_address_is_refused_in_a_sentence_that_says_how_to_send(agent: Callable[..., Any], name: str) -> None:
    _, (reply,) = agent(("classify", {"picture": name}))
    assert reply.isError
    assert "nothing is fetched" in text_of(reply)
    assert "data URL" in text_of(reply)


def test_mistakes_of_an_agent_are_one_sentence_and_nothing_in_the_log(
    agent: Callable[..., Any], photograph: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    calls = [
        ("classify", {}),
        ("classify", {"picture": photograph, "nope": 1}),
        ("classify", {"picture": 5}),
        ("classify", {"picture": "/etc/passwd"}),
        ("classify", {"picture": "data:image/png,x"}),
        ("classify", {"picture": "data:image/png;base64,!!"}),
        ("classify", {"picture": "data:;base64,QUJD"}),
        ("classify", {"picture": photograph, "box": {"left": 0.5}}),
        ("classify", {"picture": photograph, "asked": []}),
        ("classify", {"picture": photograph, "with_maps": "yes"}),
        ("classify", {"picture": {"path": "http://x"}}),
        ("next_items", {"order": "best"}),
        ("next_items", {"count": 99}),
        ("start_export", {"format": "pdf"}),
        ("answer", {"session": 1}),
        ("nothing", {}),
    ]
    for (name, asked), reply in zip(calls, agent(*calls)[1], strict=True):
        assert reply.isError, (name, asked)
        assert text_of(reply).endswith("."), text_of(reply)
        assert len(text_of(reply)) < 300
        assert "pydantic" not in text_of(reply)
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())


def test_a_docstring_is_read_whole() -> None:
    def function() -> None:
        """Does
        something.

        Parameters:
            a: one line
                and another: with a colon.
            b: short
        Returns:
            What
            comes.
        """

    read = docstring_of(function)
    assert (read.about, read.returns) == ("Does something.", "What comes.")
    assert read.parameters == {"a": "one line and another: with a colon.", "b": "short"}


# --- plain HTTP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("GET", f"call/about/{'0' * 32}", None, 404, "no question with this event_id"),
        ("GET", "call/v2/about/x", None, 404, "no question with this event_id"),
        ("GET", "call/nothing/x", None, 404, "no question “nothing”"),
        ("POST", "call/nothing", {"data": []}, 404, "no question “nothing”"),
        ("POST", "call/v2/nothing", {}, 404, "no question “nothing”"),
        ("POST", "call/v2/classify", {}, 400, "needs “picture”"),
        ("POST", "call/v2/classify", {"pictures": "x"}, 400, "“pictures” is no argument"),
        ("POST", "call/classify", {"data": []}, 400, "needs “picture”"),
        ("POST", "call/classify", {"data": [1] * 9}, 400, "at most 5"),
        ("POST", "call/classify", {"data": "x"}, 400, "must be a list"),
        ("POST", "call/classify", {}, 400, "must be a list"),
        ("DELETE", "call/classify", None, 405, "POST"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence_at_once(
    app: RunningApp, method: str, path: str, body: Any, status: int, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply = HTTP.request(method, f"{app.url}gradio_api/{path}", json=body)
    assert (reply.status_code, sentence in reply.json()["error"]) == (status, True), reply.text
    described = HTTP.get(f"{app.url}fgdemo/openapi.json").json()["paths"]
    told = described["/gradio_api/call/v2/classify"]["post"]["responses"]
    told = {**told, **described["/gradio_api/call/classify/{event_id}"]["get"]["responses"]}
    assert str(status) in told
    assert not caplog.records


def test_no_error_of_a_question_is_null(app: RunningApp) -> None:
    for name, asked in (
        ("classify", {"picture": 5}),
        ("trust", {"picture": None, "a": 1, "b": 2}),
        ("export_state", {}),
    ):
        event = HTTP.post(f"{app.url}gradio_api/call/v2/{name}", json=asked).json()["event_id"]
        stream = HTTP.get(f"{app.url}gradio_api/call/{name}/{event}").text
        assert stream.startswith("event: error\n"), stream
        assert json.loads(stream.partition("data: ")[2])["error"].endswith("."), stream
        status = 200
        for _ in range(50):  # it is collected when the server has seen that the stream was read to its end
            status = HTTP.get(f"{app.url}gradio_api/call/{name}/{event}").status_code
            if status == 404:
                break
        assert status == 404


def test_the_description_tells_every_argument_and_every_status(app: RunningApp) -> None:
    paths = HTTP.get(f"{app.url}fgdemo/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for question in methods.values():
            assert {"200", "404", "405", "429"} <= set(question["responses"]), path
            sent = question.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            assert all(told["description"] for told in sent.get("properties", {}).values()), path
    kind = paths["/gradio_api/call/v2/answer"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "adjudication" in kind["properties"]["kind"]["enum"]
