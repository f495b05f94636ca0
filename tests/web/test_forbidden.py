"""Who may ask what. Questions and addresses are taken from the app itself, so that no new one can be forgotten."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import httpx
import pytest
from starlette.routing import Mount, Route

from fgdemo.services.review import Shown
from fgdemo.storage.database.database import utc_now
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.pictures.images import data_url
from fgdemo.values.annotation import Person, Publication, Role
from fgdemo.web.http.identity import COOKIE
from fgdemo.web.page import launch_options
from tests.support.browser_app import RunningApp, running_app
from tests.support.workspace import some_pictures

FOR_EVERYBODY = {
    "about",
    "classify",
    "explain",
    "spread",
    "trust",
    "methods",
    "measure_methods",
    "neighbours",
    "compare",
    "same_place",
    "cards",
    "search_taxa",
    "suggest",
    "my_picture",
    "forget_picture",
}
IN_THE_API = FOR_EVERYBODY - {"my_picture", "measure_methods", "compare", "cards"}
ENDPOINTS_FOR_EXPERTS = {"next_items", "answer"}
ENDPOINTS_FOR_MAINTAINERS = {"start_export", "export_state"}
ADDRESSES_FOR_EVERYBODY = {
    *("/", "/fgdemo/sign-in", "/fgdemo/sign-out", "/fgdemo/me", "/healthz", "/fgdemo/openapi.json"),
    "/gradio_api/mcp/schema",
}
FOR_MAINTAINERS = ("/fgdemo/data/", "/metrics")
OF_A_SESSION = {"label_report", "label_close", "label_next", "label_answer", "label_undo"}
OF_NO_SESSION = {
    "label_open",
    "label_start",
    "label_new_taxon",
    "label_search",
    "label_explain",
    "label_spread",
    "label_references",
    "label_cards",
    "label_history",
}
PASSWORD = "long enough"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home")) as running:
        people: dict[str, Role] = {
            "ada": "expert",
            "bo": "expert",
            "shut": "expert",
            "guest": "visitor",
            "mia": "maintainer",
        }
        for name, role in people.items():
            running.accounts.add(name, role, PASSWORD)
        running.workspace.take_in(some_pictures(8, 3))
        running.workspace.learner.refresh()
        yield running


def http(url: str, body: object = None, token: str | None = None, method: str | None = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"Cookie": f"{COOKIE}={token}"} if token else {})}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as reply:
            status, text = reply.status, reply.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text[:1] in (b"{", b"[") else text


def questions(app: RunningApp) -> dict[str, int]:
    """Every server function of the page, and the component that it belongs to."""
    components = http(f"{app.url}config")[1]["components"]
    return {name: one["id"] for one in components for name in one.get("props", {}).get("server_fns") or []}


def ask(app: RunningApp, name: str, asked: dict[str, Any], token: str | None) -> dict[str, Any]:
    body = {"data": asked, "fn_name": name, "component_id": questions(app)[name], "session_hash": "x"}
    status, reply = http(f"{app.url}gradio_api/component_server", body, token)
    assert status == 200
    return reply


def intruders(app: RunningApp) -> dict[str, str | None]:
    """The token that each of those sends who may not do what experts may."""
    app.accounts.disable("shut", False)
    shut = app.accounts.sign_in("shut", PASSWORD)
    app.accounts.disable("shut")
    signed_out = app.accounts.sign_in("ada", PASSWORD)
    app.accounts.sign_out(signed_out)
    engine = app.workspace.engine
    return {
        "nobody": None,
        "a guess": "x" * 43,
        "a forged one": f"{app.accounts.sign_in('ada', PASSWORD)[:-1]}!",
        "an old one": Accounts(engine, lambda: utc_now() - timedelta(days=31)).sign_in("ada", PASSWORD),
        "a disabled account": shut,
        "somebody who signed out": signed_out,
        "a visitor with an account": app.accounts.sign_in("guest", PASSWORD),
    }


@pytest.mark.timeout(120)
def test_every_question_refuses_everybody_but_experts(app: RunningApp) -> None:
    asked = set(questions(app)) - FOR_EVERYBODY
    assert len(asked) >= 17
    before = app.events.since(0)
    for who, token in intruders(app).items():
        for name in asked:
            reply = ask(app, name, {"session": 1}, token)
            assert (reply.get("code"), set(reply)) == ("forbidden", {"code", "error"}), f"{name} for {who}"
    assert app.events.since(0) == before


def test_visitors_are_shown_published_pictures_and_no_other(app: RunningApp) -> None:
    """Whatever question they ask, and wherever they look."""
    workspace, mia = app.workspace, Person("mia", "maintainer")
    workspace.roster.follow()
    ids, taxa = list(workspace.roster.image_ids), ["nashville_warbler", "mourning_warbler"]
    secret = {image: data_url(workspace.images.thumbnail(image)) for image in ids}
    file = workspace.images.read(ids[0])
    sent = httpx.post(f"{app.url}gradio_api/upload", files={"files": ("w.png", file)}).json()[0]
    asked = {"path": sent, "name": "w", "a": taxa[0], "b": taxa[1], "taxa": taxa, "methods": ["evidence"]}
    asked |= {"query": "warbler", "model_version": "m", "taxon": taxa[0], "receipt": "x"}
    program = {"picture": {"path": sent, "meta": {"_type": "gradio.FileData"}}, "taxa": taxa}

    def leaked(token: str | None) -> set[str]:
        replies = [json.dumps(ask(app, name, asked, token)) for name in sorted(FOR_EVERYBODY & set(questions(app)))]
        headers = {"Cookie": f"{COOKIE}={token}"} if token else {}
        replies.append(ask_as_a_program(app, "neighbours", program, headers))
        assert "event: complete" in replies[-1]
        told = "".join(replies)
        seen = {image for image in ids[1:] if image in told or secret[image] in told}
        for size in ("display", "thumbnail"):
            for image in ids:
                status, reply = http(f"{app.url}fgdemo/pictures/{image}/{size}", token=token)
                assert (status, set(reply)) == (403, {"error"}) or reply.startswith(b"\xff\xd8")
                seen |= {image} if status == 200 else set()
        return seen

    expert = app.accounts.sign_in("ada", PASSWORD)
    some = [image for image in ids[1:] if workspace.roster.standing(image).taxon == taxa[0]][:2]
    strangers = {who: intruders(app)[who] for who in ("nobody", "a forged one", "a visitor with an account")}
    for token in strangers.values():
        assert leaked(token) == set()
    assert len(leaked(expert)) == len(ids)
    shown = [Shown(image, workspace.roster.standing(image).version) for image in some]
    app.services.review.publish(mia, shown, Publication("Mia Miller", "CC BY 4.0"), "all of them")
    near = ask(app, "neighbours", asked, None)[taxa[0]]
    assert {one["image_id"] for one in near} == set(some)
    assert {(one["publication"]["credit"], one["publication"]["licence"]) for one in near} == {
        ("Mia Miller", "CC BY 4.0")
    }
    for token in strangers.values():
        assert leaked(token) == set(some)
    with httpx.Client() as client:
        reply = client.get(f"{app.url}fgdemo/pictures/{some[0]}/display")
        assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    app.services.review.publish(mia, shown, None, "none of them")
    assert leaked(None) == set()


def test_what_is_for_maintainers_refuses_experts(app: RunningApp) -> None:
    expert = app.accounts.sign_in("ada", PASSWORD)
    theirs = {name for name in questions(app) if name.startswith(("data_", "people_", "train_", "review_publish"))}
    assert len(theirs) >= 23
    people = app.accounts.all()
    for name in theirs:
        asked = {
            "name": "guest",
            "role": "maintainer",
            "password": PASSWORD,
            "location": "/",
            "format": "csv",
            "about": "",
            "preset": "quick",
            "job": 1,
            "version": "fake-00000000",
            "items": [],
            "key": "k",
            "run": "x",
            "asked": "x",
            "images": ["x"],
        }
        assert ask(app, name, asked, expert).get("code") == "forbidden", name
    assert app.accounts.all() == people


def test_every_address_refuses_everybody_but_experts(app: RunningApp) -> None:
    image = app.workspace.roster.image_ids[0]
    ours = [
        route
        for route in launch_options(app.services)["app_kwargs"]["routes"]
        if isinstance(route, (Route, Mount)) and not route.path.startswith("/fgdemo-static/")
    ]
    closed = [route for route in ours if route.path not in ADDRESSES_FOR_EVERYBODY]
    assert len(closed) >= 2
    expert, maintainer = (app.accounts.sign_in(name, PASSWORD) for name in ("ada", "mia"))
    for route in closed:
        assert isinstance(route, Route)
        methods = (route.methods or set()) - {"HEAD"}
        path = route.path.replace("{image}", image).replace("{size}", "display")
        path = path.replace("{batch}", "0" * 32).replace("{which}", "export")
        assert "{" not in path, "say here what the address of the new route looks like"
        for who, token in intruders(app).items():
            for method in methods:
                body = None if method == "GET" else {}
                status, reply = http(f"{app.url.rstrip('/')}{path}", body, token, method)
                assert (status, set(reply)) == (403, {"error"}), f"{route.path} for {who}"
        body = None if "GET" in methods else {}
        token = maintainer if path.startswith(FOR_MAINTAINERS) else expert
        assert http(f"{app.url.rstrip('/')}{path}", body, token, min(methods))[0] != 403
        if token == maintainer:
            assert http(f"{app.url.rstrip('/')}{path}", body, expert, min(methods))[0] == 403


def test_experts_get_pictures_of_our_own_making_and_the_table(app: RunningApp) -> None:
    expert, image = app.accounts.sign_in("ada", PASSWORD), app.workspace.roster.image_ids[0]
    for size in ("display", "thumbnail"):
        assert http(f"{app.url}fgdemo/pictures/{image}/{size}", token=expert)[1].startswith(b"\xff\xd8")
    for nowhere in (
        f"{'../' * 8}etc/passwd/display",
        f"{image}/original",
        f"{image[:-1]}x/display",
        f"{'0' * 64}/display",
    ):
        assert http(f"{app.url}fgdemo/pictures/{nowhere}", token=expert)[0] == 404
    table = http(f"{app.url}fgdemo/pictures.csv", token=expert)[1]
    assert table.count(b"\n") == 1 + len(app.workspace.roster)


def test_signing_in_and_out_take_json_only_and_a_form_of_another_site_cannot_send_it(app: RunningApp) -> None:
    for path in ("sign-in", "sign-out"):
        request = urllib.request.Request(f"{app.url}fgdemo/{path}", b"name=ada&password=long+enough")
        with pytest.raises(urllib.error.HTTPError, match="415"):
            urllib.request.urlopen(request)
    assert http(f"{app.url}fgdemo/me")[1] == {
        "name": "visitor",
        "role": "visitor",
        "any_account": True,
        "hub_sign_in": False,
    }
    token = app.accounts.sign_in("ada", PASSWORD)
    assert http(f"{app.url}fgdemo/me", token=token)[1]["name"] == "ada"
    assert http(f"{app.url}fgdemo/sign-out", {}, token)[1]["name"] == "visitor"
    assert http(f"{app.url}fgdemo/me", token=token)[1]["name"] == "visitor"


def ask_as_a_program(app: RunningApp, name: str, asked: dict[str, Any], headers: dict[str, str]) -> str:
    """The event stream that answers."""
    with httpx.Client(base_url=app.url, headers=headers, timeout=60) as client:
        event = client.post(f"gradio_api/call/v2/{name}", json=asked).json()["event_id"]
        return client.get(f"gradio_api/call/{name}/{event}").text


def test_endpoints_of_programs_check_the_role_themselves(app: RunningApp) -> None:
    """Events of Gradio's queue have no role: each one must be a question for everybody, or refuse by itself."""
    events = {event["api_name"] for event in http(f"{app.url}config")[1]["dependencies"]}
    closed = ENDPOINTS_FOR_EXPERTS | ENDPOINTS_FOR_MAINTAINERS
    assert events == IN_THE_API | closed
    asked = {
        "next_items": {},
        "answer": {"session": 1, "image": "0" * 64, "kind": "none", "shown_version": 0, "key": "k"},
        "start_export": {"format": "csv"},
        "export_state": {},
    }
    senders = {who: {"Cookie": f"{COOKIE}={token}"} for who, token in intruders(app).items()}
    secrets = {role: app.accounts.tokens.add(f"a {role}'s program", role) for role in get_args(Role)}
    by_token = {role: {"Authorization": f"Bearer {secret}"} for role, secret in secrets.items()}
    unknown = {"Authorization": f"Bearer {secrets['maintainer'][:-1]}!"}
    before = app.events.since(0)
    for name in closed:
        refused = [*senders.values(), by_token["visitor"], unknown]
        for headers in [*refused, *([by_token["expert"]] if name in ENDPOINTS_FOR_MAINTAINERS else [])]:
            assert "event: error" in ask_as_a_program(app, name, asked[name], headers), (name, headers)
    assert app.events.since(0) == before
    assert app.services.transfers.now(Person("mia", "maintainer")) is None
    assert "event: complete" in ask_as_a_program(app, "next_items", {}, by_token["expert"])
    assert "event: complete" in ask_as_a_program(app, "start_export", {"format": "csv"}, by_token["maintainer"])
    app.services.transfers.wait()


