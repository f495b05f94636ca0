"""The files for an own server. No container is run here: what they say is checked, and their commands are run."""

from __future__ import annotations

import ast
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sqlalchemy.engine import make_url

from docs.generate import command_line
from fgdemo.settings import REPOSITORY, Settings
from tests.support.browser_app import running_app

LINES = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
STEPS = [line.split(maxsplit=1) for line in LINES if line.strip() and not line.startswith("#")]
COMPOSE = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))


def step(name: str) -> str:
    return [text for word, text in STEPS if word == name][-1]


def test_every_step_is_one_that_docker_knows() -> None:
    known = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {word for word, _ in STEPS} == known
    assert STEPS[0][0] == "FROM"
    for source in (text.split()[0] for word, text in STEPS if word == "COPY"):
        assert (REPOSITORY / source).exists()


def test_the_server_runs_without_rights_and_gets_the_signals_itself() -> None:
    words = [word for word, _ in STEPS]
    assert words.index("USER") < words.index("CMD")
    assert step("USER") == "fgdemo"
    command = ast.literal_eval(step("CMD"))  # a list, so no shell stands between Docker and us
    assert command[:3] == ["python", "-m", "fgdemo"]
    command_line.parse(command[3:])


def test_its_settings_are_ours(tmp_path: Path) -> None:
    given = dict(re.findall(r"(\w+)=(\S*)", " ".join(text for word, text in STEPS if word == "ENV")))
    settings = Settings.from_env(given)
    assert str(settings.home) == given["FGDEMO_HOME"] == step("VOLUME")
    assert settings.log == "json"
    ours = {name for name in given if name.startswith("FGDEMO_")}
    assert ours <= set(settings.variables({}))


def test_the_health_check_tells_a_server_that_answers_from_one_that_does_not(tmp_path: Path) -> None:
    check = ast.literal_eval(step("HEALTHCHECK").partition("CMD ")[2])
    asked = [sys.executable, *check[1:-1]]
    with running_app(tmp_path) as app:
        alive = check[-1].replace("http://127.0.0.1:7860/", app.url)
        assert subprocess.run([*asked, alive], capture_output=True).returncode == 0
    with socket.socket() as silent:  # its port is taken, so that nobody else answers there
        silent.bind(("127.0.0.1", 0))
        dead = check[-1].replace(":7860/", f":{silent.getsockname()[1]}/")
        assert subprocess.run([*asked, dead], capture_output=True).returncode == 1


def test_compose_puts_the_app_beside_a_database_that_keeps_what_it_has() -> None:
    app, database = COMPOSE["services"]["app"], COMPOSE["services"]["database"]
    url = make_url(app["environment"]["DATABASE_URL"].replace("${POSTGRES_PASSWORD:?choose a password}", "secret"))
    told = database["environment"]
    assert (url.host, url.username, url.database) == ("database", told["POSTGRES_USER"], told["POSTGRES_DB"])
    assert app["depends_on"]["database"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"][0] == "CMD-SHELL"
    for service in (app, database):
        (volume,) = service["volumes"]
        assert volume.split(":")[0] in COMPOSE["volumes"]
    assert app["volumes"][0].split(":")[1] == step("VOLUME")
    assert int(app["stop_grace_period"].removesuffix("s")) > 10
    assert app["ports"][0].endswith(f":{step('EXPOSE')}")
    assert "secret" not in (REPOSITORY / "compose.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [".git", ".venv", "tests", "benchmarks", "a.sqlite"])
def test_what_does_not_belong_in_an_image_stays_out(name: str) -> None:
    patterns = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert any(Path(name).match(pattern.removeprefix("**/")) for pattern in patterns if not pattern.startswith("#"))
