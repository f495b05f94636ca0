"""Trainings: who asked for them, how far they are, and how they ended."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.json_columns import read_column
from fgdemo.storage.database.schema import job_epoch_table, job_table, label_event_table
from fgdemo.values.errors import TrainingError
from fgdemo.values.training import Epoch, Job, JobState, Preset, Stage

OPEN: tuple[JobState, ...] = ("waiting", "running")
"""A job in one of these has a process, or had one that died."""
STILL_OPEN = job_table.c.state.in_(OPEN)


class Jobs:
    """The jobs of one database. Each state is durable when a function returns; stages may be lost in a power cut."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def add(
        self,
        preset: Preset,
        asked_by: str,
        parent: str,
        device: str,
        hinders: Callable[[Job], bool] = lambda job: False,
    ) -> Job:
        """A new job that waits. It learns from the log as it is at this moment.

        Args:
            hinders: whether a job that waits or runs forbids another one. It is asked under the write lock, so of two
                people who press at once one gets the job and the other the sentence.

        Raises:
            TrainingError: there is such a job.
        """
        newest = sa.select(sa.func.coalesce(sa.func.max(label_event_table.c.id), 0))
        with writing(self._engine) as connection:
            for job in _jobs(connection, job_table.c.state.in_(OPEN)):
                if hinders(job):
                    raise TrainingError(
                        f"Training {job.id}, started by {job.asked_by}, is not over yet: wait for it, or cancel it."
                    )
            now = self._now()
            values = {
                "state": "waiting",
                "preset": preset,
                "asked_by": asked_by,
                "parent": parent,
                "device": device,
                "event": connection.execute(newest).scalar_one(),
                "created_at": now,
                "launched_at": now,
                "stage": json.dumps(asdict(Stage())),
                "sentence": "",
                "cancel_requested": False,
            }
            number = connection.execute(job_table.insert().values(values).returning(job_table.c.id)).scalar_one()
            return _jobs(connection, job_table.c.id == number)[0]

    def get(self, job: int) -> Job:
        """Raises TrainingError if there is no such job."""
        with reading(self._engine) as connection:
            found = _jobs(connection, job_table.c.id == job)
        if not found:
            raise TrainingError(f"There is no training {job}.")
        return found[0]

    def newest(self, limit: int = 50) -> tuple[Job, ...]:
        """Newest first, with their epochs."""
        with reading(self._engine) as connection:
            return _jobs(connection, sa.true(), limit)

    def open(self) -> tuple[Job, ...]:
        """Those that wait or run, or died while they did, newest first."""
        with reading(self._engine) as connection:
            return _jobs(connection, job_table.c.state.in_(OPEN))

    def launched_at(self, job: int) -> datetime:
        """When its process was last started."""
        with reading(self._engine) as connection:
            query = sa.select(job_table.c.launched_at).where(job_table.c.id == job)
            return datetime.fromisoformat(connection.execute(query).scalar_one())

    def cancel_requested(self, job: int) -> bool:
        with reading(self._engine) as connection:
            query = sa.select(job_table.c.cancel_requested).where(job_table.c.id == job)
            return bool(connection.execute(query).scalar_one())

    # --- how it goes --------------------------------------------------------------------------------------

    def relaunch(self, job: int, may: Callable[[Job], bool]) -> Job:
        """Let an interrupted job wait again. Raises TrainingError where `may` says no, under the write lock."""
        with writing(self._engine) as connection:
            found = _jobs(connection, job_table.c.id == job)
            if not found or not may(found[0]):
                raise TrainingError("Only a training that was interrupted can go on.")
            self._set(connection, job, state="waiting", launched_at=self._now(), sentence="", cancel_requested=False)
            return _jobs(connection, job_table.c.id == job)[0]

    def wait_for(self, job: int, other: int) -> None:
        """It stands in line behind another job on its device."""
        self._update(job, state="waiting", sentence=f"waits for training {other}")

    def begin(self, job: int) -> None:
        with writing(self._engine) as connection:
            started = sa.func.coalesce(job_table.c.started_at, self._now())
            self._set(connection, job, state="running", sentence="", started_at=started)

    def tell(self, job: int, stage: Stage) -> None:
        """Where it is now; nobody waits for the disk."""
        with writing(self._engine, durable=False) as connection:
            self._set(connection, job, stage=json.dumps(asdict(stage)))

    def add_epoch(self, job: int, epoch: Epoch) -> None:
        """One that was done again after an interruption replaces what it did before."""
        mine = (job_epoch_table.c.job == job) & (job_epoch_table.c.number >= epoch.number)
        row = {"job": job, "number": epoch.number, "epoch": json.dumps(asdict(epoch))}
        with writing(self._engine) as connection:
            connection.execute(job_epoch_table.delete().where(mine))
            connection.execute(job_epoch_table.insert().values(row))

    def interrupt(self, job: int, sentence: str) -> None:
        """Its process ends, and this is why; another one can go on. Whoever sees that it has none calls it so."""
        with writing(self._engine) as connection:
            self._set(connection, job, STILL_OPEN, state="running", sentence=sentence)

    def ask_to_stop(self, job: int) -> None:
        self._update(job, cancel_requested=True)

    def end(self, job: int, state: JobState, sentence: str, candidate: str | None = None) -> None:
        """One that has ended already stays as it is."""
        with writing(self._engine) as connection:
            self._set(
                connection, job, STILL_OPEN, state=state, sentence=sentence, candidate=candidate, ended_at=self._now()
            )

    def _update(self, job: int, **values: Any) -> None:
        with writing(self._engine) as connection:
            self._set(connection, job, **values)

    def _set(self, connection: Connection, job: int, only: sa.ColumnElement[bool] | None = None, **values: Any) -> None:
        connection.execute(
            job_table.update()
            .where(job_table.c.id == job if only is None else (job_table.c.id == job) & only)
            .values(**values)
        )

    def _now(self) -> str:
        return sortable(self._clock())


def _jobs(connection: Connection, condition: sa.ColumnElement[bool], limit: int | None = None) -> tuple[Job, ...]:
    query = sa.select(job_table).where(condition).order_by(job_table.c.id.desc()).limit(limit)
    rows = connection.execute(query).mappings().all()
    numbers = [row["id"] for row in rows]
    epochs: dict[int, list[Epoch]] = {number: [] for number in numbers}
    done = sa.select(job_epoch_table).where(job_epoch_table.c.job.in_(numbers)).order_by(job_epoch_table.c.number)
    for found in connection.execute(done).mappings():
        epoch = read_column(Epoch, found["epoch"])
        if epoch is not None:
            epochs[found["job"]].append(epoch)
    return tuple(_job(row, tuple(epochs[row["id"]])) for row in rows)


def _job(row: Mapping[Any, Any], epochs: tuple[Epoch, ...]) -> Job:
    plain = {one.name: row[one.name] for one in fields(Job) if one.name not in ("stage", "epochs")}
    return Job(**plain, stage=read_column(Stage, row["stage"]) or Stage(), epochs=epochs)
