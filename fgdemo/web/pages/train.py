"""The Train page: how a training goes, whether its model may go live, and which models there are. For maintainers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from fgdemo.values.annotation import Person
from fgdemo.values.errors import TrainingError
from fgdemo.values.training import Job, ModelVersion, Preset, Verdict
from fgdemo.web.http import payloads
from fgdemo.web.http.identity import answered
from fgdemo.web.http.payloads import Asked, Number, OptionalText, Text, Whole
from fgdemo.web.pages.review import tiles

if TYPE_CHECKING:
    from fgdemo.services.labelling.labelling import Labelling
    from fgdemo.services.review import Review
    from fgdemo.services.training.now import TrainingNow
    from fgdemo.services.training.trainings import Trainings
    from fgdemo.storage.people.accounts import Accounts
    from fgdemo.values.taxonomy import Taxonomy

MOST_PICTURES = 200
"""Of those that are right now, or no longer; nobody looks at more of them."""
CARD_LEAVES_OUT = frozenset({"backbone", "calibration", "format", "head", "input", "parts", "taxonomy", "unknown"})
"""What a card holds for the machine alone."""

Questions = list[Callable[..., dict[str, Any]]]
Now = Callable[[Person], dict[str, Any]]
"""How everything stands, for the page."""


class Begin(Asked):
    preset: Preset


class OfJob(Asked):
    job: Whole


class OfModel(Asked):
    version: Text


class Promote(OfModel):
    accept_loss: Number | None = None


class Beside(Asked):
    a: OptionalText = None
    b: Text


class Maps(OfModel):
    image: Text
    candidate: Text


def train_page(training: Trainings, review: Review, accounts: Accounts, labelling: Labelling) -> gr.HTML:
    """Place the page's questions in the current Blocks.

    Args:
        review: gives the names of kinds and the labels of pictures.
        labelling: knows how many gold labels look wrong.
    """

    def now(person: Person) -> dict[str, Any]:
        return {**now_as_json(training.now(person)), "gold_check": payloads.as_json(labelling.gold_now(person))}

    questions = [*jobs(training, accounts, now), *models(training, accounts, now)]
    questions += verdicts(training, review, accounts)
    return gr.HTML(server_functions=questions, visible=False)


def jobs(training: Trainings, accounts: Accounts, now: Now) -> Questions:
    """How everything stands; beginning, stopping and going on with a training."""

    @answered(accounts, "maintainer")
    def train_now(person: Person, asked: Asked) -> dict[str, Any]:
        return now(person)

    @answered(accounts, "maintainer")
    def train_offer(person: Person, asked: Asked) -> dict[str, Any]:
        """On which machine of Hugging Face trainings run, and what that costs; null where they run here."""
        return {"offer": payloads.as_json(training.offer(person))}

    @answered(accounts, "maintainer", with_token=True)
    def train_start(person: Person, asked: Begin, token: str | None) -> dict[str, Any]:
        training.start(person, asked.preset, token)
        return now(person)

    @answered(accounts, "maintainer", with_token=True)
    def train_cancel(person: Person, asked: OfJob, token: str | None) -> dict[str, Any]:
        training.cancel(person, asked.job, token)
        return now(person)

    @answered(accounts, "maintainer", with_token=True)
    def train_resume(person: Person, asked: OfJob, token: str | None) -> dict[str, Any]:
        training.resume(person, asked.job, token)
        return now(person)

    @answered(accounts, "maintainer")
    def train_log(person: Person, asked: OfJob) -> dict[str, Any]:
        return {"log": training.log_tail(person, asked.job)}

    return [train_now, train_offer, train_start, train_cancel, train_resume, train_log]


def models(training: Trainings, accounts: Accounts, now: Now) -> Questions:
    """Which model answers, and which are kept."""

    @answered(accounts, "maintainer")
    def train_promote(person: Person, asked: Promote) -> dict[str, Any]:
        training.promote(person, asked.version, asked.accept_loss)
        return now(person)

    @answered(accounts, "maintainer")
    def train_judge(person: Person, asked: OfModel) -> dict[str, Any]:
        """Compare a model with the live one by the gold labels as they are now, in the background."""
        training.judge(person, asked.version)
        return now(person)

    @answered(accounts, "maintainer")
    def train_roll_back(person: Person, asked: Asked) -> dict[str, Any]:
        training.roll_back(person)
        return now(person)

    @answered(accounts, "maintainer")
    def train_delete(person: Person, asked: OfModel) -> dict[str, Any]:
        training.delete(person, asked.version)
        return now(person)

    @answered(accounts, "maintainer")
    def train_card(person: Person, asked: OfModel) -> dict[str, Any]:
        card = training.card(person, asked.version)
        all_now = training.now(person)
        made_by = next((model.job for model in all_now.models if model.version == asked.version), None)
        job = next((job for job in all_now.jobs if job.id == made_by), None)
        return {"card": card_as_json(card), "job": payloads.as_json(job)}

    return [train_promote, train_judge, train_roll_back, train_delete, train_card]


def verdicts(training: Trainings, review: Review, accounts: Accounts) -> Questions:
    """One model beside another: in sum, and picture by picture."""

    @answered(accounts, "maintainer")
    def train_compare(person: Person, asked: Beside) -> dict[str, Any]:
        """b beside a; without a, the verdict that b was given when it was made."""
        if asked.a is not None:
            verdict: Verdict | None = training.compare(person, asked.a, asked.b)
        else:
            known = {model.version: model.verdict for model in training.now(person).models}
            if asked.b not in known:
                raise TrainingError(f"There is no model {asked.b}: it may have been deleted.")
            verdict = known[asked.b]
        if verdict is None:
            return {"verdict": None}
        return verdict_as_json(verdict, person, review)

    @answered(accounts, "maintainer")
    def train_maps(person: Person, asked: Maps) -> dict[str, Any]:
        return payloads.as_json(training.maps(person, asked.image, asked.version, asked.candidate))

    return [train_compare, train_maps]


def now_as_json(now: TrainingNow) -> dict[str, Any]:
    """Small enough to be asked every two seconds: of trainings only the newest has its epochs, of verdicts the sum."""
    older = [replace(job, epochs=()) for job in now.jobs[1:]]
    fields = payloads.as_json(replace(now, jobs=(), models=(), gold_changed={}))
    del fields["gold_changed"]
    return {
        **fields.pop("counts"),
        **fields,
        "jobs": [payloads.as_json(job) for job in (*now.jobs[:1], *older)],
        "models": [
            {**model_as_json(model, now.models, now.jobs), "gold_changed": now.gold_changed.get(model.version)}
            for model in now.models
        ],
    }


def model_as_json(model: ModelVersion, others: Sequence[ModelVersion], known: Sequence[Job]) -> dict[str, Any]:
    """A line of the history, with who had it made and how well it does."""
    fields = payloads.as_json(replace(model, verdict=None, metrics={}))
    del fields["metrics"]
    job = next((job for job in known if job.id == model.job), None)
    return {
        **fields,
        "asked_by": job.asked_by if job else None,
        "labels_until": job.created_at if job else None,
        "verdict": sum_as_json(model.verdict) if model.verdict else None,
        "accuracy": _accuracy(model, others),
    }


def sum_as_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict without its kinds and pictures, of which there may be thousands."""
    fields = payloads.as_json(replace(verdict, fixed=(), broken=(), kinds=(), pairs=(), gold=None))
    del fields["gold"]
    counts = {f"{side}_count": len(getattr(verdict, side)) for side in ("fixed", "broken")}
    live = {name: getattr(verdict, name) for name in ("may_go_live", "may_go_live_on_word", "open_loss")}
    return {**fields, **counts, **live}


