"""Settings come from the environment they are given, and say what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fgdemo.settings import REPOSITORY, Settings
from fgdemo.values.errors import SettingsError


def test_defaults() -> None:
    settings = Settings.from_env({})
    assert settings.home == (Path.home() / ".fgdemo").resolve()
    assert settings.checkpoint == REPOSITORY / "checkpoints" / "field-guide"
    assert settings.database_url == f"sqlite:///{settings.home / 'fgdemo.sqlite'}"
    assert (settings.device, settings.max_upload_mb, settings.max_picture_mp) == ("auto", 25, 60)


def test_an_empty_variable_is_the_same_as_none() -> None:
    names = ("FGDEMO_HOME", "FGDEMO_CHECKPOINT", "DATABASE_URL", "FGDEMO_DEVICE", "FGDEMO_MAX_UPLOAD_MB")
    assert Settings.from_env(dict.fromkeys(names, "")) == Settings.from_env({})


def test_every_variable_counts(tmp_path: Path) -> None:
    settings = Settings.from_env(
        {
            "FGDEMO_HOME": str(tmp_path / "a" / ".." / "b"),
            "FGDEMO_CHECKPOINT": "~/mine",
            "DATABASE_URL": "postgresql+psycopg://team/birds",
            "FGDEMO_DEVICE": "cuda:1",
            "FGDEMO_MAX_UPLOAD_MB": "7",
            "FGDEMO_MAX_PICTURE_MP": "8",
        }
    )
    assert settings == Settings(
        home=tmp_path.resolve() / "b",
        checkpoint=Path.home() / "mine",
        database_url="postgresql+psycopg://team/birds",
        device="cuda:1",
        max_upload_mb=7,
        max_picture_mp=8,
    )


def test_the_database_lies_in_the_workspace(tmp_path: Path) -> None:
    assert Settings.from_env({"FGDEMO_HOME": str(tmp_path)}).database_url == f"sqlite:///{tmp_path / 'fgdemo.sqlite'}"


@pytest.mark.parametrize("name", ["FGDEMO_MAX_UPLOAD_MB", "FGDEMO_MAX_PICTURE_MP"])
@pytest.mark.parametrize("value", ["0", "-3", "2.5", "lots", "²", " 5"])
def test_a_size_that_is_no_size_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is “{value}”"):
        Settings.from_env({name: value})
