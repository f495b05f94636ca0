"""The Space as it would run: the folder of `deploy --dry-run` alone, with Spaces' variables, and its sign-in.

The Hub is a stand-in over HTTP. A Space is reached by https, which `Visitor` plays: it keeps cookies as a browser does,
and turns the Space's own https address into that of the server here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from fgdemo.cli import main
from fgdemo.storage.database.database import open_database
from fgdemo.storage.people.accounts import Accounts
from tests.support.hub_stand_in import Hub, hub_stand_in
from tests.support.hub_stand_in_oauth import space_variables

HOST = "lab-birds.hf.space"
PASSWORD = "long enough"
START_S = 240
"""So long the libraries may take to import on a machine that does much else."""
pytestmark = pytest.mark.timeout(START_S + 60)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **more: Any) -> None:
        return None


@dataclass
class Visitor:
    """A browser: its cookies for the Space, and no others."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.send(url, None, **headers)

    def send(self, url: str, body: object, **headers: str) -> tuple[int, dict[str, str], bytes]:
        url = urljoin(self.url, url).replace(f"https://{HOST}", self.url.rstrip("/"))
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        own = url.startswith(self.url)
        if own and self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            reply = opener.open(urllib.request.Request(url, data, headers), timeout=60)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:  # type: ignore[union-attr]
            for line in reply.headers.get_all("Set-Cookie") or [] if own else []:
                for name, cookie in SimpleCookie(line).items():
                    self.cookies[name] = cookie.value
            return int(reply.status or 0), {key.lower(): value for key, value in reply.headers.items()}, reply.read()

    def sign_in(self) -> str:
        """Follows all redirects of a sign-in with Hugging Face; gives where it ends."""
        url = "login/huggingface?_target_url=%2F%23label"
        for _ in range(6):
            status, headers, _ = self.get(url)
            if status not in (302, 303, 307):
                break
            url = headers["location"]
        return url

    def me(self, **headers: str) -> dict[str, Any]:
        return json.loads(self.get("fgdemo/me", **headers)[2])

    def ask(self, name: str, asked: dict[str, Any], **headers: str) -> dict[str, Any]:
        components = json.loads(self.get("config")[2])["components"]
        component = next(one["id"] for one in components if name in (one.get("props", {}).get("server_fns") or []))
        body = {"data": asked, "fn_name": name, "component_id": component, "session_hash": "x"}
        return json.loads(self.send("gradio_api/component_server", body, **headers)[2])


@dataclass(frozen=True)
class Space:
    url: str
    hub: Hub
    home: Path
    folder: Path
    log: Path


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """Started from its own folder, with an environment that is Spaces' and not ours."""
    root = tmp_path_factory.mktemp("space")
    folder, home, log = root / "app", root / "home", root / "log"
    home.mkdir()
    assert main(["deploy", "lab/birds", "--dry-run", str(folder)]) == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with hub_stand_in() as hub:
        hub.add_user("ada", token="hf_ada", orgs=["lab"])
        hub.add_user("mia", token="hf_mia")
        hub.add_user("bo", token="hf_bo", orgs=["birders"])
        hub.add_user("eve", token="hf_eve")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "SYSTEM": "spaces",
            "SPACE_ID": "lab/birds",
            "SPACE_HOST": HOST,
            "SPACE_AUTHOR_NAME": "lab",
            "SPACE_REPO_NAME": "birds",
            "SPACE_TITLE": "fgdemo",
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
            "FGDEMO_MAINTAINERS": "mia",
            "FGDEMO_EXPERTS": "Birders",
            "GRADIO_TEMP_DIR": str(root / "uploads"),
            **space_variables(hub),
        }
        with log.open("wb") as output:
            process = subprocess.Popen([sys.executable, "app.py"], cwd=folder, env=env, stdout=output, stderr=output)
        try:
            url = f"http://127.0.0.1:{port}/"
            deadline = time.monotonic() + START_S
            while True:
                try:
                    assert "model_version" in Visitor(url).ask("about", {})  # it waits for the model
                    break
                except OSError:
                    assert time.monotonic() < deadline, log.read_text(errors="replace")
                    assert process.poll() is None, log.read_text(errors="replace")
                    time.sleep(0.2)
            yield Space(url, hub, home / ".fgdemo", folder, log)
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def visitor(space: Space) -> Visitor:
    return Visitor(space.url)


def signed_in(space: Space, name: str) -> Visitor:
    visitor = Visitor(space.url)
    space.hub.extra["at_browser"] = f"hf_{name}"
    assert visitor.sign_in().endswith("/#label")
    return visitor


