"""What the Train page asks of a Training service. Stands here until the service itself takes this file's place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fgdemo.annotation import Person
from fgdemo.training import Job, ModelVersion, Preset, Stage, Verdict


@dataclass(frozen=True)
class TrainingNow:
    """See the service."""

    jobs: tuple[Job, ...]
    models: tuple[ModelVersion, ...]
    live: str
    previous: str | None
    labelled: int
    checked: int
    newer: int
    gold: int
    device: str
    estimates: Mapping[Preset, float]
    promoting: Stage | None = None
    trouble: str = ""


class Training(Protocol):
    """See the service."""

    def now(self, person: Person) -> TrainingNow: ...
    def start(self, person: Person, preset: Preset) -> Job: ...
    def cancel(self, person: Person, job: int) -> None: ...
    def resume(self, person: Person, job: int) -> Job: ...
    def log_tail(self, person: Person, job: int, lines: int = 40) -> str: ...
    def promote(self, person: Person, version: str) -> ModelVersion: ...
    def roll_back(self, person: Person) -> ModelVersion: ...
    def delete(self, person: Person, version: str) -> None: ...
    def compare(self, person: Person, a: str, b: str) -> Verdict: ...
    def maps(self, person: Person, image: str, version: str) -> dict[str, Any]: ...
    def card(self, person: Person, version: str) -> Mapping[str, Any]: ...
