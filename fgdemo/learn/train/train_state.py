"""Everything that changes while a network is trained: what an interrupted training needs to go on."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from timm.utils.model_ema import ModelEmaV3

from fgdemo.learn.train.optimizer import make_optimizer
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.run_file import Stateful
from fgdemo.learn.train.student import Student, loss_scaler


@dataclass(frozen=True)
class TrainState:
    """
    Attributes:
        ema: averages the student's weights.
        best: those of the best epoch, until one is done those at the start.
        schedule: of the learning rate, by steps.
        scaler: of the gradients; does nothing where there is no fp16.
    """

    student: Student
    ema: ModelEmaV3
    best: Student
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.GradScaler

    @classmethod
    def begin(cls, student: Student, recipe: Recipe, steps: int) -> TrainState:
        """Before the first of so many steps; the student is where it is to be trained."""
        optimizer, schedule = make_optimizer(
            student.backbone.net,
            [*student.classifier.parameters()],
            recipe,
            steps,
            new=[*student.to_teacher.parameters()],
        )
        ema = ModelEmaV3(student, decay=recipe.ema_decay, use_warmup=True)
        scaler = loss_scaler(next(student.parameters()).device)
        return cls(student, ema, copy.deepcopy(cast(Student, ema.module)), optimizer, schedule, scaler)

    @property
    def averaged(self) -> Student:
        """The student with averaged weights (EMA)."""
        return cast(Student, self.ema.module)

    @property
    def parts(self) -> Mapping[str, Stateful]:
        """By name, as they stand in a run file."""
        return {
            "student": self.student,
            "ema": self.averaged,
            "best": self.best,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }
