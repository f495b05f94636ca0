"""What a demo refuses, and what is drawn for it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from fgdemo.commands.workspace.demo import require_private
from fgdemo.settings import Settings
from fgdemo.specimens.collection import write_collection
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.values.errors import SettingsError

OAUTH = {"OAUTH_CLIENT_ID": "a", "OAUTH_CLIENT_SECRET": "b", "OAUTH_SCOPES": "c", "OPENID_PROVIDER_URL": "d"}


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"FGDEMO_MIRROR": "/mnt/mirror"}, "FGDEMO_MIRROR"),
        ({"DATABASE_URL": "postgresql+psycopg://lab/birds"}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:////tmp/mine.sqlite"}, "DATABASE_URL"),
        ({"SPACE_ID": "lab/birds"}, "SPACE_ID"),
        ({"SYSTEM": "spaces", "SPACE_ID": "lab/birds", **OAUTH}, "SPACE_ID"),
        ({"FGDEMO_JOBS": "t4-small"}, "FGDEMO_JOBS"),
        ({"GRADIO_ROOT_PATH": "/tools/fgdemo"}, "GRADIO_ROOT_PATH"),
        ({"FGDEMO_PROXIES": "1"}, "FGDEMO_PROXIES"),
        ({"FGDEMO_FRAME_ANCESTORS": "https://example.org"}, "FGDEMO_FRAME_ANCESTORS"),
        ({"FGDEMO_PROXIES": "1", "FGDEMO_MIRROR": "/mnt/mirror"}, "FGDEMO_MIRROR and FGDEMO_PROXIES"),
    ],
)
def test_nothing_that_leaves_this_machine_is_a_demo(env: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        require_private(Settings.from_env(env))


def test_the_usual_settings_are_no_hindrance(tmp_path: Path) -> None:
    require_private(Settings.from_env({"FGDEMO_HOME": str(tmp_path), "FGDEMO_CHECKPOINT": str(tmp_path)}))
    require_private(Settings.from_env({}))


def test_one_label_in_ten_is_wrong_and_no_gold_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fgdemo.specimens.collection.SIDE_PX", 32)
    drawn = write_collection(tmp_path)
    files = sorted(drawn.folder.rglob("*.jpg"))
    assert len(files) == len({image_id_of(file) for file in files}) == drawn.pictures == 240
    assert Counter(file.parts[-3] for file in files) == {"test": 60, "val": 36, "train": 144}
    names = {file.parts[-2].replace(" ", "_").replace("-", "_").lower() for file in files}
    assert len(names) == 6
    assert set(drawn.wrong.values()) <= names
    assert len(drawn.wrong) == 24
    by_id = {image_id_of(file): file for file in files}
    for image, shows in drawn.wrong.items():
        label = by_id[image].parts[-2].replace(" ", "_").replace("-", "_").lower()
        assert by_id[image].parts[-3] == "train"
        assert label != shows
        assert label.rsplit("_", 1)[1] == shows.rsplit("_", 1)[1]  # a look-alike
    beginning = [image_id_of(file) for file in drawn.beginning.rglob("train/*/*.jpg")]
    assert len(beginning) == 24
    assert not set(beginning) & set(drawn.wrong)
