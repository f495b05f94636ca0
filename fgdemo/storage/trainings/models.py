"""The models of a workspace: which there are, and which is live. It is listed only when it is whole on the disk."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.json_columns import read_column, read_fields
from fgdemo.storage.database.schema import image_table, label_event_table, model_version_table
from fgdemo.storage.disk.strict_json import read_object
from fgdemo.storage.people.audit import note
from fgdemo.storage.trainings.promotions import Live, Promotion, append, deleted_models, live_of, promotions
from fgdemo.values.annotation import DECIDING, Person
from fgdemo.values.errors import TrainingError
from fgdemo.values.training import ModelState, ModelVersion, Preset, Verdict

NOT_JUDGED = Verdict(
    "unproven",
    "Not judged: the verdict that came with this model cannot be read. It is compared anew before it goes live.",
    checks=(),
    n=0,
    before=(0.0, 0.0, 0.0),
    after=(0.0, 0.0, 0.0),
    difference=(0.0, 0.0, 0.0),
    p_value=1.0,
)
"""In place of a verdict of another workspace, or of a later version, that is none here. It does not count."""


@dataclass(frozen=True)
class Word:
    """What somebody takes upon themself."""

    person: Person
    about: str


class Models:
    """The checkpoints below one folder, and the one that the settings name, which is there before any.

    Exactly one is live, whatever happens: the one of the newest promotion, or where there is none the settings' own.

    Args:
        root: where the checkpoint folders of the workspace are.
        configured: the checkpoint folder that the settings name.
    """

    def __init__(self, engine: Engine, root: Path, configured: Path, clock: Callable[[], datetime] = utc_now) -> None:
        self.root = root
        self._engine, self._configured, self._clock = engine, configured, clock

    @property
    def configured(self) -> str:
        """The version of the checkpoint that the settings name."""
        try:
            card = read_object((self._configured / "card.json").read_bytes())
            return f"{self._configured.name}@{str(card['weights_sha256'])[:8]}"
        except (OSError, ValueError, KeyError, TypeError):
            return self._configured.name  # whoever loads it says what is wrong

    def all(self) -> tuple[ModelVersion, ...]:
        """Newest first; last the one that the settings name."""
        with reading(self._engine) as connection:
            here = model_version_table.c
            query = (
                sa.select(model_version_table)
                .where(here.deleted_at.is_(None))
                .order_by(here.created_at.desc(), here.version)
            )
            rows = connection.execute(query).mappings().all()
            log, live = promotions(connection), _live(connection).versions[-1]
        last = {one.version: one for one in log}
        own = [_model(row, _state(row["version"], live, last), last.get(row["version"])) for row in rows]
        configured = last.get(None)
        return *own, ModelVersion(
            version=self.configured,
            state="live" if live is None else "retired",
            created_at="",
            promoted_at=configured.promoted_at if configured else None,
            promoted_by=configured.promoted_by if configured else None,
        )

    def get(self, version: str) -> ModelVersion:
        """Raises TrainingError if there is no such model."""
        for model in self.all():
            if model.version == version:
                return model
        raise TrainingError(f"There is no model {version}: it may have been deleted.")

    @property
    def live(self) -> str:
        """The version that is live."""
        return self._lived().versions[-1] or self.configured

    @property
    def previous(self) -> str | None:
        """The version that a roll-back leads to; None where the first one is live."""
        versions = self._lived().versions
        return (versions[-2] or self.configured) if len(versions) > 1 else None

    @property
    def roll_backs(self) -> int:
        """How many there can be, one after the other."""
        return len(self._lived().versions) - 1

    def folder(self, version: str) -> Path:
        """Where its checkpoint is. Raises TrainingError if there is no such model."""
        with reading(self._engine) as connection:
            here = model_version_table.c
            query = sa.select(here.folder).where(here.version == version, here.deleted_at.is_(None))
            found = connection.execute(query).scalar_one_or_none()
        if found is not None:
            return self.root / found
        if version == self.configured:
            return self._configured
        raise TrainingError(f"There is no model {version}: it may have been deleted.")

    def live_folder(self) -> Path:
        return self.folder(self.live)

    def register(
        self,
        version: str,
        folder: str,
        *,
        parent: str,
        event: int,
        job: int,
        preset: Preset,
        verdict: Verdict,
        metrics: Mapping[str, Any],
    ) -> None:
        """List a model whose checkpoint is whole in `root / folder`; to do it again changes nothing."""
        size = sum(file.stat().st_size for file in (self.root / folder).iterdir())
        row = {
            "version": version,
            "folder": folder,
            "parent": parent,
            "event": event,
            "job": job,
            "preset": preset,
            "created_at": sortable(self._clock()),
            "verdict": json.dumps(asdict(verdict)),
            "metrics": json.dumps(metrics),
            "size_bytes": size,
        }
        with writing(self._engine) as connection:
            here = model_version_table.c.version == version
            if connection.execute(sa.select(model_version_table.c.job).where(here)).first() is None:
                connection.execute(model_version_table.insert().values(row))

    def rejudge(self, version: str, verdict: Verdict) -> bool:
        """Put another verdict in place of the one that a model was listed with: another model is live since, or gold
        has changed. False for a model that is on no list, as that of the settings."""
        with writing(self._engine) as connection:
            here = model_version_table.c.version == version
            told = json.dumps(asdict(verdict))
            return connection.execute(model_version_table.update().where(here).values(verdict=told)).rowcount > 0

    def promote(
        self,
        version: str,
        by: str,
        instead_of: str | None = None,
        word: Word | None = None,
        judged_until: int | None = None,
    ) -> None:
        """It is live from the moment when this returns.

        Args:
            word: what a person takes upon themself, for the record of who did what; None where all was proven.
            instead_of: the version that it was compared with, which must be live until then.
            judged_until: the event up to which its verdict knows the gold labels; nobody may have changed one since.

        Raises:
            TrainingError: there is no such model, another one has gone live than `instead_of`, or gold has changed.
        """
        with writing(self._engine) as connection:
            self._require(connection, version)
            live = _live(connection).versions[-1] or self.configured
            if instead_of not in (None, live):
                raise TrainingError(
                    f"{live} has gone live meanwhile, and {version} was not compared with it: try again."
                )
            if judged_until is not None and _gold_changed(connection, judged_until):
                raise TrainingError(f"Gold labels were changed just now, by which {version} was not judged: try again.")
            recorded = None if version == self.configured else version
            append(connection, recorded, "promote", by, sortable(self._clock()))
            if word is not None:
                note(connection, self._clock(), word.person, "model", f"{version}: {word.about}")

    def roll_back(self, by: str, instead_of: str | None = None) -> str:
        """The one that was live before is live again.

        Args:
            instead_of: the version that is to be left, which must be live until then.

        Raises:
            TrainingError: there was none before, or somebody else has changed which one is live.
        """
        with writing(self._engine) as connection:
            lived = _live(connection)
            if instead_of not in (None, live := lived.versions[-1] or self.configured):
                raise TrainingError(f"Somebody else was faster: {live} is live already, so nothing was changed.")
            if len(lived.versions) < 2:
                raise TrainingError("No other model was live before this one, so there is nothing to go back to.")
            leads_to = lived.versions[-2]
            append(connection, leads_to, "rollback", by, sortable(self._clock()), lived.idents[-1])
        return leads_to or self.configured

    def delete(self, version: str) -> None:
        """Take it from the list and from the disk. Raises TrainingError for the live one and the one before it."""
        folder = self.folder(version)
        with writing(self._engine) as connection:
            kept = [one or self.configured for one in _live(connection).versions[-2:]]
            if version in kept or version == self.configured:
                raise TrainingError("The live model, the one before it, and the one of the settings are kept.")
            here = model_version_table.c.version == version
            connection.execute(model_version_table.update().where(here).values(deleted_at=sortable(self._clock())))
        shutil.rmtree(folder, ignore_errors=True)

    def clear_leftovers(self, unfinished: Callable[[str], bool]) -> None:
        """Remove folders that are on no list: a crash left them, or could not remove them.

        Args:
            unfinished: whether a folder of this name is still being made.
        """
        with reading(self._engine) as connection:
            here = model_version_table.c
            kept = set(connection.execute(sa.select(here.folder).where(here.deleted_at.is_(None))).scalars())
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            name = folder.name.removeprefix(".").rsplit("-", 1)[0] if folder.name.startswith(".") else folder.name
            if folder.name not in kept and name.startswith("model-") and not unfinished(name):
                shutil.rmtree(folder, ignore_errors=True)

    def _lived(self) -> Live:
        with reading(self._engine) as connection:
            return _live(connection)

    def _require(self, connection: Connection, version: str) -> None:
        here = model_version_table.c
        query = sa.select(here.version).where(here.version == version, here.deleted_at.is_(None))
        if version != self.configured and connection.execute(query).first() is None:
            raise TrainingError(f"There is no model {version}: it may have been deleted.")


def _gold_changed(connection: Connection, event: int) -> bool:
    """Whether anything was said after this event that may change what a gold picture is."""
    said, image = label_event_table.c, image_table.c
    told = said.kind.in_((*DECIDING, "undo")) & (said.id > event) & (image.split == "gold")
    query = sa.select(said.id).join_from(label_event_table, image_table, image.id == said.image).where(told).limit(1)
    return connection.execute(query).first() is not None


def _live(connection: Connection) -> Live:
    return live_of(promotions(connection), deleted_models(connection))


def _state(version: str, live: str | None, last: Mapping[str | None, Promotion]) -> ModelState:
    if version == live:
        return "live"
    return "retired" if version in last else "candidate"


def _model(row: Mapping[Any, Any], state: ModelState, promotion: Promotion | None) -> ModelVersion:
    verdict = (read_column(Verdict, row["verdict"]) or NOT_JUDGED) if row["verdict"] else None
    return ModelVersion(
        version=row["version"],
        state=state,
        created_at=row["created_at"],
        parent=row["parent"],
        event=row["event"],
        job=row["job"],
        preset=row["preset"],
        verdict=verdict,
        metrics=read_fields(row["metrics"]),
        size_bytes=row["size_bytes"],
        promoted_at=promotion.promoted_at if promotion else None,
        promoted_by=promotion.promoted_by if promotion else None,
    )
