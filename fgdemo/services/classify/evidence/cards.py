"""Which places of which labelled pictures spoke for A and for B, found without reading more than the best few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from fgdemo.services.classify.workspace_readings import WorkspaceReadings
from fgdemo.storage.history.roster import Roster
from fgdemo.values.classification.cards import (
    Card,
    Cards,
    Flip,
    Pair,
    Side,
    View,
    Voting,
    chosen,
    crop_of,
    pairs,
    part_totals,
)
from fgdemo.values.classification.flip import flip
from fgdemo.values.classification.votes import VotingHead
from fgdemo.values.errors import PictureError, StorageError
from fgdemo.values.types import Classifier, Reading

READ = 8
"""So many pictures of a kind are read: those with the largest votes."""


class Voters(Protocol):
    """A head and the pictures that have a vote in it. The real ones are in `fgdemo.learn.live.voters`."""

    def of(self, leaves: Sequence[str]) -> tuple[VotingHead, dict[str, Voting]] | None:
        """The head, and the pictures at hand of each of these kinds; kinds that it has not seen are left out, and None
        is given where it has seen none of them."""
        ...


class EvidenceCards:
    """Safe to use from many threads.

    Args:
        voters: of the head that made the readings that are asked about.
        readings: of pictures of the workspace.
    """

    def __init__(self, voters: Voters, readings: WorkspaceReadings, roster: Roster) -> None:
        self._voters, self._readings, self._roster = voters, readings, roster

    def of(
        self,
        views: Sequence[View],
        classifier: Classifier,
        a: str,
        b: str,
        itself: Collection[str] = (),
        only_public: bool = True,
    ) -> Cards | None:
        """What spoke for A and for B in a picture; None where nothing can be split over pictures.

        Args:
            views: of the picture by `classifier`: what the answer is of.
            itself: ids that are the picture in question: what it says of itself is no card.
            only_public: show those pictures only that visitors may see; what others say is in the sums.

        Raises:
            StorageError: the workspace cannot be read.
        """
        is_whole = all(view.reading.tokens is not None for view in views)
        known = self._voters.of((a, b)) if is_whole else None
        if known is None or len(known[1]) < 2:
            return None
        sides = [self._side(*known, views, classifier, one, itself, only_public) for one in (a, b)]
        alike = min(side.start for side in sides)
        first, second = (replace(side, start=side.start - alike, logit=side.logit - alike) for side in sides)
        return Cards(first, second, self._flip(*known, views, classifier, first, second, itself, only_public))

    def _flip(
        self,
        head: VotingHead,
        votings: dict[str, Voting],
        views: Sequence[View],
        classifier: Classifier,
        a: Side,
        b: Side,
        itself: Collection[str],
        only_public: bool,
    ) -> Flip | None:
        """Of one view alone: cells of a frame lie over cells of the whole."""
        if len(views) > 1:
            return None
        (view,), before = views, a.logit - b.logit
        taxon = b.taxon if before > 0 else a.taxon
        voting = votings[taxon]
        votes = head.split(view.tokens.mean(0), voting.column, voting.vectors, voting.weights).votes
        own = np.isin(voting.images, list(itself))
        others = self._read(self._best(voting, np.where(own, -np.inf, votes), only_public), classifier)
        columns = (votings[a.taxon].column, votings[b.taxon].column)
        found = flip(head, view, others, before, columns, taxon)
        if found is None:
            return None
        publication = self._roster.publications([found.image]).get(found.image)
        return replace(found, within=view.within, publication=publication)

    def _side(
        self,
        head: VotingHead,
        votings: dict[str, Voting],
        views: Sequence[View],
        classifier: Classifier,
        taxon: str,
        itself: Collection[str],
        only_public: bool,
    ) -> Side:
        voting = votings[taxon]
        tallies = [head.split(view.tokens.mean(0), voting.column, voting.vectors, voting.weights) for view in views]
        weights = [view.weight for view in views]
        votes = np.sum([weight * tally.votes for weight, tally in zip(weights, tallies, strict=True)], axis=0)
        absent = sum(weight * tally.absent for weight, tally in zip(weights, tallies, strict=True))
        start = sum(weight * tally.start for weight, tally in zip(weights, tallies, strict=True))
        own = np.isin(voting.images, list(itself))
        others = self._read(self._best(voting, np.where(own, -np.inf, votes), only_public), classifier)
        totals: Counter[int | None] = Counter()
        for view in views:
            totals.update(part_totals(head, view, voting))
        found = [one for view in views for one in pairs(head, view, voting, others)]
        groups = {image: int(self._roster.twin[self._roster.row_of[image]]) for image in others}
        kept = chosen(sorted(found, key=lambda one: -one.value), totals, groups)
        publications = self._roster.publications([one.image for one in kept])

        def card(one: Pair) -> Card:
            at, grid = voting.images.index(one.image), others[one.image].assignment.shape[:2]
            without = _without(head, views, voting, at, [votings[key].column for key in votings])
            return Card(
                image=one.image,
                part="all of it" if one.part is None else one.part.name or f"part {one.part.id + 1}",
                colour="" if one.part is None else one.part.colour,
                value=one.value,
                of_part=totals[None if one.part is None else one.part.id],
                here=crop_of(one.here, one.grid, one.within),
                there=crop_of(one.there, grid),
                without=without,
                checked=bool(self._roster.checked[self._roster.row_of[one.image]]),
                publication=publications.get(one.image),
            )

        shown = np.isin(voting.images, [one.image for one in kept])
        return Side(
            taxon=taxon,
            cards=tuple(map(card, kept)),
            same=float(votes[shown].sum()) - sum(one.value for one in kept),
            others=float(votes[~shown & ~own].sum()),
            pictures=int((~shown & ~own).sum()),
            itself=float(votes[own].sum()),
            absent=absent,
            start=start,
            logit=float(votes.sum()) + absent + start,
        )

    def _best(self, voting: Voting, votes: np.ndarray, only_public: bool) -> list[str]:
        """The pictures with the largest votes, of each group of near-duplicates one."""
        roster, found = self._roster, dict[int, str]()
        order: list[int] = np.argsort(-votes, kind="stable").tolist()
        for at in order:
            row = roster.row_of.get(voting.images[at])
            if votes[at] > 0 and row is not None and (roster.is_public[row] or not only_public):
                found.setdefault(int(roster.twin[row]), voting.images[at])
            if len(found) == READ:
                break
        return list(found.values())

    def _read(self, images: Sequence[str], classifier: Classifier) -> dict[str, Reading]:
        """Those that are still there; a picture that was removed meanwhile is one of the others."""
        found: dict[str, Reading] = {}
        for image in images:
            try:
                found[image] = self._readings.of(image, classifier)
            except (PictureError, StorageError):
                continue
        return found


def _without(head: VotingHead, views: Sequence[View], voting: Voting, at: int, pair: Sequence[int]) -> float | None:
    """A's logit less B's by the head that never saw a picture; None where nothing is left of a kind."""
    other, weight = voting.vectors[at], float(voting.weights[at])
    left = np.sum(
        [view.weight * head.without(view.tokens.mean(0), other, voting.column, weight) for view in views], axis=0
    )
    difference = float(left[pair[0]] - left[pair[1]])
    return difference if np.isfinite(difference) else None
