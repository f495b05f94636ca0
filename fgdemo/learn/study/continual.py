"""How a way of learning keeps what it knew while kinds arrive session by session, and how fast it gets it back.

With R[i, j] the accuracy on the kinds of session j after learning session i (T sessions):

- forgetting = mean over j < T of max_i<T R[i, j] − R[T, j] (Chaudhry et al. 2018), in [−1, 1]; low is good;
- backward transfer = mean over j < T of R[T, j] − R[j, j] (Lopez-Paz & Ranzato 2017); high is good.

A kind that looks forgotten may come back with a few pictures. Few-shot evaluation (Inamdar et al. 2026, arXiv
2606.03843) therefore reminds the learner of k pictures a class and looks again: e_k = 100 − accuracy in %, and

- AUAC: area under e_k with k scaled to [0, 1], trapezoid rule, in [0, 100]; low is good. Clipped: under the
  running minimum of e_k, so that a bad draw of pictures after a good one does not count;
- SAUCE: the same area after scaling e_k to [0, 1] by its own minimum and maximum: how soon the gain comes; low is
  good, 0 where nothing is left to gain.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.linear_model import SGDClassifier

from fgdemo.learn.measure.protocols import FeatureSplit, some_of_each, tested_kinds
from fgdemo.model.head import RidgeHead
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError

SHOTS = (0, 1, 2, 5, 10)


class LearningMethod(Protocol):
    """What learns session by session. It is copied for every question of "and with k pictures more?"."""

    def learn(self, embeddings: np.ndarray, labels: np.ndarray) -> None: ...

    def answer(self, embeddings: np.ndarray) -> np.ndarray:
        """(N, D) → (N,) class indices."""
        ...


class RidgeLearner:
    """The closed-form head: its sums of all sessions are those of all pictures at once, so it cannot forget.

    Standardisation and λ (as a share of the sums) are those of the first session.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._head: RidgeHead | None = None
        self._linear = np.zeros(0), np.zeros(0)

    def learn(self, embeddings: np.ndarray, labels: np.ndarray) -> None:
        if self._head is None:
            self._head = RidgeHead.fit(embeddings, labels, self._classes)
        else:
            share = self._head.penalty_share
            self._head = self._head.with_pictures(embeddings, labels).with_penalty_share(share)
        self._linear = self._head.linear()

    def answer(self, embeddings: np.ndarray) -> np.ndarray:
        assert self._head is not None, "it has learned nothing"
        scores = embeddings @ self._linear[0] + self._linear[1]
        scores[:, self._head.counts == 0] = -np.inf
        return scores.argmax(1)


class NaiveLearner:
    """A linear classifier trained by gradient steps on the newest session alone, as fine-tuning without replay does."""

    def __init__(self, classes: int, epochs: int = 20) -> None:
        self._all, self._epochs = np.arange(classes), epochs
        self._model = SGDClassifier(loss="log_loss", alpha=1e-5, learning_rate="constant", eta0=1.0, random_state=0)

    def learn(self, embeddings: np.ndarray, labels: np.ndarray) -> None:
        for epoch in range(self._epochs):
            order = np.random.default_rng(epoch).permutation(len(labels))
            self._model.partial_fit(self._features(embeddings)[order], labels[order], classes=self._all)

    def answer(self, embeddings: np.ndarray) -> np.ndarray:
        return np.asarray(self._model.predict(self._features(embeddings)))

    @staticmethod
    def _features(embeddings: np.ndarray) -> np.ndarray:
        return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)


LEARNERS: Mapping[str, Callable[[int], LearningMethod]] = {"ridge": RidgeLearner, "naive": NaiveLearner}


