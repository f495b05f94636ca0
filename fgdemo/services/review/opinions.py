"""How far independent opinions agree, and what each annotator has done."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fgdemo.statistics.agreement import Agreement, Share, agreement_of, share_of
from fgdemo.storage.history.answers import SecondOpinion, Tally
from fgdemo.values.annotation import Person
from fgdemo.values.taxonomy import Taxonomy

NEWEST = 5000
"""Agreement stands on so many second opinions, the newest."""
MOST_PAIRS = 20


@dataclass(frozen=True)
class AnnotatorSummary:
    """One person.

    Attributes:
        labels, set_aside, unsure: answers that name a kind; unusable or none of these; unsure. A skip is no answer.
        per_minute: pictures a minute while looking at one after another; None where that is not known, or not for
            the person who asks.
        corrections: how many of the labels that the person met were changed (`right` counts the changes).
        agreement: with the opinions of all others about the same pictures.
    """

    name: str
    labels: int
    set_aside: int
    unsure: int
    per_minute: float | None
    corrections: Share | None
    agreement: Agreement
    last: str


@dataclass(frozen=True)
class PairOfPeople:
    a: str
    b: str
    agreement: Agreement


@dataclass(frozen=True)
class PairOfKinds:
    """Two kinds that experts differ about: so often did one say `a` and another `b`."""

    a: str
    a_name: str
    b: str
    b_name: str
    differ: int
    agreement: Agreement


@dataclass(frozen=True)
class Annotators:
    """Everybody's work, and how far it can be relied on."""

    people: tuple[AnnotatorSummary, ...]
    overall: Agreement
    pairs: tuple[PairOfPeople, ...]
    kinds: tuple[PairOfKinds, ...]


class Opinions:
    """Blind second opinions beside the answers they are about, by picture.

    Args:
        seconds: as `fgdemo.storage.history.answers.second_opinions` gives them.
    """

    def __init__(self, seconds: Sequence[SecondOpinion]) -> None:
        units: dict[str, dict[str, str]] = {}
        for said in reversed(seconds):
            unit = units.setdefault(said.image, {said.first: said.first_taxon})
            unit[said.second] = said.second_taxon
        self.units = [unit for unit in units.values() if len(unit) > 1]

    def about_kind(self, taxon: str) -> Agreement:
        """Whether it is this kind, over all pictures with two opinions of which at least one was this kind."""
        about = any_of(self.units, {taxon})
        # Chance is that of all pictures: among those alone where somebody said so, kappa would be far too low.
        everything = agreement_of([{who: said == taxon for who, said in unit.items()} for unit in self.units])
        same = sum(len(set(unit.values())) == 1 for unit in about)
        return Agreement(len(about), same, everything.kappa if about else None, everything.alpha if about else None)

    def about_pair(self, a: str, b: str) -> Agreement:
        """Which of the two, over pictures where every opinion was one of them."""
        return agreement_of([unit for unit in self.units if set(unit.values()) <= {a, b}])


def any_of(units: Sequence[dict[str, str]], taxa: set[str]) -> list[dict[str, str]]:
    return [unit for unit in units if taxa & set(unit.values())]


def annotators(person: Person, tallied: Sequence[Tally], opinions: Opinions, taxonomy: Taxonomy) -> Annotators:
    """What an expert may see of everybody; how fast others work is for maintainers and themselves only."""
    people: list[AnnotatorSummary] = []
    for tally in tallied:
        mine = [unit for unit in opinions.units if tally.annotator in unit]
        others = [
            {tally.annotator: unit[tally.annotator], f"others {who}": said}
            for unit in mine
            for who, said in unit.items()
            if who != tally.annotator
        ]
        knows_pace = tally.seconds > 0 and (person.role == "maintainer" or person.name == tally.annotator)
        people.append(
            AnnotatorSummary(
                name=tally.annotator,
                labels=tally.kinds.get("label", 0) + tally.kinds.get("adjudication", 0),
                set_aside=tally.kinds.get("unusable", 0) + tally.kinds.get("none", 0),
                unsure=tally.kinds.get("unsure", 0),
                per_minute=round(60 * tally.timed / tally.seconds, 1) if knows_pace else None,
                corrections=share_of(tally.changed, tally.compared),
                agreement=agreement_of(others),
                last=tally.last,
            )
        )
    return Annotators(
        tuple(sorted(people, key=lambda one: (-one.labels, one.name))),
        agreement_of(opinions.units),
        _people(opinions.units),
        _kinds(opinions, taxonomy),
    )


def _people(units: Sequence[dict[str, str]]) -> tuple[PairOfPeople, ...]:
    together: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for unit in units:
        names = sorted(unit)
        for at, a in enumerate(names):
            for b in names[at + 1 :]:
                together[a, b].append({a: unit[a], b: unit[b]})
    found = [PairOfPeople(a, b, agreement_of(both)) for (a, b), both in together.items()]
    return tuple(sorted(found, key=lambda pair: (-pair.agreement.n, pair.a, pair.b))[:MOST_PAIRS])


def _kinds(opinions: Opinions, taxonomy: Taxonomy) -> tuple[PairOfKinds, ...]:
    differ: Counter[tuple[str, str]] = Counter()
    for unit in opinions.units:
        said = sorted(set(unit.values()))
        differ.update((a, b) for at, a in enumerate(said) for b in said[at + 1 :])
    return tuple(
        PairOfKinds(a, taxonomy[a].name, b, taxonomy[b].name, count, opinions.about_pair(a, b))
        for (a, b), count in sorted(differ.items(), key=lambda one: (-one[1], one[0]))[:MOST_PAIRS]
    )
