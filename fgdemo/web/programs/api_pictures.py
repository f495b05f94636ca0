"""Endpoints for everybody: what a picture shows, and why. The docstrings are the API docs.

Without `from __future__ import annotations`: Gradio reads the types as they stand.
"""

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from gradio.data_classes import FileData
from gradio.utils import get_upload_folder
from pydantic import Field

from fgdemo.services.classify.comparing import PlaceCompared
from fgdemo.services.classify.suggestions import Suggested
from fgdemo.storage.visitors.pictures import LeftPicture
from fgdemo.values.annotation import Person
from fgdemo.values.classification.answers import Classification, FineMap, Neighbour, TaxonHit
from fgdemo.values.classification.closeness import Closeness
from fgdemo.values.limits import MOST_HITS
from fgdemo.values.methods import MethodMaps, methods_of
from fgdemo.values.taxonomy import About
from fgdemo.values.types import Trust
from fgdemo.web.http.payloads import WHOLE, Box, OptionalComment, OptionalText, Picture, Taxa, Text

if TYPE_CHECKING:
    from fgdemo.services.classify.suggestions import Suggestions
    from fgdemo.services.classify.workbench import Workbench

Fraction = Annotated[float, Field(ge=0, le=1)]
Hits = Annotated[int, Field(ge=1, le=MOST_HITS), WHOLE]


class PictureQuestions:
    """What the model says of a picture."""

    def __init__(self, workbench: "Workbench") -> None:
        self._workbench = workbench

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        yield from (self.about, self.classify, self.explain, self.spread, self.trust, self.methods, self.neighbours)
        yield self.same_place

    def about(self) -> About:
        """Say what the model knows: its version, how many kinds, and in which groups.

        Returns:
            The model's version, the number of kinds, the groups with their sizes (largest first), and all of that in
            a sentence.
        """
        return self._workbench.about()

    def classify(
        self,
        picture: Picture,
        box: Box = None,
        asked: OptionalText = None,
        rival: OptionalText = None,
        closer: Closeness = "auto",
    ) -> Classification:
        """Say what a photograph shows, how sure that is, and where the evidence lies.

        Parameters:
            picture: the photograph (JPEG, PNG, WebP, …).
            box: the part of the picture to look at, as fractions of its width and height; null for all of it.
            asked: taxon id of A, which the maps are about; null for the likeliest.
            rival: taxon id of B, which A is compared with; null for the likeliest look-alike.
            closer: whether the frame around the thing is read too, and both views answer: auto (where the first answer
                is unsure and the thing is small), always or never.
        Returns:
            The answer in words, the taxonomy path, the candidates with their evidence maps, the prediction set,
            the verdict on unknown kinds, the parts, and as `spread` the map of A as it is drawn: the same sum, on the
            pixels where the thing is. As `closer` where the thing is, whether the frame was read too, and the answer at
            first sight; null where the model takes no closer look.
        """
        ask = partial(self._workbench.classify, picture.path, name=picture.name, box=box)
        return ask(asked=asked, rival=rival, closer=closer)

    def trust(self, picture: Picture, a: Text, b: Text, box: Box = None) -> dict[str, Trust]:
        """Measure how faithful the maps are to the pixels of this picture (takes seconds).

        Parameters:
            picture: the photograph.
            a: taxon id of A.
            b: taxon id of B.
            box: the part of the picture to look at; null for all of it.
        Returns:
            For the maps "class" (of A) and "contrast" (A less B) a score: 1 is best, 0 no better than a random map.
        """
        return self._workbench.maps.trust(picture.path, name=picture.name, box=box, a=a, b=b)

    def spread(
        self, picture: Picture, a: Text, b: Text, box: Box = None, closer: Closeness = "auto"
    ) -> dict[str, FineMap]:
        """Say on which pixels the evidence is drawn: maps on a finer grid with the same sums.

        Parameters:
            picture: the photograph.
            a: taxon id of A.
            b: taxon id of B.
            box: the part of the picture to look at; null for all of it.
            closer: as in classify.
        Returns:
            The maps "class" (of A) and "contrast" (A less B); one is left out where nothing in the picture tells where,
            and is drawn as the evidence is.
        """
        return self._workbench.maps.spread(picture.path, name=picture.name, box=box, a=a, b=b, closer=closer)

    def methods(
        self,
        picture: Picture,
        a: Text,
        b: Text,
        methods: Taxa | None = None,
        box: Box = None,
        measure_trust: bool = False,
    ) -> MethodMaps:
        """Draw the maps of Grad-CAM and its relatives beside the exact evidence, of the same pass of the network.

        Parameters:
            picture: the photograph.
            a: taxon id of A.
            b: taxon id of B.
            methods: which: evidence, GradCAM, HiResCAM, GradCAM++, LayerCAM, EigenCAM, contrast, FinerCAM;
                null for all.
            box: the part of the picture to look at; null for all of it.
            measure_trust: also measure how faithful each is, which takes seconds a map.
        Returns:
            The maps in each method's own units, which of them are the same, and what is exact.
        """
        ask = partial(self._workbench.maps.methods, picture.path, name=picture.name, box=box, a=a, b=b)
        return ask(methods=methods_of(methods), measure=measure_trust)

    def neighbours(self, person: Person, picture: Picture, taxa: Taxa, box: Box = None) -> dict[str, list[Neighbour]]:
        """Find the labelled pictures that look most like it: published ones, and for experts all of the workspace.

        Parameters:
            picture: the photograph.
            taxa: ids of the taxa to look among.
            box: the part of the picture to look at; null for all of it.
        Returns:
            For each taxon its nearest pictures, nearest first; those that are published with credit and licence.
        """
        only_public = person.role == "visitor"
        ask = partial(self._workbench.neighbours, picture.path, name=picture.name, box=box, taxon_ids=tuple(taxa))
        found = ask(only_public=only_public)
        return {taxon: list(nearest) for taxon, nearest in found.items()}

    def same_place(
        self, person: Person, picture: Picture, a: Text, b: Text, x: Fraction, y: Fraction, box: Box = None
    ) -> PlaceCompared:
        """Say what one place of a picture says for A against B, and where the same place is in pictures of both.

        Parameters:
            picture: the photograph.
            a: taxon id of A.
            b: taxon id of B.
            x: from the left, as a fraction of the width of the box, or of the picture where there is none.
            y: from the top, as a fraction of its height.
            box: the part of the picture to look at; null for all of it.
        Returns:
            The log-odds of the places around it for A against B, a part of the same sum as the answer; and of both the
            labelled pictures that look most like this one, published ones, and for experts all of the workspace, each
            with the place where the same thing is seen and how sure that is, or that it is not visible there.
        """
        ask = partial(self._workbench.comparing.place, picture.path, name=picture.name, box=box, a=a, b=b, x=x, y=y)
        return ask(only_public=person.role == "visitor")

    def explain(
        self,
        picture: Picture,
        box: Box = None,
        asked: OptionalText = None,
        rival: OptionalText = None,
        measure_trust: bool = False,
        closer: Closeness = "auto",
    ) -> FileData:
        """Draw why it says A and not B: one PNG sheet with the picture, the maps, the parts and the bars that decided.

        Parameters:
            picture: the photograph.
            box: the part of the picture to look at; null for all of it.
            asked: taxon id of A; null for the likeliest.
            rival: taxon id of B; null for the likeliest look-alike.
            measure_trust: also measure how faithful both maps are, which takes seconds.
            closer: as in classify.
        Returns:
            The sheet, a PNG file 1600 pixels wide. The maps as numbers are in the answer of classify.
        """
        from fgdemo.explain.sheet import explain_sheet

        path, name = picture.path, picture.name
        found = self._workbench.classify(path, name=name, box=box, asked=asked, rival=rival, closer=closer)
        measured = None
        if measure_trust:
            part = found.closer.box if found.closer and found.closer.is_taken else box  # where more is seen
            measured = self._workbench.maps.trust(path, name=name, box=part, a=found.asked, b=found.rival)
        fine = self._workbench.maps.spread(path, name=name, box=box, a=found.asked, b=found.rival, closer=closer)
        shown = self._workbench.maps.picture(path, name=name, box=box)
        folder = Path(get_upload_folder()) / secrets.token_hex(16)  # among the uploads, which are cleared away
        folder.mkdir(parents=True)
        explain_sheet(found, shown, measured, fine).save(folder / "why.png")
        return FileData(path=str(folder / "why.png"), orig_name="why.png", mime_type="image/png")


