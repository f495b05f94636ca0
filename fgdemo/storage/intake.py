"""From a source of pictures into the workspace, batch by batch; can be stopped at any moment and begun again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from PIL import Image
from sqlalchemy.engine import Engine

from fgdemo.annotation import Split
from fgdemo.errors import PictureError, TaxonomyError
from fgdemo.storage.database import reading
from fgdemo.storage.embeddings import Embeddings, Looks
from fgdemo.storage.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.images import decode_reduced
from fgdemo.storage.labelled import LabelledPicture
from fgdemo.storage.originals import ImageStore, image_id_of
from fgdemo.storage.roster import Roster
from fgdemo.storage.schema import image_table
from fgdemo.storage.taxa import TaxonStore
from fgdemo.storage.twins import TwinFinder, dhash
from fgdemo.taxonomy import Taxonomy, display_name

BATCH = 32
MODEL_PX = 960
EVERY = 10
"""Of a class without splits each tenth picture becomes val and each tenth gold, beginning with the sixth and the
first of ten; classes with fewer than `FEWEST` pictures only train."""
FEWEST = 10
IMPORT_ORDER: dict[str, int] = {"gold": 0, "test": 0, "val": 1, "train": 2}
"""Held-out pictures come first, so that a training picture that is the twin of one joins it there."""


@dataclass
class Imported:
    """What an import did: it is filled while the import runs."""

    added: int = 0
    known: int = 0
    twins: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    new_kinds: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Ready:
    """A picture that was read, decoded and matched, but not stored yet."""

    listed: LabelledPicture
    image: str
    original: bytes
    picture: Image.Image
    size: tuple[int, int]
    taxon: str | None


class Intake:
    """Takes pictures into one workspace.

    Args:
        look: the model's one pass over a few upright pictures.
    """

    def __init__(
        self,
        engine: Engine,
        images: ImageStore,
        roster: Roster,
        embeddings: Embeddings,
        look: Callable[[Sequence[Image.Image]], Looks],
        max_picture_mp: int = 60,
    ) -> None:
        self._engine = engine
        self._log = EventLog(engine)
        self._taxa = TaxonStore(engine)
        self._images = images
        self._roster = roster
        self._embeddings = embeddings
        self._look = look
        self._max_picture_mp = max_picture_mp

    def take_in(
        self,
        pictures: Sequence[LabelledPicture],
        run: str,
        *,
        has_splits: bool,
        progress: Callable[[str, int, int], None] = lambda *_: None,
    ) -> Imported:
        """Store pictures that are not there yet, with the labels they came with as events of kind "import".

        A label that is no kind of the workspace makes a new kind. An empty label is none. Near-duplicates of a
        picture join it in its split.

        Args:
            run: a name for this import.
            has_splits: the source says what is train, val and test (which becomes gold); otherwise they are drawn.

        Raises:
            StorageError: nothing more can be written; what was taken in stays.
        """
        report = Imported()
        self._roster.follow()
        taxon_of = self._match(sorted({p.label for p in pictures if p.label}), report)
        listed = sorted(pictures, key=lambda p: (IMPORT_ORDER.get(p.split, 2), p.name))
        if not has_splits:
            listed = _draw_splits(listed)
        finder = self._known_twins()
        done = 0
        for batch in _batches(listed):
            ready = [one for one in (self._read(p, taxon_of, report) for p in batch) if one is not None]
            self._store(ready, run, finder, report)
            done += len(batch)
            progress("taking in pictures", done, len(listed))
        self._roster.follow()
        self._look_at_missing(progress, report)
        return report

    def _match(self, labels: Sequence[str], report: Imported) -> dict[str, str]:
        """Taxon of every label; those that nothing matches become new kinds at the root."""
        try:
            taxonomy = self._taxa.load()
            found = {label: _matching(taxonomy, label) for label in labels}
        except TaxonomyError:  # an empty workspace
            found = dict.fromkeys(labels)
        for label in labels:
            if found[label] is None:
                try:
                    found[label] = self._taxa.add(display_name(label)).id
                    report.new_kinds.append(display_name(label))
                except TaxonomyError as error:
                    report.skipped.append((label, str(error)))
        return {label: taxon for label, taxon in found.items() if taxon is not None}

    def _read(self, listed: LabelledPicture, taxon_of: dict[str, str], report: Imported) -> _Ready | None:
        """Read and decode one picture; None if it is there already, or cannot be used and is now in the report."""
        taxon = taxon_of.get(listed.label)
        if listed.label and taxon is None:
            report.skipped.append((listed.name, f"its class {listed.label} has no usable name"))
            return None
        try:
            original = listed.load()
            image = image_id_of(original)
            if image in self._roster:
                self._say_again(image, taxon, listed, report)
                return None
            picture, size = decode_reduced(original, MODEL_PX, name=listed.name, max_picture_mp=self._max_picture_mp)
        except PictureError as error:
            report.skipped.append((listed.name, str(error)))
            return None
        except OSError as error:
            report.skipped.append((listed.name, f"cannot be read ({error.strerror})"))
            return None
        return _Ready(listed, image, original, picture, size, taxon)

    def _say_again(self, image: str, taxon: str | None, listed: LabelledPicture, report: Imported) -> None:
        """A picture that is there: another label it now comes with is noted, unless a person has spoken since."""
        standing = self._roster.standing(image)
        report.known += 1
        fresh = standing.kind in ("import", "suggestion") and standing.split != "gold"
        if fresh and taxon is not None and taxon != standing.taxon:
            self._log.append(LabelEvent(image, "import", listed.annotator or "import", taxon=taxon))
            self._roster.follow()

    def _store(self, ready: list[_Ready], run: str, finder: TwinFinder, report: Imported) -> None:
        ready = list({one.image: one for one in ready}.values())
        if not ready:
            return
        looks = self._look([one.picture for one in ready])
        entries = []
        split_of: dict[str, Split] = {}
        for one, embedding in zip(ready, looks.embeddings, strict=True):
            hashed = dhash(one.picture)
            twin = finder.find(hashed, embedding)
            finder.add(one.image, hashed, embedding)
            split: Split = "gold" if one.listed.split == "test" else one.listed.split
            if twin is not None:
                split = split_of.get(twin) or self._roster.standing(twin).split
                report.twins += 1
            split_of[one.image] = split
            report.splits[split] += 1
            entries.append(
                (
                    LabelEvent(one.image, "import", one.listed.annotator or "import", taxon=one.taxon),
                    NewPicture(
                        one.original, *one.size, source="import", split=split, name=one.listed.name,
                        dhash=f"{hashed:016x}", twin_of=twin, imported_in=run,
                    ),
                )
            )  # fmt: skip
        self._log.append_many(entries, self._images)
        self._embeddings.append([one.image for one in ready], looks)
        for one in ready:
            self._images.make_thumbnail(one.image, one.picture)
        self._roster.follow()
        report.added += len(ready)

    def _look_at_missing(self, progress: Callable[[str, int, int], None], report: Imported) -> None:
        """Pictures that another model saw, or that came in when a crash took their embeddings away."""
        missing = self._embeddings.missing(self._roster.image_ids)
        for start in range(0, len(missing), BATCH):
            kept, pictures = [], []
            for image in missing[start : start + BATCH]:
                try:
                    pictures.append(decode_reduced(self._images.read(image), MODEL_PX, name=f"{image[:12]}…")[0])
                    kept.append(image)
                except PictureError as error:
                    report.skipped.append((image[:12], str(error)))
            if kept:
                self._embeddings.append(kept, self._look(pictures))
            progress("looking at pictures", min(start + BATCH, len(missing)), len(missing))

    def _known_twins(self) -> TwinFinder:
        finder, rows = TwinFinder(), self._embeddings.rows
        with reading(self._engine) as connection:
            query = sa.select(image_table.c.id, image_table.c.dhash).where(image_table.c.dhash.is_not(None))
            known = [(image, hashed) for image, hashed in connection.execute(query) if image in rows]
        for start in range(0, len(known), 1024):
            some = known[start : start + 1024]
            vectors = self._embeddings.vectors([rows[image] for image, _ in some])
            for (image, hashed), vector in zip(some, vectors, strict=True):
                finder.add(image, int(hashed, 16), vector)
        return finder


def _matching(taxonomy: Taxonomy, label: str) -> str | None:
    """The leaf or the group that a label means."""
    leaf = taxonomy.match(label)
    if leaf is not None:
        return leaf
    wanted = display_name(label).casefold()
    return next((taxon.id for taxon in taxonomy.taxa if taxon.id == label or taxon.name.casefold() == wanted), None)


def _draw_splits(pictures: Sequence[LabelledPicture]) -> list[LabelledPicture]:
    """Stratified: of each labelled class a tenth is held out as val, a tenth locked as gold."""
    sizes = Counter(picture.label for picture in pictures)
    seen: Counter[str] = Counter()
    drawn = []
    for picture in sorted(pictures, key=lambda p: image_id_of(p.name.encode())):  # an order that is no order
        split: Split = "train"
        if picture.label and sizes[picture.label] >= FEWEST:
            place = seen[picture.label] % EVERY
            split = "gold" if place == 0 else "val" if place == EVERY // 2 else "train"
            seen[picture.label] += 1
        drawn.append(replace(picture, split="test" if split == "gold" else split))
    return sorted(drawn, key=lambda p: (IMPORT_ORDER[p.split], p.name))


def _batches(pictures: Sequence[LabelledPicture]) -> Iterator[Sequence[LabelledPicture]]:
    for start in range(0, len(pictures), BATCH):
        yield pictures[start : start + BATCH]
