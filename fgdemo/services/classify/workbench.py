"""Classify one picture and say why: what the Classify page, the API and the command line stand on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from fgdemo.services.classify.aside import Aside
from fgdemo.services.classify.closer import look, told
from fgdemo.services.classify.comparing import Comparing
from fgdemo.services.classify.evidence.cards import EvidenceCards, Voters
from fgdemo.services.classify.maps import Maps, check_different, check_leaves, check_pair
from fgdemo.services.classify.measuring import Measuring
from fgdemo.services.classify.readings import Readings
from fgdemo.services.classify.references import SAME_PICTURE, examples, nearest_others, neighbours
from fgdemo.services.classify.taxon_search import TaxonSearch
from fgdemo.services.classify.views import candidates, part_views, worth_comparing
from fgdemo.services.classify.waiting_room import WaitingRoom
from fgdemo.services.classify.wording import answer_for, known_kinds, verdict_of
from fgdemo.services.classify.workspace_readings import WorkspaceReadings
from fgdemo.storage.embeddings.library import Library
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.storage.pictures.images import Encoded
from fgdemo.values.classification.answers import Classification, Example, Neighbour, TaxonHit, TaxonProb
from fgdemo.values.classification.cards import Cards, View
from fgdemo.values.classification.closeness import Closeness
from fgdemo.values.evidence import Places
from fgdemo.values.methods import MethodsFunction
from fgdemo.values.taxonomy import About, KnownGroup
from fgdemo.values.types import Classifier, CropBox, Reading, TrustFunction

CANDIDATES = 8


class Workbench:
    """Answers questions about pictures; safe to use from many threads.

    Args:
        classifier: the model that is served.
        library: the labelled pictures of the workspace, or None.
        trust: measures how faithful the maps are, or None to leave that out.
        decoder: decodes what visitors send; in this process by default.
        methods: draws the maps of other methods, or None to leave that out.
        live: the same model with the parts that are taught now, or None where none are.
        places: says on which pixels evidence is drawn, or None to draw it as it is.
        voters: which pictures of the library have a vote in its head, or None to leave cards out.
        most_waiting: so many pictures wait for the model at once, and a few more of visitors who have few.
    """

    def __init__(
        self,
        classifier: Classifier,
        library: Library | None = None,
        trust: TrustFunction | None = None,
        decoder: Decoder | None = None,
        most_waiting: int = 64,
        methods: MethodsFunction | None = None,
        places: Places | None = None,
        live: Callable[[], Classifier] | None = None,
        voters: Voters | None = None,
    ) -> None:
        self._classifier = classifier
        self._library = library
        decoder = decoder or Decoder()
        room = WaitingRoom(most_waiting)
        self._search = TaxonSearch(classifier.taxonomy)
        live = live or (lambda: classifier)
        self._readings = Readings(live, decoder, room, places)
        self._maps = Maps(classifier, self._readings, decoder, Measuring(room), trust, methods, places)
        known = None if library is None else WorkspaceReadings(library.images, Aside("references", niceness=2))
        self._comparing = Comparing(live, self._readings, library, known, room)
        self._cards = EvidenceCards(voters, known, library.roster) if voters and known and library else None

    @property
    def comparing(self) -> Comparing:
        """The same place in pictures of A and of B."""
        return self._comparing

    @property
    def maps(self) -> Maps:
        """What its maps are, and how far to trust them."""
        return self._maps

    def about(self) -> About:
        """What the model knows, before it has seen anything."""
        taxonomy = self._classifier.taxonomy
        roots = Counter(taxonomy.root(leaf) for leaf in taxonomy.leaves if taxonomy[leaf].parent is not None)
        groups = tuple(KnownGroup(root, taxonomy[root].name, kinds) for root, kinds in roots.most_common())
        total = len(taxonomy.leaves)
        return About(self._classifier.version, total, groups, known_kinds(total, groups))

    def classify(
        self,
        data: Encoded,
        *,
        name: str,
        box: CropBox | None = None,
        asked: str | None = None,
        rival: str | None = None,
        closer: Closeness = "auto",
    ) -> Classification:
        """What the picture (or the part of it in `box`) shows, how sure that is, and the maps that say why.

        Args:
            data: the file's bytes, or the path of a file that the caller has checked to be an upload of ours.
            name: what to call the picture in an error.
            asked: id of the leaf the maps are about; by default the likeliest.
            rival: id of the leaf it is compared with; by default the likeliest other one, or where all others are out
                of the question the leaf's best known look-alike in its group, or the likeliest one there.
            closer: whether the frame around the thing is read too, and the answer is of both.

        Raises:
            PictureError: the picture cannot be used.
            BusyError: too many pictures wait for the model already.
            TaxonomyError: `asked` or `rival` is not a leaf of this model, or both are the same.
            BackboneError: this model takes no closer look.
        """
        started = time.perf_counter()
        check_leaves(self._classifier.taxonomy, asked, rival)
        looked = look(self._readings, data, name, box, closer)
        read, reading, taxonomy = looked.first, looked.reading, self._classifier.taxonomy
        verdict = verdict_of(reading)
        unknown = verdict is not None and verdict.is_unknown
        answer, likeliest = answer_for(taxonomy, reading.probs, looked.judge.sure_prob, unknown)
        ranked = [taxonomy.leaves[row] for row in map(int, np.argsort(-reading.probs, kind="stable"))]
        asked, rival = self._pair(asked, rival, likeliest, ranked, reading)
        shown = list(dict.fromkeys([*ranked[:CANDIDATES], asked, rival]))
        return Classification(
            image_id=read.image_id,
            width_px=read.width_px,
            height_px=read.height_px,
            box=box,
            display=read.display,
            model_version=self._classifier.version,
            kinds_known=len(taxonomy.leaves),
            answer=answer,
            path=self._path(likeliest, reading),
            candidates=candidates(reading, self._classifier, shown),
            prediction_set=self._taxon_probs(looked.judge.prediction_set(reading.probs), reading),
            coverage=self._classifier.coverage,
            unknown=verdict,
            grid=reading.evidence.shape[:2],
            parts=part_views(reading),
            asked=asked,
            rival=rival,
            elapsed_ms=round((time.perf_counter() - started) * 1000, 1),
            spread=self._maps.class_map(looked, asked),
            closer=told(looked, answer, taxonomy, self._classifier.sure_prob),
            caveat=self._classifier.caveat,
            is_sum=reading.evidence.shape[2] > 0,
        )

    def _pair(
        self, asked: str | None, rival: str | None, likeliest: str, ranked: Sequence[str], reading: Reading
    ) -> tuple[str, str]:
        """A and B: those that were asked about, else what is most worth comparing. Raises TaxonomyError."""
        asked = asked or next(leaf for leaf in [likeliest, *ranked] if leaf != rival)
        rival = rival or worth_comparing(self._classifier, asked, ranked, reading.probs)
        check_different(asked, rival)
        return asked, rival

    def _path(self, leaf: str, reading: Reading) -> tuple[TaxonProb, ...]:
        """From the root down to the leaf."""
        rolled = self._classifier.taxonomy.roll_up(reading.probs)
        return tuple(self._taxon_prob(taxon.id, rolled[taxon.id]) for taxon in self._classifier.taxonomy.path(leaf))

    def _taxon_probs(self, rows: Sequence[int], reading: Reading) -> tuple[TaxonProb, ...]:
        leaves = self._classifier.taxonomy.leaves
        return tuple(self._taxon_prob(leaves[row], float(reading.probs[row])) for row in rows)

    def neighbours(
        self, data: Encoded, *, name: str, box: CropBox | None, taxon_ids: Sequence[str], only_public: bool = True
    ) -> dict[str, tuple[Neighbour, ...]]:
        """For each taxon, the pictures of the workspace labelled so that look most like this one, nearest first.
        `only_public`: of those that visitors may see.

        Raises:
            PictureError, TaxonomyError: as for `classify`.
            StorageError: the workspace cannot be read.
        """
        for taxon in taxon_ids:
            self._classifier.taxonomy[taxon]
        if self._library is None:
            return dict.fromkeys(taxon_ids, ())
        read = self._readings.of(data, name, box)
        whole = read if box is None else self._readings.recent(read.image_id, None)
        embedding = None if whole is None else whole.reading.embedding
        near = {taxon: nearest_others(self._library, read, embedding, taxon, only_public) for taxon in taxon_ids}
        return {taxon: neighbours(self._library, taxon, found) for taxon, found in near.items()}

    def cards(
        self,
        data: Encoded,
        *,
        name: str,
        box: CropBox | None,
        a: str,
        b: str,
        only_public: bool = True,
        closer: Closeness = "never",
    ) -> Cards | None:
        """Which places of which labelled pictures spoke for A and for B; None where nothing tells.

        Args:
            only_public: show those that visitors may see; closer: as it was answered (`classify`).

        Raises:
            PictureError, TaxonomyError: as for `classify`.
            StorageError: the workspace cannot be read.
        """
        check_pair(self._classifier.taxonomy, a, b)
        if self._cards is None or self._library is None:
            return None
        looked, itself = look(self._readings, data, name, box, closer), set[str]()
        if box is None:
            near = (self._library.nearest(looked.first.reading.embedding, taxon, 1) for taxon in (a, b))
            itself = {one.image_id for found in near for one in found if one.similarity > SAME_PICTURE}
        views = [View(read.reading, box or place, weight) for read, place, weight in looked.views()]
        return self._cards.of(views, looked.first.by, a, b, {looked.first.image_id, *itself}, only_public)

    def examples(self) -> tuple[Example, ...]:
        """Published pictures for whoever has none at hand. Raises StorageError."""
        return () if self._library is None else examples(self._library)

    def is_public(self, image: str) -> bool:
        """Whether visitors may see this picture of the workspace."""
        return self._library is not None and self._library.is_public(image)

    def search_taxa(self, query: str, limit: int = 20) -> tuple[TaxonHit, ...]:
        """Taxa whose name, alias or Latin name matches, best first; see `TaxonSearch.find`."""
        return self._search.find(query, limit)

    def _taxon_prob(self, taxon: str, prob: float) -> TaxonProb:
        found = self._classifier.taxonomy[taxon]
        return TaxonProb(found.id, found.name, found.latin, prob)
