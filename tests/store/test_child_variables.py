"""What the process of a training is given: by a list, wherever the server was started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fgdemo.settings import REPOSITORY, Settings, training_variables

SECRETS = {
    "OAUTH_CLIENT_SECRET": "x",
    "HF_TOKEN": "x",
    "HUGGING_FACE_HUB_TOKEN": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "GRADIO_TEMP_DIR": "/x",
    "GRADIO_ALLOWED_PATHS": "/",
    "PYTHONSTARTUP": "/x.py",
    "PYTHONINSPECT": "1",
    "LD_PRELOAD": "/x.so",
    "GITHUB_TOKEN": "x",
    "MY_API_KEY": "x",
    "FGDEMO_MIRROR": "s3://key:secret@x",
    "FGDEMO_MAINTAINERS": "ada",
    "HF_HUB_DOWNLOAD_TOKEN": "x",
    "OPENID_PROVIDER_URL": "x",
    "PYTHONBREAKPOINT": "os.system",
}
NEEDED = {
    "PATH": "/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C",
    "CUDA_VISIBLE_DEVICES": "1",
    "OMP_NUM_THREADS": "2",
    "HF_HOME": "/cache",
    "HF_ENDPOINT": "https://hub",
    "TORCH_HOME": "/torch",
    "https_proxy": "http://proxy",
    "SPACE_ID": "ada/page",
}


def test_a_training_gets_what_it_needs_and_no_secret(tmp_path: Path) -> None:
    settings = Settings.from_env({**SECRETS, **NEEDED, "FGDEMO_HOME": str(tmp_path), "FGDEMO_DEVICE": "cpu"})
    given = training_variables(settings, {**SECRETS, **NEEDED})
    assert not set(SECRETS) & set(given)
    assert {name: given[name] for name in NEEDED} == NEEDED
    assert "x" not in given.values()


def test_it_finds_the_same_files_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env = {"FGDEMO_CHECKPOINT": "mine", "DATABASE_URL": "sqlite:///here.sqlite", "FGDEMO_HOME": "home"}
    given = training_variables(Settings.from_env(env), {})
    assert given["FGDEMO_CHECKPOINT"] == str(tmp_path / "mine")
    assert given["DATABASE_URL"] == f"sqlite:///{tmp_path / 'here.sqlite'}"
    assert given["FGDEMO_HOME"] == str(tmp_path / "home")


def test_a_module_in_the_folder_where_the_server_was_started_is_not_run(tmp_path: Path) -> None:
    for name in ("torch", "json", "fgdemo", "sqlalchemy"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')")
    code = (
        "import pathlib, sys; sys.path[0] = sys.argv[1]\n"
        "from fgdemo.settings import Settings\n"
        "from fgdemo.services.training.process import COMMAND, Processes\n"
        "from fgdemo.storage.database.database import open_database\n"
        "from fgdemo.storage.trainings.job_files import JobFiles\n"
        "from fgdemo.storage.trainings.jobs import Jobs\n"
        "from fgdemo.storage.database.database import utc_now\n"
        "settings = Settings.from_env()\n"
        "jobs, files = Jobs(open_database(settings.database_url)), JobFiles(settings.home)\n"
        "job = jobs.add('quick', 'mo', 'x', 'cpu', lambda other: False)\n"
        "Processes(jobs, files, settings, (*COMMAND[:3], '--help'), utc_now).start(job, None)\n"
        "import time; time.sleep(1)\n"
        "while not files.log(job.id).read_text(): time.sleep(0.1)\n"
        "print(files.log(job.id).read_text())"
    )
    env = {**os.environ, "FGDEMO_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", code, str(REPOSITORY)]
    done = subprocess.run(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    assert "Usage: python -m fgdemo" in done.stdout
    assert not (tmp_path / "ran").exists()