@dataclass(frozen=True)
class Course:
    """What became of one learner.

    Attributes:
        accuracy: (T, T) R[i][j] as above; 0 for sessions still to come.
        final_accuracy: over all test pictures, after the last session.
        errors: mean e_k over the sessions, in %, one for each of `shots`.
        auac, auac_clipped, sauce: means over the sessions.
    """

    accuracy: tuple[tuple[float, ...], ...]
    final_accuracy: float
    forgetting: float
    backward_transfer: float
    shots: tuple[int, ...]
    errors: tuple[float, ...]
    auac: float
    auac_clipped: float
    sauce: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def draw_sessions(split: FeatureSplit, number: int, seed: int = 0) -> list[np.ndarray]:
    """Class indices of each session, by chance. Kinds without test pictures are in none: nothing could be said of them.

    Raises:
        DatasetError: there are more sessions than kinds with test pictures.
    """
    tested = tested_kinds(split)
    if len(tested) < number:
        kinds = counted(len(tested), "kind")
        raise DatasetError(f"{kinds} with pictures to test on cannot be learned in {number} sessions.")
    return np.array_split(np.random.default_rng(seed).permutation(tested), number)


def take_course(
    split: FeatureSplit, sessions: Sequence[np.ndarray], learner: LearningMethod, shots: Sequence[int] = SHOTS
) -> Course:
    """Learn the classes of each session in turn, then be reminded of every session with k pictures a class.

    The reminders are drawn from the training pictures of that session; each starts again from the state at the end.
    """
    matrix = np.zeros((len(sessions), len(sessions)))
    tests = [np.isin(split.test_labels, classes) for classes in sessions]
    for now, classes in enumerate(sessions):
        rows = np.isin(split.train_labels, classes)
        learner.learn(split.train[rows], split.train_labels[rows])
        for then in range(now + 1):
            matrix[now, then] = _accuracy(learner, split, tests[then])
    curves = []
    for classes, test in zip(sessions, tests, strict=True):
        rows = np.flatnonzero(np.isin(split.train_labels, classes))
        curve = []
        for k in shots:
            reminded = copy.deepcopy(learner)
            if k:
                chosen = rows[some_of_each(split.train_labels[rows], k, seed=0)]
                reminded.learn(split.train[chosen], split.train_labels[chosen])
            curve.append(100 * (1 - _accuracy(reminded, split, test)))
        curves.append(curve)
    return Course(
        accuracy=tuple(tuple(row) for row in matrix.tolist()),
        final_accuracy=_accuracy(learner, split, np.isin(split.test_labels, np.concatenate(sessions))),
        forgetting=forgetting(matrix),
        backward_transfer=backward_transfer(matrix),
        shots=tuple(shots),
        errors=tuple(np.mean(curves, axis=0).tolist()),
        auac=float(np.mean([auac(curve, shots) for curve in curves])),
        auac_clipped=float(np.mean([auac(curve, shots, clipped=True) for curve in curves])),
        sauce=float(np.mean([sauce(curve, shots) for curve in curves])),
    )


def _accuracy(learner: LearningMethod, split: FeatureSplit, rows: np.ndarray) -> float:
    return float((learner.answer(split.test[rows]) == split.test_labels[rows]).mean())


def forgetting(accuracy: np.ndarray) -> float:
    """Of (T, T) accuracies, see above; 0 for one session."""
    if len(accuracy) < 2:
        return 0.0
    return float((accuracy[:-1, :-1].max(0) - accuracy[-1, :-1]).mean())


def backward_transfer(accuracy: np.ndarray) -> float:
    """Of (T, T) accuracies, see above; 0 for one session."""
    if len(accuracy) < 2:
        return 0.0
    return float((accuracy[-1] - np.diag(accuracy))[:-1].mean())


def auac(errors: Sequence[float], shots: Sequence[int], *, clipped: bool = False) -> float:
    """Area under the errors (in %) after `shots` pictures a class, shots scaled to [0, 1]."""
    values = np.minimum.accumulate(errors) if clipped else np.asarray(errors, np.float64)
    scale = np.asarray(shots, np.float64)
    return float(np.trapezoid(values, (scale - scale[0]) / (scale[-1] - scale[0])))


def sauce(errors: Sequence[float], shots: Sequence[int]) -> float:
    """`auac` of the errors scaled to [0, 1] by their own minimum and maximum."""
    values = np.asarray(errors, np.float64)
    spread = values.max() - values.min()
    return auac(((values - values.min()) / spread).tolist(), shots) if spread > 0 else 0.0
