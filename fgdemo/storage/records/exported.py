"""One picture on its way out: its bytes, its safe name, and what is true of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from fgdemo.storage.disk.safe_names import picture_name
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.records.inventory import AnswerState, Holding, Inventory
from fgdemo.values.errors import StorageError
from fgdemo.values.labelled import SourceSplit
from fgdemo.values.progress import Progress
from fgdemo.values.taxonomy import Taxon


@dataclass(frozen=True)
class Piece:
    """A picture to be written.

    Attributes:
        stem, ending: a safe name for its file.
        answer: what is said of it now; `taxon` is what that names, `label` the name of that, unlike any other.
        split: test is what is gold.
        annotator, said_at, comment: who said so, when, and what else; "" where nobody did.
    """

    held: Holding
    content: bytes
    stem: str
    ending: str
    answer: AnswerState
    taxon: Taxon | None
    label: str
    split: SourceSplit
    annotator: str
    said_at: str
    comment: str

    @property
    def checked(self) -> bool:
        return self.held.standing is not None and self.held.standing.checked


class Pieces:
    """The pictures of an inventory one after another; what has no file is named in `skipped`."""

    def __init__(
        self, inventory: Inventory, images: ImageStore, skipped: list[tuple[str, str]], progress: Progress
    ) -> None:
        self.inventory, self._images, self._skipped, self._progress = inventory, images, skipped, progress
        self.labels = class_names(inventory.taxa)
        self._done = 0

    def __iter__(self) -> Iterator[Piece]:
        for held in self.inventory:
            piece = self.piece(held)
            if piece is not None:
                yield piece

    def piece(self, held: Holding) -> Piece | None:
        """None, and a note, where its file is not in the workspace."""
        self._done += 1
        self._progress("exporting pictures", self._done, self.inventory.pictures)
        try:
            content = self.read(held.image)
        except StorageError as error:
            self._skipped.append((held.name, str(error)))
            return None
        stem, ending = picture_name(held.name, content)
        answer, taxon = self.inventory.answer(held)
        decided = [e for e in held.history if held.standing and e.annotator == held.standing.annotator and not e.blind]
        said = next((e for e in reversed(decided) if held.standing and e.kind == held.standing.kind), None)
        return Piece(
            held,
            content,
            stem,
            ending,
            answer,
            taxon,
            self.labels[taxon.id] if taxon else "",
            _split(held.split),
            said.annotator if said else "",
            said.created_at or "" if said else "",
            said.comment or "" if said else "",
        )

    def read(self, image: str) -> bytes:
        """Raises StorageError."""
        return self._images.read(image)


def class_names(taxa: tuple[Taxon, ...]) -> dict[str, str]:
    """A name for each taxon id that no other taxon has, its own name if that is so."""
    owners: dict[str, list[str]] = {}
    for taxon in taxa:
        owners.setdefault(taxon.name.casefold(), []).append(taxon.id)
    return {taxon.id: taxon.name if len(owners[taxon.name.casefold()]) == 1 else taxon.id for taxon in taxa}


def _split(split: str | None) -> SourceSplit:
    """gold is called test outside; what has no split yet is train."""
    return "test" if split in ("gold", "test") else "val" if split == "val" else "train"