def _accuracy(model: ModelVersion, others: Sequence[ModelVersion]) -> dict[str, Any] | None:
    """On gold pictures, where it was judged or another was beside it; else what its card says of held-out ones."""
    if model.verdict:
        return {"on": "gold", "n": model.verdict.n, "interval": model.verdict.after}
    beside = next((one.verdict for one in others if one.verdict and one.verdict.beside == model.version), None)
    if beside:
        return {"on": "gold", "n": beside.n, "interval": beside.before}
    top1 = model.metrics.get("top1")
    if isinstance(top1, (list, tuple)) and len(top1) == 3:
        return {"on": model.metrics.get("split", "val"), "n": model.metrics.get("n"), "interval": list(top1)}
    return None


def card_as_json(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a person may read in a card; in place of what only the machine reads, the network and how many kinds."""
    taxa = card.get("taxonomy") or []
    groups = {taxon.get("parent") for taxon in taxa}
    backbone = card.get("backbone") or {}
    return {
        "network": backbone.get("name"),
        "kinds": sum(taxon.get("id") not in groups for taxon in taxa),
        **payloads.as_json({name: value for name, value in card.items() if name not in CARD_LEAVES_OUT}),
    }


def verdict_as_json(verdict: Verdict, person: Person, review: Review) -> dict[str, Any]:
    """A verdict with the names of its kinds, and its pictures as tiles with their labels."""
    taxonomy = review.taxonomy()
    pictures = {
        side: tiles(review.tiles(person, getattr(verdict, side)[:MOST_PICTURES])) for side in ("fixed", "broken")
    }
    kinds = [_named(payloads.as_json(one), taxonomy, "taxon") for one in verdict.kinds]
    pairs = [_named(payloads.as_json(one), taxonomy, "a", "b") for one in verdict.pairs]
    return {"verdict": {**sum_as_json(verdict), **pictures, "kinds": kinds, "pairs": pairs}}


def _named(fields: Mapping[str, Any], taxonomy: Taxonomy, *taxa: str) -> dict[str, Any]:
    """The fields with `…_name` beside each taxon; one that has gone keeps its id."""
    known = taxonomy.by_id
    named = {f"{key}_name": known[fields[key]].name if fields[key] in known else fields[key] for key in taxa}
    return {**fields, **named}