def test_nobody_works_in_the_session_of_another(app: RunningApp) -> None:
    ada, bo = (app.accounts.sign_in(name, PASSWORD) for name in ("ada", "bo"))
    assert {name for name in questions(app) if name.startswith("label_")} == OF_A_SESSION | OF_NO_SESSION
    session = ask(app, "label_start", {"order": "new"}, ada)["session"]["id"]
    (item,) = ask(app, "label_next", {"session": session, "count": 1}, ada)["items"]
    answer = {"session": session, "image": item["image"], "shown_version": item["version"], "key": "k", "kind": "none"}
    before = app.events.since(0)
    for name in OF_A_SESSION:
        reply = ask(app, name, {**answer, "count": 1}, bo)
        assert (reply.get("code"), set(reply)) == ("forbidden", {"code", "error"}), name
    assert app.events.since(0) == before
    assert ask(app, "label_answer", answer, ada)["saved"]
    # With his own session he cannot take her answer back either, nor say anything in her name.
    own = ask(app, "label_start", {"order": "new"}, bo)["session"]["id"]
    assert ask(app, "label_undo", {"session": own}, bo) == {"nothing": True}
    reply = ask(app, "label_answer", {**answer, "session": own, "annotator": "ada"}, bo)
    assert "the key of another" in reply["error"]
    assert app.workspace.roster.standing(item["image"]).annotator == "ada"


