"""What an import would do, before anybody has said yes to it: nothing of the workspace is changed.

All that the source says is counted whole. Pictures are opened one by one, which takes long, so of a large source only
some are: evenly spread, so that each kind has its share.
"""

import base64
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import sqlalchemy as sa
from PIL import Image

from fgdemo.storage.database.database import reading
from fgdemo.storage.database.schema import image_table, taxon_table
from fgdemo.storage.exchange.kinds import foresee_kinds
from fgdemo.storage.exchange.known import bare_pictures, gone_pictures
from fgdemo.storage.exchange.splits import in_import_order
from fgdemo.storage.formats.sources import Source
from fgdemo.storage.pictures.images import jpeg
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.values.batches import batches
from fgdemo.values.errors import BusyError, PictureError, StorageError
from fgdemo.values.labelled import LabelledPicture, plain_text
from fgdemo.values.progress import Progress, no_progress

LOOKED_AT_MOST = 1000
SHOWN = 24
"""So many small pictures are shown."""
SMALL_PX = 144
NAMED = 20
"""So many kinds, and so many files that would be left out, are named."""
AT_ONCE, READERS = 16, 4


@dataclass(frozen=True)
class SmallPicture:
    """`src` is a data URL; `label` what its source calls it, or empty."""

    name: str
    label: str
    src: str


@dataclass(frozen=True)
class Foreseen:
    """What an import would do.

    Attributes:
        pictures: all that were found; looked_at: how many of them were opened. Of those:
        new, known: how many would come in, and how many are here already; removed: were here, and were removed for
            good; twice: are the same picture as another one of the source; unreadable: cannot be read.
        unlabelled: of all pictures, how many come without a label.
        kinds, new_kinds: the names of known and of new kinds with their numbers of pictures, the largest first, the
            first ones only; kind_count, new_kind_count: how many kinds these are.
        only: the name of the new kind that all pictures would have; empty where there are others, or none.
        splits: of all pictures, how many are meant for each.
        left_out: the first (name, reason) of what would be left out, `left_out_count` in all.
        notes: how the source was understood.
    """

    pictures: int
    looked_at: int = 0
    new: int = 0
    known: int = 0
    removed: int = 0
    twice: int = 0
    unreadable: int = 0
    unlabelled: int = 0
    kinds: tuple[tuple[str, int], ...] = ()
    kind_count: int = 0
    new_kinds: tuple[tuple[str, int], ...] = ()
    new_kind_count: int = 0
    only: str = ""
    splits: Mapping[str, int] = field(default_factory=dict[str, int])
    left_out: tuple[tuple[str, str], ...] = ()
    left_out_count: int = 0
    notes: tuple[str, ...] = ()
    thumbnails: tuple[SmallPicture, ...] = ()


@dataclass(frozen=True)
class _Opened:
    listed: LabelledPicture
    image: str
    picture: Image.Image


def without_labels(source: Source) -> Source:
    """The same as unsorted pictures: what folders and tables call them is left; other workspaces keep their history."""
    bare = [one if one.origin is not None else replace(one, label="", said=()) for one in source.pictures]
    return replace(source, pictures=tuple(bare), labels=(), groups={})


def foresee(
    engine: sa.Engine, images: ImageStore, source: Source, has_splits: bool, progress: Progress = no_progress
) -> Foreseen:
    """What an import of this source would do now. To stop it, let `progress` raise.

    Raises:
        StorageError: the workspace cannot be read.
    """
    progress("reading what there is", 0, len(source.pictures))
    told = _said(engine, source, has_splits)
    with reading(engine) as connection:
        here = set(connection.execute(sa.select(image_table.c.id)).scalars()) - bare_pictures(engine)
    gone = gone_pictures(engine)
    step = max(1, -(-len(source.pictures) // LOOKED_AT_MOST))
    chosen = source.pictures[::step]
    small_step = max(1, -(-len(chosen) // SHOWN))
    counts: Counter[str] = Counter()
    met: set[str] = set()
    left_out, small = list(source.skipped), list[SmallPicture]()
    with ThreadPoolExecutor(READERS) as pool:
        for some in batches(range(len(chosen)), AT_ONCE):
            opened = pool.map(partial(_open, images), [chosen[at] for at in some])
            for at, one in zip(some, opened, strict=True):
                if isinstance(one, str):
                    counts["unreadable"] += 1
                    left_out.append((plain_text(chosen[at].name), one))
                    continue
                is_first = one.image not in met
                met.add(one.image)
                state = "removed" if one.image in gone else "known" if one.image in here else "new"
                counts[state if is_first else "twice"] += 1
                if at % small_step == 0 or (len(small) < SHOWN and len(chosen) - at <= SHOWN - len(small)):
                    small.append(_small(one))
            unreadable = f", {counts['unreadable']:,} unreadable" if counts["unreadable"] else ""
            progress(f"looking at pictures{unreadable}", some.stop, len(chosen))
    return replace(
        told,
        looked_at=len(chosen),
        **{name: counts[name] for name in ("new", "known", "removed", "twice", "unreadable")},
        left_out=tuple(left_out[:NAMED]),
        left_out_count=len(left_out),
        thumbnails=tuple(small[:SHOWN]),
    )


def _said(engine: sa.Engine, source: Source, has_splits: bool) -> Foreseen:
    """All that is known without opening a picture."""
    labels = Counter(_label(picture) for picture in source.pictures)
    unlabelled = labels.pop("", 0)
    kinds = foresee_kinds(engine, labels, *source.taxa, source.groups)
    with reading(engine) as connection:
        names = {row.id: row.name for row in connection.execute(sa.select(taxon_table.c.id, taxon_table.c.name))}
    old, new = Counter[str](), Counter[str]()
    for label, count in labels.items():
        taxon = kinds.taxon_of.get(label)
        if taxon is not None:
            (old if taxon in names else new)[names.get(taxon) or kinds.names.get(taxon, label)] += count
    listed = in_import_order(source.pictures, has_splits)
    splits = Counter("gold" if picture.split == "test" else picture.split for picture in listed)
    faults = [(plain_text(label), reason) for label, reason in kinds.faults]
    only = next(iter(new), "") if len(new) == 1 and not old and not unlabelled else ""
    return Foreseen(
        pictures=len(source.pictures),
        unlabelled=unlabelled,
        kinds=tuple(old.most_common(NAMED)),
        kind_count=len(old),
        new_kinds=tuple(new.most_common(NAMED)),
        new_kind_count=len(new),
        only=only,
        splits=dict(splits),
        notes=(*source.notes, *map(plain_text, kinds.notes), *(f"{name}: {reason}." for name, reason in faults[:5])),
    )


def _label(picture: LabelledPicture) -> str:
    """The label it would have, in the words of its source; empty where it has none."""
    given = [said.label for said in picture.history if said.label is not None and not said.blind]
    last = given[-1] if given else ""
    return last if isinstance(last, str) else last.name


def _open(images: ImageStore, listed: LabelledPicture) -> _Opened | str:
    try:
        original = images.decoder.without_metadata(listed.load(), name=listed.name)
        picture, _ = images.decoder.decode(original, SMALL_PX, name=listed.name)
    except (PictureError, StorageError, BusyError) as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error.strerror or 'input/output error'})"
    return _Opened(listed, image_id_of(original), picture)


def _small(one: _Opened) -> SmallPicture:
    content = base64.b64encode(jpeg(one.picture, SMALL_PX)).decode()
    return SmallPicture(
        plain_text(one.listed.name)[-120:], plain_text(_label(one.listed)), f"data:image/jpeg;base64,{content}"
    )
