"""`doctor` on a whole workspace and on one with each kind of fault; `backup` and `restore` as a person types them."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from fgdemo.cli import main
from fgdemo.learn.live.live_classifier import embeddings_of
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.database.migrations import MIGRATIONS
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.mirror import looks as mirror_looks
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.storage.trainings.models import Models
from fgdemo.values.training import Verdict
from fgdemo.wiring.assembly import Services, build_services
from tests.support.mirroring import contents
from tests.support.trainings import make_tiny_home, settings_of
from tests.support.workspace import ADA


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tiny")
    make_tiny_home(home)
    return home


@pytest.fixture
def home(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of drawn birds that the command line takes for its own."""
    shutil.copytree(tiny, tmp_path / "home")
    for name, value in settings_of(tmp_path / "home").variables({}).items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict]:
    code = main([*argv, "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else {"error": told.err}


def faults(told: dict) -> dict[str, list[str]]:
    return {one["name"]: one["faults"] for one in told["checks"] if one["faults"]}


def test_a_whole_workspace_is_healthy(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(capsys, "doctor")
    assert (code, told["healthy"], faults(told)) == (0, True, {})
    assert [one["name"] for one in told["checks"]] == ["database", "events", "pictures", "models", "head", "mirror"]
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.count("\nok ") == 5


def test_each_fault_is_a_sentence(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "doctor")  # makes the thumbnails
    originals = sorted(path for path in (home / "pictures" / "originals").rglob("*") if path.is_file())
    originals[0].unlink()
    originals[1].write_bytes(b"something else")
    thumbnail = home / "pictures" / "thumbnails" / originals[2].parent.name / originals[2].name
    thumbnail.write_bytes(b"half of it" + b"\xff\xd9")
    (home / "tiny" / "model.safetensors").write_bytes(b"damaged")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FGDEMO_MIRROR", str(tmp_path / "file" / "mirror"))
    code, told = run(capsys, "doctor")
    found = faults(told)
    assert (code, told["healthy"], sorted(found)) == (1, False, ["head", "mirror", "models", "pictures"])
    assert len(found["pictures"]) == 3
    assert "is not in the workspace" in " ".join(found["pictures"])
    assert "are not those it was stored with" in " ".join(found["pictures"])
    assert "thumbnail" in " ".join(found["pictures"])
    assert "is damaged" in found["models"][0]


def test_an_older_database_and_none_at_all_are_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(f"sqlite:///{home / 'fgdemo.sqlite'}")
    with engine.begin() as connection:
        connection.execute(sa.text(f"DELETE FROM schema_version WHERE version = {MIGRATIONS[-1].version}"))
    code, told = run(capsys, "doctor")
    assert (code, list(faults(told))) == (1, ["database"])
    assert "the next start brings it up to date" in faults(told)["database"][0]
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'nothing.sqlite'}")
    assert "no workspace here" in faults(run(capsys, "doctor")[1])["database"][0]


def test_backup_and_restore_as_a_person_types_them(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Which mirror?" in run(capsys, "backup")[1]["error"]
    url = str(tmp_path / "mirror")
    assert "There is no mirror" in run(capsys, "restore", url)[1]["error"]
    code, sent = run(capsys, "backup", url)
    assert (code, sent["pictures"], sent["missing"]) == (0, 24, [])
    monkeypatch.setenv("FGDEMO_MIRROR", url)
    assert "nothing waits" in run(capsys, "doctor")[1]["checks"][-1]["told"]
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'other.sqlite'}")
    code, found = run(capsys, "restore")
    assert (code, found["pictures"], found["events"], found["damaged"]) == (0, 0, 24, 0)  # the files are there
    assert run(capsys, "restore")[1]["events"] == 0


# --- the whole app ---------------------------------------------------------------------------------------------


def label(services: Services, image: str, taxon: str) -> None:
    """An answer through the service of the Label page."""
    session = services.labelling.start(ADA, "new", None, None, 0.0).id
    version = services.labelling.item(ADA, image).version
    said = LabelEvent(image, "label", ADA.name, taxon, shown_version=version, session=session)
    services.labelling.answer(ADA, session, said)


def promote_another(settings: Settings) -> str:
    """The same checkpoint under another name goes live."""
    engine = open_database(settings.database_url)
    models = Models(engine, settings.home / "models", settings.checkpoint)
    shutil.copytree(settings.checkpoint, models.root / "model-7")
    version = f"model-7@{models.configured.split('@')[1]}"
    verdict = Verdict("better", "It is better.", (), 4, (0, 0, 1), (1, 0, 1), (1, 0, 1), 0.1)
    job = Jobs(engine).add("quick", "mia", models.configured, "cpu")
    models.register(
        version, "model-7", parent=models.configured, event=3, job=job.id, preset="quick", verdict=verdict, metrics={}
    )
    models.promote(version, "mia")
    engine.dispose()
    return version


def test_the_app_on_a_wiped_disk_is_the_app_as_it_was(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promoted model answers, with the head as it had learned; also where what it has seen was not mirrored."""
    checkpoint = tmp_path / "tiny"
    shutil.copytree(home / "tiny", checkpoint)
    settings = settings_of(home).model_copy(update={"checkpoint": checkpoint, "mirror": str(tmp_path / "mirror")})
    monkeypatch.setattr(mirror_looks, "LEAST", 20)
    version = promote_another(settings)
    services = build_services(settings)
    roster = Roster(open_database(settings.database_url))
    roster.follow()
    train = [image for image in roster.image_ids if roster.standing(image).split == "train"]
    label(services, train[0], roster.taxa[-1])
    Accounts(open_database(settings.database_url)).add("ada", "expert", "long enough")
    assert services.workbench.about().model_version == version
    looked_at(settings)
    weights = learned_by(services)
    services.stop()
    services.mirroring.stop()  # sends what is new once more
    now = services.mirroring.now(ADA)
    assert now is not None
    assert (now.answers, now.waiting, now.fault) == (1, 0, "")
    then = contents(open_database(settings.database_url))
    assert len(list((tmp_path / "mirror" / "looks").rglob("*"))) == 2
    for looks in ("mirrored", "made again"):
        shutil.rmtree(home)
        if looks == "made again":
            shutil.rmtree(tmp_path / "mirror" / "looks")
        services = build_services(settings)
        assert contents(open_database(settings.database_url)) == then
        assert services.workbench.about().model_version == version
        assert_learned(services, weights)
        assert Accounts(open_database(settings.database_url)).sign_in("ada", "long enough")
        services.stop()
        services.mirroring.stop()


def looked_at(settings: Settings) -> None:
    """Wait until the live model has looked at all pictures."""
    engine = open_database(settings.database_url)
    live = load_classifier(Models(engine, settings.home / "models", settings.checkpoint).live_folder())
    embeddings, patience = embeddings_of(settings.home, live), time.monotonic() + 60
    roster = Roster(engine)
    roster.follow()
    while embeddings.missing(roster.image_ids):
        assert time.monotonic() < patience, "nobody looks at the pictures"
        time.sleep(0.05)


def learned_by(services: Services) -> dict[str, np.ndarray]:
    """The column of each kind by what has been learned until now, with the temperature that fits it."""
    learner = services.labelling._learner
    learner.refresh()  # type: ignore[attr-defined]
    weight, bias, taxa = learner.weights_now()  # type: ignore[attr-defined]
    return {taxon: np.append(weight[:, at], bias[at]) for at, taxon in enumerate(taxa)}


def assert_learned(services: Services, expected: dict[str, np.ndarray]) -> None:
    """It comes to the same weights, sooner or later: pictures may still have to be looked at."""
    patience = time.monotonic() + 60
    while True:
        found = learned_by(services)
        same = found.keys() == expected.keys() and all(
            np.allclose(
                found[taxon], expected[taxon], rtol=0, atol=1e-4 * max(1.0, float(np.abs(expected[taxon]).max()))
            )
            for taxon in expected
        )
        if same:
            return
        assert time.monotonic() < patience, "the head does not come to what it was"
        time.sleep(0.05)
