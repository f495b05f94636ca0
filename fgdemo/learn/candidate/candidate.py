"""A whole new classifier from a live one and a corpus: head, network, blend, closed-form refit.

The phases of FACT (Xu 2026) and LP-FT (Kumar 2022): the classifier starts from the closed-form solution, all layers
are trained, part of the way back is gone where that does better on val (WiSE-FT, Wortsman 2022), and the closed-form
head is fitted anew. What the base has learned from pictures that are not in the corpus follows by `fgdemo.model.drift`.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fgdemo.learn.candidate.blend import Blend, choose_blend
from fgdemo.learn.candidate.fit import Fitted, fit_classifier
from fgdemo.learn.candidate.inherit import places_of, with_parts_of
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed
from fgdemo.learn.train.allocator import freed_memory_kept
from fgdemo.learn.train.distillation import SoftLabels, soft_labels
from fgdemo.learn.train.distributed import ALONE, World
from fgdemo.learn.train.finetune import Trained, finetune
from fgdemo.learn.train.part_losses import PartAnchors
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.rehearsal import Memory, choose_memory
from fgdemo.learn.train.steps import Lesson
from fgdemo.learn.train.student import Teacher
from fgdemo.model.backbone import Backbone
from fgdemo.model.classifier import Classifier
from fgdemo.model.discriminant import LEAST_COUNT
from fgdemo.model.drift import drift, plus, with_columns, without_members
from fgdemo.model.head import RidgeHead
from fgdemo.values.errors import DatasetError
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.training import NO_VAL, Epoch

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""0 is the base's own network, so that training that helps nobody changes nothing but the head."""
MOST_UNSEEN = 0.5
"""The largest share where the base knows kinds of which there are no pictures: val cannot say what they lose. As
`choose_on_val` has it, these and the new birds had 0.80 and 0.77 at 0, 0.81 and 0.82 at a half, 0.77 and 0.81 at 1."""


@dataclass(frozen=True)
class Known:
    """What is known before the network is trained.

    Attributes:
        embeddings: (N, D) of the corpus by the base's backbone.
        rest: the base's sums without the pictures of the corpus, over the leaves of the corpus.
    """

    embeddings: np.ndarray
    rest: RidgeHead

    def carried(self, head: RidgeHead, embeddings: np.ndarray) -> RidgeHead:
        """`head`, of features that gave the corpus these (N, D) `embeddings`, and the rest carried to them."""
        return plus(head, self.rest, drift(self.rest, self.embeddings, head, embeddings))

    def unseen(self, class_index: np.ndarray) -> bool:
        """Whether the base knows a kind of which there is no picture with these class indices."""
        return not np.isin(np.flatnonzero(self.rest.counts > LEAST_COUNT), class_index).all()


def train_candidate(
    base: Classifier,
    corpus: Corpus,
    recipe: Recipe,
    *,
    name: str,
    run_file: Path,
    embeddings: np.ndarray | None = None,
    teachers: Sequence[Teacher] = (),
    world: World = ALONE,
    device: str = "cpu",
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    progress: Progress = no_progress,
    stop: Callable[[], bool] = lambda: False,
) -> Classifier:
    """Train on the "train" pictures, choose on the "val" pictures; `base` stays as it is.

    A recipe of no epochs leaves the network and its parts as they are, and fits the head alone. A kind of the base
    that is no leaf of the corpus's taxonomy (it was retired, or became a group) is left out.

    Args:
        name: version of the new classifier.
        run_file: the file that an interrupted training goes on from.
        embeddings: (N, D) of the corpus by the base's backbone, if at hand.
        teachers: their embeddings are imitated with the weight `recipe.distil`.
        world: the processes that train together. The leading one makes the candidate, the others return `base`.
        on_epoch: told of every epoch, those done before an interruption again.
        stop: asked after each batch; when true the training ends there and what there is becomes the candidate.

    Raises:
        DatasetError: fewer than two kinds to train on, or no val pictures.
        TrainingError: the loss was no number in the first epoch.
        CheckpointError: the run file belongs to another run, is damaged, or cannot be written.
        BackboneError: the backbone does not take pictures of `recipe.train_px`.
    """
    require_trainable(corpus)
    recipe = replace(recipe, batch_size=min(recipe.batch_size, len(corpus.pictures.where("train"))))
    backbone = copy.deepcopy(base.backbone).to(device)
    if embeddings is None:
        embeddings = embed(backbone, corpus.pictures.pixels, base.data_config, progress=progress)
    known = what_is_known(base, corpus, embeddings)
    start = {key: value.detach().clone() for key, value in backbone.state_dict().items()}
    if recipe.epochs == 0:
        return refit(base, corpus, known, Trained(backbone, 0.0), start, recipe, name, device, progress)
    lesson = replace(lesson_of(base, known, corpus, recipe, device), teachers=teachers, world=world)
    begin_at = head_start(base, known, corpus, _seen_in_training(base, backbone, known, corpus, recipe, progress))
    with freed_memory_kept():
        trained = finetune(
            backbone,
            begin_at,
            lesson,
            run_file=run_file,
            device=device,
            on_epoch=on_epoch,
            progress=progress,
            stop=stop,
        )
    if not world.leads:
        return base
    return refit(base, corpus, known, trained, start, recipe, name, device, progress)