def test_a_second_opinion_is_blind_whatever_the_label_page_is_asked(app: RunningApp) -> None:
    ada, bo = (app.accounts.sign_in(name, PASSWORD) for name in ("ada", "bo"))
    first = ask(app, "label_start", {"order": "new"}, ada)["session"]["id"]
    (seen,) = ask(app, "label_next", {"session": first, "count": 1}, ada)["items"]
    said = {"session": first, "image": seen["image"], "shown_version": seen["version"], "key": "one", "kind": "label"}
    assert ask(app, "label_answer", {**said, "taxon": "lowchen", "reason": seen["reason"]}, ada)["saved"]
    own = ask(app, "label_start", {"order": "new", "blind_share": 1}, bo)["session"]["id"]
    (item,) = ask(app, "label_next", {"session": own, "count": 1}, bo)["items"]
    assert (item["reason"], item["image"], item["given"]) == ("second", seen["image"], None)
    asked = {"image": item["image"]}
    for question in ("label_history", "review_history"):
        assert ask(app, question, asked, bo)["code"] == "forbidden", question
        assert [one["annotator"] for one in ask(app, question, asked, ada)["events"]][-1] == "ada"
    blind = {**said, "session": own, "key": "two", "shown_version": item["version"], "taxon": "eskimo_dog"}
    refused = ask(app, "label_answer", {**blind, "reason": "whatever", "blind": True}, bo)
    assert refused["code"] == "bad"
    assert ask(app, "label_answer", {**blind, "reason": "second", "blind": True}, bo)["saved"]
    assert {one["annotator"] for one in ask(app, "label_history", asked, bo)["events"]} == {"import", "ada", "bo"}