class WordQuestions:
    """What kinds there are, and what a visitor says."""

    def __init__(self, workbench: "Workbench", suggestions: "Suggestions") -> None:
        self._workbench, self._suggestions = workbench, suggestions

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        yield from (self.search_taxa, self.suggest, self.forget_picture)

    def search_taxa(self, query: Text, limit: Hits = 20) -> list[TaxonHit]:
        """Find taxa by a part of their name, Latin name or alias.

        Parameters:
            query: what to look for.
            limit: how many at most, from 1 to 100.
        Returns:
            Taxa, best match first.
        """
        return list(self._workbench.search_taxa(query, limit))

    def suggest(
        self,
        picture: Picture,
        taxon: OptionalText = None,
        new_name: OptionalText = None,
        comment: OptionalComment = None,
        model_version: Text = "",
        box: Box = None,
        keep_picture: bool = False,
        key: OptionalText = None,
    ) -> Suggested:
        """Tell the experts that an answer is wrong. The picture is kept only where you say so.

        Parameters:
            picture: the photograph.
            taxon: id of the taxon it shows; null if it has none here.
            new_name: the name of a taxon that has no id here.
            comment: why.
            model_version: the model that gave the answer.
            box: the part of the picture that was looked at; null for all of it.
            keep_picture: true to leave the picture, too: experts see it, it is removed after some months unless one of
                them accepts it, and then models may learn from it. Place, time and camera are taken out before.
            key: a text of 20 or more characters that nobody else can guess, a UUID for example: sent twice with the
                same key a suggestion counts once, so it may be sent again after a fault; null where it may not.
        Returns:
            The id of the suggestion, once it is safely stored; and, where the picture was kept, until when, and a
            receipt with which `forget_picture` deletes it at any time.
        """
        return self._suggestions.add(
            picture.path,
            name=picture.name,
            taxon=taxon,
            new_name=new_name,
            comment=comment,
            model_version=model_version,
            keep_picture=keep_picture,
            box=box,
            key=key,
        )

    def forget_picture(self, receipt: Text) -> LeftPicture:
        """Delete a picture that was left with a suggestion. What was said about it stays, without the picture.

        Parameters:
            receipt: what `suggest` gave.
        Returns:
            What became of the picture: "removed", or "elsewhere" where a maintainer has brought the same one, too.
        """
        return self._suggestions.forget(receipt)