def _seen_in_training(
    base: Classifier, backbone: Backbone, known: Known, corpus: Corpus, recipe: Recipe, progress: Progress
) -> np.ndarray:
    """(N, D) embeddings of the corpus at the size that it is trained at. Raises BackboneError."""
    if recipe.train_px == base.data_config.size_px:
        return known.embeddings
    backbone.require_size(recipe.train_px)
    return embed(backbone, corpus.pictures.pixels, base.data_config, size_px=recipe.train_px, progress=progress)


def require_trainable(corpus: Corpus) -> None:
    """Raise DatasetError where nothing can be trained."""
    if len(set(corpus.class_index[corpus.pictures.where("train")].tolist())) < 2:
        raise DatasetError("There must be training pictures of at least two kinds.")
    if not len(corpus.pictures.where("val")):
        raise DatasetError(NO_VAL)


def what_is_known(base: Classifier, corpus: Corpus, embeddings: np.ndarray) -> Known:
    """The base's sums less the pictures of the corpus, val ones too, or they would be judged by what knows them."""
    rest = base.head
    if len(corpus.pictures.keys):
        rest = without_members(rest, embeddings, corpus.pictures.keys)
    return Known(embeddings, with_columns(rest, columns_of(base, corpus), len(corpus.taxonomy.leaves)))


def columns_of(base: Classifier, corpus: Corpus) -> np.ndarray:
    """The column in the corpus of each leaf of the base; −1 for one that is no leaf any more."""
    return np.array([corpus.taxonomy.leaf_index.get(leaf, -1) for leaf in base.taxonomy.leaves])


