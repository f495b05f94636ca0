"""Figures for Prometheus, in its own text format, by its own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from fgdemo import __version__

if TYPE_CHECKING:
    from fgdemo.services.operating.operations import Figures

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What one server has done since it started, and how its workspace stands when somebody asks.

    Args:
        figures: of the workspace; None while it is not open yet.
    """

    def __init__(self, figures: Callable[[], Figures | None]) -> None:
        self._figures = figures
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "fgdemo_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self._request_s = Histogram(
            "fgdemo_request_seconds",
            "Seconds until an answer began.",
            ("route",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._questions = Counter(
            "fgdemo_questions",
            "Questions of the page and of programs, by how they ended: ok, forbidden, stale, bad, failed.",
            ("question", "outcome"),
            registry=self.registry,
        )
        self._question_s = Histogram(
            "fgdemo_question_seconds",
            "Seconds a question took.",
            ("question",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._queued = Gauge("fgdemo_queue_length", "Questions that wait for their turn.", registry=self.registry)
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def request(self, route: str, method: str, status: int, began_after_s: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._request_s.labels(route).observe(began_after_s)

    def question(self, question: str, outcome: str, elapsed_s: float) -> None:
        self._questions.labels(question, outcome).inc()
        self._question_s.labels(question).observe(elapsed_s)

    def text(self, queued: int) -> bytes:
        """All of it. Raises StorageError where the workspace cannot be read.

        Args:
            queued: questions that wait in Gradio's queue.
        """
        self._queued.set(queued)
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus's registry asks for: the workspace as it stands."""
        yield _info("fgdemo_build", "The version of fgdemo.", version=__version__)
        figures = self._figures()
        yield GaugeMetricFamily("fgdemo_ready", "Whether questions are answered.", float(figures is not None))
        if figures is None:
            return
        yield _info("fgdemo_model", "The model that answers.", version=figures.model_version)
        events = CounterMetricFamily(
            "fgdemo_label_events", "What people said, in the whole workspace.", labels=("kind",)
        )
        for kind, count in sorted(figures.events.items()):
            events.add_metric((kind,), count)
        yield events
        trainings = GaugeMetricFamily("fgdemo_trainings", "Trainings that are not over.", labels=("state",))
        for state, count in figures.trainings.items():
            trainings.add_metric((state,), count)
        yield trainings
        yield GaugeMetricFamily("fgdemo_transfer_running", "Whether an import or export runs.", figures.transferring)
        if figures.mirror is not None:
            mirror = figures.mirror
            yield GaugeMetricFamily("fgdemo_mirror_waiting", "Answers that are not backed up yet.", mirror.waiting)
            yield GaugeMetricFamily("fgdemo_mirror_failing", "Whether the last backup failed.", bool(mirror.fault))
            if mirror.elapsed_s is not None:
                yield GaugeMetricFamily("fgdemo_mirror_age_seconds", "Since the last backup.", mirror.elapsed_s)

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not ask for figures."""
        return []


def _info(name: str, about: str, **labels: str) -> Metric:
    family: Any = GaugeMetricFamily(f"{name}_info", about, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), 1)
    return family
