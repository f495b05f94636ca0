"""A picture as it is asked: what is given, what it may be, what others said, and why it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from fgdemo.services.labelling.session_words import reason_sentence
from fgdemo.storage.history.events import EventLog, LabelEvent
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.values.annotation import Learner, Reason, Standing
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import Classifier


@dataclass(frozen=True)
class Given:
    """What stands about a picture, and who said so."""

    taxon: str | None
    name: str
    latin: str | None
    annotator: str
    checked: bool


@dataclass(frozen=True)
class Choice:
    taxon: str
    name: str
    latin: str | None
    prob: float
    look_alike: bool


@dataclass(frozen=True)
class Item:
    """A picture as it is asked. `version` is to be named by the answer."""

    image: str
    version: int
    name: str
    reason: Reason
    sentence: str
    blind: bool
    given: Given | None
    choices: tuple[Choice, ...]
    suggestions: tuple[tuple[str, str], ...]
    """(name, comment) of what visitors said."""
    opinions: tuple[tuple[str, str], ...]
    """(annotator, name) where opinions differ."""


class Items:
    """Makes items of pictures, as they stand now."""

    def __init__(
        self, roster: Roster, learner: Learner, taxa: TaxonStore, classifier: Classifier, log: EventLog
    ) -> None:
        self._roster, self._learner, self._taxa, self._classifier, self._log = roster, learner, taxa, classifier, log

    def of(self, asked: Sequence[tuple[str, Reason]]) -> tuple[Item, ...]:
        """Raises StorageError where a picture is not in the workspace."""
        if not asked:
            return ()
        taxonomy, names = self._taxa.load(), self._roster.names([image for image, _ in asked])
        return tuple(self._item(image, reason, names.get(image, ""), taxonomy) for image, reason in asked)

    def _item(self, image: str, reason: Reason, name: str, taxonomy: Taxonomy) -> Item:
        standing = self._roster.standing(image)
        chances = self._learner.chances(image) or ()
        alike = set(self._classifier.lookalikes(chances[0].taxon)) if chances else set[str]()
        blind = reason == "second"
        history = self._log.history(image) if standing.suggested or standing.disputed else []
        return Item(
            image=image,
            version=standing.version,
            name=name,
            reason=reason,
            sentence=reason_sentence(reason, standing, chances, taxonomy),
            blind=blind,
            given=None if blind or standing.taxon is None else _given(standing, taxonomy),
            choices=tuple(
                Choice(c.taxon, taxonomy[c.taxon].name, taxonomy[c.taxon].latin, c.prob, c.taxon in alike)
                for c in chances
            ),
            suggestions=tuple(
                (said.new_name or (taxonomy[said.taxon].name if said.taxon else ""), said.comment or "")
                for said in history
                if said.kind == "suggestion"
            ),
            opinions=_opinions(history, taxonomy) if reason == "adjudication" else (),
        )


def _given(standing: Standing, taxonomy: Taxonomy) -> Given:
    taxon = taxonomy[standing.taxon or ""]
    return Given(taxon.id, taxon.name, taxon.latin, standing.annotator, standing.checked)


def _opinions(history: Sequence[LabelEvent], taxonomy: Taxonomy) -> tuple[tuple[str, str], ...]:
    """The newest answer of each expert."""
    undone = {said.undoes for said in history}
    newest = {said.annotator: said for said in history if said.kind == "label" and said.id not in undone}
    return tuple((name, taxonomy[said.taxon or ""].name) for name, said in newest.items())