def head_start(
    base: Classifier, known: Known, corpus: Corpus, embeddings: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """(D, C) and (C,): the closed-form head of all that is known, calibrated.

    Args:
        embeddings: (N, D) of the corpus by the base's backbone at the size that it is trained at; what else is known
            is carried to it.
    """
    train = corpus.pictures.where("train")
    head = RidgeHead.fit(embeddings[train], corpus.class_index[train], len(corpus.taxonomy.leaves))
    head = replace(known.carried(head, embeddings), readout=base.head.readout)
    weight, bias = head.with_penalty_share(base.head.penalty_share).linear()
    temperature = base.calibration.temperature
    return torch.from_numpy(weight / temperature), torch.from_numpy(bias / temperature)


def lesson_of(base: Classifier, known: Known, corpus: Corpus, recipe: Recipe, device: str) -> Lesson:
    """What the recipe asks for, worked out from what is known before."""
    taxonomy = corpus.taxonomy
    groups = tuple(base.parts.group_of(taxonomy.root(leaf)) for leaf in taxonomy.leaves)
    return Lesson(
        corpus.pictures,
        corpus.class_index,
        base.data_config,
        recipe,
        checked=corpus.checked,
        soft=soft_labels_of(base, known, corpus) if recipe.retention else None,
        memory=memory_of(base, known, corpus, recipe),
        anchors=PartAnchors(base.parts.to(device), groups) if recipe.parts else None,
    )


def soft_labels_of(base: Classifier, known: Known, corpus: Corpus) -> SoftLabels:
    """What `base` says of the corpus, from the embeddings that are known already."""
    weight, bias = base.head.linear()
    logits = (known.embeddings @ weight + bias) / base.calibration.temperature
    columns = columns_of(base, corpus)
    stay = columns >= 0
    return soft_labels(logits[:, stay], columns[stay], corpus.class_index, corpus.checked)


def memory_of(base: Classifier, known: Known, corpus: Corpus, recipe: Recipe) -> Memory | None:
    """Of the training pictures that `base` has learned; None where the recipe asks for no replay."""
    if recipe.replay == 0:
        return None
    train = corpus.pictures.where("train")
    keys = corpus.pictures.keys
    pool = train[np.isin(keys[train], base.head.members)] if len(keys) else train[:0]
    if not len(pool):
        return None
    head = RidgeHead.fit(known.embeddings[train], corpus.class_index[train], len(corpus.taxonomy.leaves))
    left_out = np.zeros((len(keys), len(corpus.taxonomy.leaves)), np.float32)
    left_out[train] = head.leave_one_out(known.embeddings[train], corpus.class_index[train])
    left_out /= base.calibration.temperature
    return Memory(choose_memory(known.embeddings, corpus.class_index, left_out, pool, recipe.memory), recipe.replay)


def refit(
    base: Classifier,
    corpus: Corpus,
    known: Known,
    trained: Trained,
    start: dict[str, torch.Tensor],
    recipe: Recipe,
    name: str,
    device: str,
    progress: Progress,
) -> Classifier:
    """Blend on val, then fit all but the backbone anew; the card says how it came about."""
    pictures, taxonomy = corpus.pictures, corpus.taxonomy
    backbone, is_trained = trained.backbone.to(device), recipe.epochs > 0
    most = 0.0 if not is_trained else MOST_UNSEEN if known.unseen(corpus.class_index) else 1.0
    blend = choose_blend(
        backbone,
        start,
        pictures,
        corpus.class_index,
        base.data_config,
        len(taxonomy.leaves),
        shares=[share for share in SHARES if share <= most],
        seen={0.0: known.embeddings},
        progress=progress,
    )
    places = None if is_trained else places_of(base, corpus, blend.tried[0.0].head.linear()[0], recipe.seed, progress)
    fitted = fit_classifier(
        backbone,
        base.data_config,
        pictures,
        corpus.class_index,
        taxonomy,
        name=name,
        trained=True,
        parts_per_group=max(1, base.parts.most_parts),
        seed=recipe.seed,
        also=known.carried,
        embeddings=blend.embeddings,
        places=places,
        progress=progress,
    )
    card = _card(base, corpus, recipe, trained, blend, fitted, name)
    candidate = with_parts_of(base, fitted.classifier, corpus) if is_trained else fitted.classifier
    least = fitted.classifier.least_sureness if is_trained else base.least_sureness  # that of the network
    return replace(candidate, card=card, least_sureness=least)


def _card(
    base: Classifier, corpus: Corpus, recipe: Recipe, trained: Trained, blend: Blend, fitted: Fitted, name: str
) -> dict[str, Any]:
    """How a candidate came about, for whoever reads its card."""
    return {
        "name": name,
        "parent": base.version,
        "recipe": recipe.to_json(),
        "epochs": [asdict(epoch) for epoch in trained.history],
        "epochs_done": trained.epochs_done,
        "kept_epoch": trained.kept_epoch,
        "training_ended": trained.sentence,
        "blend": blend.to_json(),
        "data": {
            **{split: len(corpus.pictures.where(split)) for split in ("train", "val")},
            "checked": int(corpus.checked.sum()),
            "kinds": len(corpus.taxonomy.leaves),
        },
        "metrics": {"split": "val", **fitted.scores.to_json()},
        "calibrated_on": fitted.held_out.source,
        "licences": base.card.get("licences", []),
    }