def test_the_page_is_there_and_knows_its_model(space: Space, visitor: Visitor) -> None:
    assert b"fgdemo" in visitor.get("")[2]
    assert visitor.ask("about", {})["kinds_known"] == 174
    assert visitor.me() == {"name": "visitor", "role": "visitor", "any_account": False, "hub_sign_in": True}
    assert (space.home / "fgdemo.sqlite").is_file()
    assert not list(space.folder.rglob("*.sqlite"))
    for path in ("app.py", "README.md", "checkpoints/field-guide/card.json"):
        for address in (f"gradio_api/file={path}", f"gradio_api/file={space.folder / path}"):
            assert visitor.get(address)[0] in (403, 404), address


@pytest.mark.parametrize(
    ("name", "role"), [("mia", "maintainer"), ("bo", "expert"), ("ada", "visitor"), ("eve", "visitor")]
)
def test_whoever_signs_in_with_hugging_face_is_what_the_settings_say(space: Space, name: str, role: str) -> None:
    visitor = signed_in(space, name)
    assert (visitor.me()["name"], visitor.me()["role"]) == (f"hf:{name}", role)
    assert ("code" in visitor.ask("label_open", {})) == (role == "visitor")
    assert ("code" in visitor.ask("people_list", {})) == (role != "maintainer")
    visitor.send("fgdemo/sign-out", {})
    assert visitor.me()["name"] == "visitor"
    assert visitor.ask("label_open", {})["code"] == "forbidden"


def test_an_account_of_the_same_name_is_another_person(space: Space) -> None:
    engine = open_database(f"sqlite:///{space.home / 'fgdemo.sqlite'}")
    accounts = Accounts(engine)
    accounts.add("mia", "expert", PASSWORD)
    visitor = Visitor(space.url)
    visitor.send("fgdemo/sign-in", {"name": "mia", "password": PASSWORD})
    assert (visitor.me()["name"], visitor.me()["role"]) == ("mia", "expert")
    assert signed_in(space, "mia").me()["name"] == "hf:mia"
    maintainer = signed_in(space, "mia")
    for name in ("hf:mia", "HF:mia", " hf: mia", "ｈｆ:mia", "owner"):
        asked = {"name": name, "role": "expert", "password": PASSWORD}
        assert maintainer.ask("people_add", asked)["code"] == "bad", name
    assert [account.name for account in accounts.all()] == ["mia"]
    engine.dispose()


def test_a_session_that_was_planted_is_worth_nothing_after_the_sign_in(space: Space) -> None:
    """Session fixation: whoever knows the cookie from before the sign-in is still nobody."""
    attacker = Visitor(space.url)
    attacker.get("login/huggingface")
    planted = dict(attacker.cookies)
    assert planted
    victim = Visitor(space.url, dict(planted))
    space.hub.extra["at_browser"] = "hf_mia"
    victim.sign_in()
    assert victim.me()["name"] == "hf:mia"
    assert victim.cookies != planted
    assert Visitor(space.url, planted).me()["name"] == "visitor"


def test_nobody_is_signed_in_as_somebody_else_by_a_link(space: Space) -> None:
    """The state of a sign-in belongs to the browser that began it: a callback that another one began is nothing."""
    attacker = Visitor(space.url)
    space.hub.extra["at_browser"] = "hf_eve"
    to_hub = attacker.get("login/huggingface")[1]["location"]
    callback = attacker.get(to_hub)[1]["location"]
    assert parse_qs(urlsplit(callback).query)["code"]
    victim = Visitor(space.url)
    victim.get(callback)
    assert victim.me()["name"] == "visitor"


def test_forged_and_foreign_sessions_are_nobodys(space: Space) -> None:
    visitor = signed_in(space, "mia")
    body, dot, rest = visitor.cookies["session"].partition(".")
    forged = Visitor(space.url, {"session": body[:-2] + ("AA" if body[-2:] != "AA" else "BB") + dot + rest})
    assert forged.me()["name"] == "visitor"
    for headers in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
    ):
        assert visitor.me(**headers)["name"] == "visitor", headers
        assert visitor.ask("people_list", {}, **headers)["code"] == "forbidden", headers
    for headers in ({"Sec_Fetch_Site": "same-origin"}, {"Origin": space.url.rstrip("/")}):
        assert visitor.me(**headers)["name"] == "hf:mia", headers


def test_what_people_of_the_hub_do_is_written_down_in_their_name(space: Space) -> None:
    maintainer = signed_in(space, "mia")
    asked = {"name": "kim", "role": "expert", "password": PASSWORD}
    assert maintainer.ask("people_add", asked)["people"]
    from fgdemo.storage.people.audit import Audit

    engine = open_database(f"sqlite:///{space.home / 'fgdemo.sqlite'}")
    newest = Audit(engine).newest(1)[0]
    assert (newest.person, newest.role, newest.about) == ("hf:mia", "maintainer", "kim: added as expert")
    engine.dispose()


def test_no_token_or_secret_is_in_the_log(space: Space) -> None:
    signed_in(space, "mia")
    text = space.log.read_text(errors="replace")
    assert not [secret for secret in ("hf_mia", "stand-in-secret", "hf_bo") if secret in text]