def test_nobody_takes_back_the_batch_of_another(app: RunningApp) -> None:
    ada, bo = (app.accounts.sign_in(name, PASSWORD) for name in ("ada", "bo"))
    tile = ask(app, "review_grid", {"state": "unchecked"}, ada)["tiles"][0]
    chosen = {"items": [{"image": tile["image"], "version": tile["version"]}], "answer": "unusable", "key": "b"}
    batch = ask(app, "review_answer", chosen, ada)["batch"]
    assert ask(app, "review_undo", {"batch": batch}, bo)["code"] == "forbidden"
    assert app.workspace.roster.standing(tile["image"]).kind == "unusable"
    assert ask(app, "review_undo", {"batch": batch}, ada)["tiles"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5000,
        b"\xff",
        b"{",
        b"[]",
        b'{"name": 5}',
        b'{"name": "ada", "password": ["x"]}',
        b'{"name": "ada\\ud800", "password": "\\ud800"}',
        b'{"name": "a\\u0000", "password": "x"}',
        b'{"name": "' + b"x" * 20_000 + b'"}',
    ],
)
def test_whatever_is_sent_to_sign_in_is_refused_in_a_sentence(app: RunningApp, body: bytes) -> None:
    request = urllib.request.Request(f"{app.url}fgdemo/sign-in", body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 403
    assert re.fullmatch(r"[A-Z“][^{}<>]+\.", json.loads(caught.value.read())["error"])
