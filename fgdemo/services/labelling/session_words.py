"""What the orders of work are called, and why a picture is asked, in an expert's words."""

from collections.abc import Sequence

from fgdemo.services.classify.wording import percent
from fgdemo.values.annotation import Order, Reason, Standing, TaxonChance
from fgdemo.values.bidi import isolated
from fgdemo.values.taxonomy import Taxonomy

ORDERS: dict[Order, tuple[str, str]] = {
    "suspicion": ("Labels that look wrong", "Pictures whose label the model doubts, most doubtful first"),
    "pair": ("One pair of look-alikes", "Only pictures of two kinds that are taken for each other"),
    "typical": ("Unlabelled, typical first", "What is typical of groups that nobody has labelled"),
    "uncertain": ("Hard to tell", "Pictures between two kinds, closest first"),
    "new": ("New pictures", "The newest import first"),
    "suggestion": ("Suggestions of visitors", "What visitors said is wrong"),
    "adjudication": ("Where opinions differ", "The last word on second opinions that differ from the label"),
    "audit": ("Random check", "A random draw, to know how good the labels are"),
    "gold": ("Gold that looks wrong", "What models are judged by: labels in doubt among as many others, asked blind"),
}


def disagreement(checked: bool) -> str:
    """Who disagrees about a disputed picture; `checked`: an expert gave its label, which did not come with it."""
    return "Experts disagree" if checked else "An expert disagrees with the label that the picture came with"


def reason_sentence(reason: Reason, standing: Standing, chances: Sequence[TaxonChance], taxonomy: Taxonomy) -> str:
    """One line: why this picture is asked now."""
    other = next((c for c in chances if c.taxon != standing.taxon), None)
    if reason == "suspicion" and other is not None:
        if chances[0].taxon == standing.taxon:
            return f"Label is rather right, but {percent(other.prob)} for {isolated(taxonomy[other.taxon].name)}"
        return f"Label looks doubtful: {percent(other.prob)} for {isolated(taxonomy[other.taxon].name)}"
    if reason in ("uncertain", "pair") and len(chances) > 1:
        one, two = (isolated(taxonomy[chance.taxon].name) for chance in chances[:2])
        return f"Between {one} and {two}"
    return {
        "suspicion": "Label looks doubtful",
        "uncertain": "Hard to tell",
        "pair": "One of the pair",
        "typical": "Typical of pictures that nobody has labelled",
        "new": "New picture",
        "audit": "Random check: drawn without looking at what the model thinks",
        "suggestion": "A visitor says the answer was wrong",
        "adjudication": f"{disagreement(standing.checked)}: yours is the last word",
        "second": "Second opinion: what others said is hidden",
    }[reason]
