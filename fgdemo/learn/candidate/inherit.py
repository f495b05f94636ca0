"""What a candidate's parts have from its base: their ids and names, and the parts of groups it has no pictures of."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fgdemo.learn.candidate.fit import fit_places
from fgdemo.learn.candidate.mid_ground import with_mid_of
from fgdemo.learn.candidate.part_groups import keep_groups, keep_taught
from fgdemo.learn.candidate.part_names import carry_names
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import both_batches
from fgdemo.model.classifier import Classifier
from fgdemo.model.parts import PartModel
from fgdemo.values.progress import Progress, no_progress

PICTURES_TO_NAME_BY = 64
"""Pictures of each group by which the parts before and after are compared."""


def with_parts_of(base: Classifier, fitted: Classifier, corpus: Corpus) -> Classifier:
    """`fitted` with the names and ids that its parts had in `base` (`fgdemo.learn.candidate.part_names`), with the
    parts of the groups of which the corpus has no pictures, and with those that were taught
    (`fgdemo.learn.candidate.part_groups`)."""
    old, groups = base.parts.to("cpu"), set(fitted.parts.ground_groups)
    rows = {group: of for group, of in _rows_of(fitted.parts, corpus).items() if group in groups}
    samples = {group: (_looked_at(base, corpus, of), _looked_at(fitted, corpus, of)) for group, of in rows.items()}
    known = {group: (was[0], now[0]) for group, (was, now) in samples.items() if old.of_group(group)}
    new = carry_names(old, fitted.parts, known)
    taxonomy = corpus.taxonomy
    served = {taxonomy.group(leaf) or ("" if "" in groups else old.group_of(leaf)) for leaf in taxonomy.leaves}
    absent = sorted(served & {part.group for part in old.parts} - groups)
    if absent or old.taught:
        before, after = (_together([pair[i] for pair in samples.values()]) for i in (0, 1))
        new = keep_groups(old, new, absent, before[0], after[0]) if absent else new
        new = keep_taught(old, new, before, after) if old.taught else new
    return replace(fitted, parts=new)


def places_of(
    base: Classifier, corpus: Corpus, weight: np.ndarray, seed: int, progress: Progress = no_progress
) -> tuple[PartModel, np.ndarray]:
    """Parts and the origin of evidence for the base's own network: its own, and parts of the groups it has none of.

    Args:
        weight: (D, C) of a head over the leaves of the corpus, which says what is foreground in a new group.
    """
    old, taxonomy = base.parts.to("cpu"), corpus.taxonomy
    groups = {taxonomy.group(taxonomy.leaves[label]) for label in corpus.class_index[corpus.pictures.where("train")]}
    known = {part.group for part in old.parts}
    if groups <= known:
        return old, base.origin
    new, _ = fit_places(
        base.backbone,
        base.data_config,
        corpus.pictures,
        corpus.class_index,
        taxonomy,
        weight,
        max(1, old.most_parts),
        seed,
        progress,
        besides=known,
    )
    tokens, _ = _looked_at(base, corpus, corpus.pictures.where("train")[:1])  # any do: the network is the same
    kept = keep_groups(old, carry_names(old, new, {}), sorted(known), tokens, tokens)
    return with_mid_of(old, replace(kept, taught=old.taught)), base.origin


def _rows_of(parts: PartModel, corpus: Corpus) -> dict[str, np.ndarray]:
    """Rows of some train pictures of each group of these parts."""
    taxonomy, train = corpus.taxonomy, corpus.pictures.where("train")
    group_of = np.array([parts.group_of(taxonomy.root(leaf)) for leaf in taxonomy.leaves])
    groups = group_of[corpus.class_index[train]]
    found = {str(group): train[groups == group] for group in np.unique(groups)}
    return {group: rows[:: max(1, len(rows) // PICTURES_TO_NAME_BY)] for group, rows in found.items()}


def _looked_at(classifier: Classifier, corpus: Corpus, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """(n, h, w, D) tokens and (n, h, w, M) mid tokens of these pictures, on the CPU."""
    return _together(list(both_batches(classifier.backbone, corpus.pictures.pixels[rows], classifier.data_config)))


def _together(pairs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    tokens, mids = (torch.cat([pair[i].float().cpu() for pair in pairs]) for i in (0, 1))
    return tokens, mids
