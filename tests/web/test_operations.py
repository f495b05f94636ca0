"""Health, figures, log lines and the description of the API: what machines ask of a running server."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from docs.generate import http
from fgdemo import __version__
from fgdemo.logs import Asking, configure_logs, now_asking
from fgdemo.services.exchange.mirroring import Mirroring
from fgdemo.services.operating.operations import Operations
from fgdemo.storage.database.database import open_database
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.web.http.observed import asking_of, route_of
from tests.store.test_mirror import label
from tests.support.browser_app import RunningApp, running_app
from tests.support.mirroring import mirror_of
from tests.support.postgres import Cluster
from tests.support.workspace import open_fake_workspace, some_pictures


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with running_app(tmp_path_factory.mktemp("home")) as running:
        running.workspace.take_in(some_pictures(4, 1))
        running.workspace.learner.refresh()
        yield running


@pytest.fixture(scope="module")
def scraper(app: RunningApp) -> httpx.Client:
    """Has a token that may do nothing that a visitor may not, but read the figures."""
    secret = app.accounts.tokens.add("scraper", "visitor")
    return httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {secret}"}, timeout=60)


def figures(scraper: httpx.Client) -> dict[tuple[str, str], float]:
    """(name, labels) → value, as Prometheus itself reads them."""
    reply = scraper.get("metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def test_health_of_a_server_that_answers(app: RunningApp) -> None:
    health = httpx.get(f"{app.url}healthz")
    assert health.status_code == 200
    assert health.json() == {"ready": True, "version": __version__, "model_version": "fake-00000000"}
    assert health.headers["cache-control"] == "no-store"


def test_a_token_says_who_asks_and_an_unknown_one_is_refused(app: RunningApp) -> None:
    secret = app.accounts.tokens.add("field robot", "expert")
    told = {}
    for sent in (secret, secret[:-1], "hf_of_a_private_space"):
        reply = httpx.get(f"{app.url}fgdemo/me", headers={"Authorization": f"Bearer {sent}"})
        told[sent] = (reply.status_code, reply.json().get("name"))
    assert list(told.values()) == [(200, "field robot"), (403, None), (200, "visitor")]


def test_health_when_the_file_of_the_database_has_gone(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    operations = Operations(engine, "model-1")
    assert operations.health().ready
    (tmp_path / "a.sqlite").unlink()
    health = operations.health()
    assert not health.ready
    assert "no longer there" in health.reason
    assert str(tmp_path) not in health.reason


def test_health_while_the_database_server_is_away(postgres: Cluster) -> None:
    operations = Operations(open_database(postgres.new_database()), "model-1")
    assert operations.health().ready
    postgres.stop()
    try:
        health = operations.health()
    finally:
        postgres.start()
    assert not health.ready
    assert "does not answer" in health.reason
    assert str(postgres.folder) not in health.reason
    assert operations.health().ready


def test_figures_are_counted(app: RunningApp, scraper: httpx.Client) -> None:
    before = figures(scraper)
    assert before["fgdemo_ready", ""] == 1
    assert before["fgdemo_model_info", "version=fake-00000000"] == 1
    assert before["fgdemo_label_events_total", "kind=import"] == 13
    assert before["process_resident_memory_bytes", ""] > 1e6
    image = app.workspace.roster.image_ids[0]
    app.events.append(LabelEvent(image, "none", "ada"))
    assert httpx.get(f"{app.url}fgdemo/pictures/{image}/display").status_code == 403
    assert httpx.request("BREW", f"{app.url}nowhere/{image}").status_code in (404, 405)
    after = figures(scraper)
    assert after["fgdemo_label_events_total", "kind=none"] == 1
    assert after["fgdemo_label_events_total", "kind=import"] == 13
    assert after["fgdemo_requests_total", "method=GET,route=fgdemo/pictures,status=403"] == 1
    assert after["fgdemo_request_seconds_count", "route=metrics"] == 1
    assert ("fgdemo_trainings", "state=running") in after
    assert ("fgdemo_queue_length", "") in after
    assert image not in str(after), "no label grows with what is asked for"
    assert "BREW" not in str(after)


def test_how_far_the_backup_is_and_that_it_fails_without_saying_why(tmp_path: Path) -> None:
    workspace = open_fake_workspace(tmp_path / "home")
    workspace.take_in(some_pictures(2, 0))
    place = tmp_path / "mirror"
    mirroring = Mirroring(mirror_of(tmp_path / "home", str(place)))
    with running_app(tmp_path / "home", mirroring=mirroring) as app:
        label(workspace, workspace.roster.image_ids[0], "ada", "lowchen")
        waiting = {"failing": False, "waiting": 1, "elapsed_s": None}
        assert httpx.get(f"{app.url}healthz").json()["backup"] == waiting
        place.write_text("a file where the mirror should be")
        mirroring.start()
        mirroring.stop()
        health = httpx.get(f"{app.url}healthz")
        assert (health.status_code, health.json()["backup"]) == (200, {**waiting, "failing": True})
        assert str(place) not in health.text
        place.unlink()
        mirroring.start()
        mirroring.stop()
        told = httpx.get(f"{app.url}healthz").json()["backup"]
        assert (told["failing"], told["waiting"]) == (False, 0)
        assert 0 <= told["elapsed_s"] < 60
        token = app.accounts.tokens.add("scraper", "visitor")
        found = figures(httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token}"}))
    assert (found["fgdemo_mirror_waiting", ""], found["fgdemo_mirror_failing", ""]) == (0, 0)
    assert found["fgdemo_mirror_age_seconds", ""] >= 0


def test_questions_are_counted_by_how_they_ended(app: RunningApp, scraper: httpx.Client) -> None:
    components = httpx.get(f"{app.url}config").json()["components"]
    page = next(c["id"] for c in components if "label_open" in (c["props"].get("server_fns") or []))
    secret = app.accounts.tokens.add("expert", "expert")
    for headers in ({}, {"Authorization": f"Bearer {secret}"}):
        body = {"data": {}, "fn_name": "label_open", "component_id": page, "session_hash": "x"}
        httpx.post(f"{app.url}gradio_api/component_server", json=body, headers=headers)
    found = figures(scraper)
    assert found["fgdemo_questions_total", "outcome=forbidden,question=label_open"] == 1
    assert found["fgdemo_questions_total", "outcome=ok,question=label_open"] == 1
    assert found["fgdemo_question_seconds_count", "question=label_open"] == 2


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "page"),
        ("/fgdemo/pictures/abc/display", "fgdemo/pictures"),
        ("/fgdemo/pictures.csv", "fgdemo/pictures.csv"),
        ("/fgdemo-static/1/shared/base.css", "fgdemo-static"),
        ("/gradio_api/file=/tmp/holiday.png", "gradio_api/file"),
        ("/gradio_api/queue/join", "gradio_api/queue"),
        ("/metricsx", "other"),
        ("/etc/passwd", "other"),
    ],
)
def test_a_route_is_one_of_few_groups(path: str, route: str) -> None:
    assert route_of(path) == route


def test_what_is_logged_while_answering_carries_the_id_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    configure_logs("json")
    token = now_asking.set(Asking("abc", person="ada", question="label_answer"))
    try:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logging.getLogger("fgdemo.x").exception("%s failed", "label_answer")
    finally:
        now_asking.reset(token)
    logging.getLogger("fgdemo.x").info("later")
    configure_logs("plain")
    logging.getLogger("fgdemo.requests").info("not for a person at a terminal")
    logging.getLogger("fgdemo.x").warning("for a person")
    first, second, plain = out.getvalue().splitlines()
    line = json.loads(first)
    assert (line["request_id"], line["person"], line["question"]) == ("abc", "ada", "label_answer")
    assert line["message"] == "label_answer failed"
    assert "two\nlines" in line["traceback"]
    assert "request_id" not in json.loads(second)
    assert plain.endswith("WARNING fgdemo.x: for a person")


def test_a_request_that_did_not_pass_the_middleware_is_noted_nowhere() -> None:
    asking_of(object()).count("question", "ok", 0.1)


def test_the_description_of_the_api_names_every_endpoint_and_is_valid(app: RunningApp) -> None:
    described = httpx.get(f"{app.url}fgdemo/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    named = httpx.get(f"{app.url}gradio_api/info").json()["named_endpoints"]
    for name in (path.strip("/") for path in named):
        begin = described["paths"][f"/gradio_api/call/v2/{name}"]["post"]
        assert begin["operationId"] == name
        assert begin["summary"].endswith(".")
        assert described["paths"][f"/gradio_api/call/{name}/{{event_id}}"]["get"]
    assert {question.name for _, question in http.questions()} == {path.strip("/") for path in named}  # of the docs
    answer = described["paths"]["/gradio_api/call/v2/answer"]["post"]["requestBody"]["content"]["application/json"]
    assert set(answer["schema"]["required"]) == {"session", "image", "kind", "shown_version", "key"}
    stream = described["paths"]["/gradio_api/call/answer/{event_id}"]["get"]["responses"]["200"]["content"]
    (value,) = stream["text/event-stream"]["schema"]["contentSchema"]["prefixItems"]
    assert set(value["properties"]) == {"saved", "stale", "sentence"}
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and operation["responses"] for operation in operations)


def test_figures_count_only_what_is_new(tmp_path: Path) -> None:
    workspace = open_fake_workspace(tmp_path)
    workspace.take_in(some_pictures(2, 0))
    operations = Operations(workspace.engine, "model-1")
    assert operations.figures().events == {"import": 6}
    assert operations.figures().events == {"import": 6}
    workspace.events.append(LabelEvent(workspace.events.since(0)[0].image, "unsure", "ada"))
    assert operations.figures().events == {"import": 6, "unsure": 1}
    assert operations.figures().trainings == {"waiting": 0, "running": 0}
    workspace.engine.dispose()
