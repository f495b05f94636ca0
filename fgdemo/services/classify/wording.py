"""The answer at the deepest level the model is sure of, in the words an expert would use."""

import re
from collections.abc import Sequence

import numpy as np

from fgdemo.values.bidi import isolated
from fgdemo.values.classification.answers import Answer, UnknownVerdict
from fgdemo.values.counting import counted
from fgdemo.values.taxonomy import KnownGroup, Taxon, Taxonomy
from fgdemo.values.types import Reading

UNUSUAL_SCORE = 0.8
"""From here on a picture is called unusual, though not unknown."""
GROUPS_NAMED = 4


def percent(prob: float) -> str:
    """Whole percent, and no false certainty at the ends: `>99 %`, `<1 %`."""
    if prob >= 0.995:
        return ">99 %"
    return "<1 %" if prob < 0.01 else f"{prob:.0%}".replace("%", " %")


def with_article(name: str) -> str:
    """`a Nashville Warbler`, `an owl`, `a Eurasian Eagle-Owl`; a name that looks plural gets no article.

    Names that are written from right to left keep their place in the sentence.
    """
    name = isolated(name)
    if re.search(r"[^s]s$", name) and not re.search(r"[aiou]s$", name):
        return name
    sounds_like_yu_or_wu = re.match(r"eu|ew|one\b|u[^aeiou\W][aeiouy]", name, re.IGNORECASE)
    silent_h = re.match(r"hour|honest|heir", name, re.IGNORECASE)
    vowel = re.match(r"[aeiouäöüéèáàóò]", name, re.IGNORECASE)
    return f"an {name}" if silent_h or (vowel and not sounds_like_yu_or_wu) else f"a {name}"


def plural(name: str) -> str:
    """`birds`, `butterflies`, `finches`, `sheep`; a name that is no plain lower-case English noun stays as it is."""
    if not re.search(r"[a-z]$", name) or not name.islower() or re.search(r"(sheep|deer|fish|[^s]s)$", name):
        return name
    if re.search(r"[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search(r"(s|x|z|ch|sh)$", name) else f"{name}s"


def known_kinds(total: int, groups: Sequence[KnownGroup]) -> str:
    """`Knows 174 kinds: 100 birds, 64 dogs and 10 butterflies.` What is in no group named is counted as others."""
    kinds = counted(total, "kind")
    if not groups:
        return f"Knows {kinds}."
    nouns = [group.name.lower() if group.name.istitle() else group.name for group in groups[:GROUPS_NAMED]]
    named = [
        f"{group.kinds} {isolated(noun if group.kinds == 1 else plural(noun))}"
        for group, noun in zip(groups, nouns, strict=False)
    ]
    others = total - sum(group.kinds for group in groups[:GROUPS_NAMED])
    if others:
        named.append("1 other" if others == 1 else f"{others} others")
    elif len(named) == 1:
        return f"Knows {kinds} of {isolated(nouns[0])}."
    return f"Knows {kinds}: {', '.join(named[:-1])} and {named[-1]}."


def answer_for(taxonomy: Taxonomy, probs: np.ndarray, sure_prob: float, is_unknown: bool) -> tuple[Answer, str]:
    """The answer, and the likeliest leaf under it (of all leaves, where there is no answer).

    From the likeliest root down, always to the likeliest child, as long as its probability is at least `sure_prob`.
    An answer of the kind "unsure" or "unknown" has no taxon; its name and probability are those of the closest leaf.

    Args:
        probs: (C,) over `taxonomy.leaves`.
    """
    closest = taxonomy[taxonomy.leaves[int(probs.argmax())]]
    closest_prob = float(probs.max())
    rolled = taxonomy.roll_up(probs)
    sure = _deepest_sure(taxonomy, rolled, sure_prob)
    if is_unknown or sure is None:
        look_alike = with_article(closest.name)
        if is_unknown:  # a sunflower is no Labrador, so no kind is named
            kind, sentence = "unknown", f"Probably none of the {len(taxonomy.leaves)} kinds I know"
        elif closest.parent is None:
            kind, sentence = "unsure", f"Not sure; closest is {look_alike} ({percent(closest_prob)})"
        else:
            kind, sentence = "unsure", f"Not sure even of the group; closest is {look_alike} ({percent(closest_prob)})"
        return Answer(kind, None, closest.name, closest.latin, closest_prob, sentence), closest.id
    prob = rolled[sure.id]
    if sure.id in taxonomy.leaf_index:
        sentence = f"Looks like {with_article(sure.name)}, {percent(prob)}"
        return Answer("leaf", sure.id, sure.name, sure.latin, prob, sentence), sure.id
    sentence, leaf = _group_sentence(taxonomy, probs, sure, prob)
    return Answer("group", sure.id, sure.name, sure.latin, prob, sentence), leaf


def _deepest_sure(taxonomy: Taxonomy, rolled: dict[str, float], sure_prob: float) -> Taxon | None:
    sure = None
    while True:
        parent = None if sure is None else sure.id
        likeliest = max((t for t in taxonomy.taxa if t.parent == parent), key=lambda t: rolled[t.id], default=None)
        if likeliest is None or rolled[likeliest.id] < sure_prob:
            return sure
        sure = likeliest


def _group_sentence(taxonomy: Taxonomy, probs: np.ndarray, group: Taxon, prob: float) -> tuple[str, str]:
    """`A warbler (94 %), probably a Nashville Warbler (58 %)`, or two leaves where neither has half of the group."""
    under = sorted(
        (leaf for leaf in taxonomy.leaves if group in taxonomy.path(leaf)),
        key=lambda leaf: probs[taxonomy.leaf_index[leaf]],
        reverse=True,
    )
    named = [
        f"{with_article(taxonomy[leaf].name)} ({percent(float(probs[taxonomy.leaf_index[leaf]]))})"
        for leaf in under[:2]
    ]
    first_prob = float(probs[taxonomy.leaf_index[under[0]]])
    guess = f"probably {named[0]}" if first_prob >= prob / 2 else f"perhaps {' or '.join(named)}"
    head = with_article(_in_running_text(group))
    return f"{head[0].upper()}{head[1:]} ({percent(prob)}), {guess}", under[0]


def _in_running_text(group: Taxon) -> str:
    """A group is a common noun: `Warbler` becomes `warbler`. Latin names, and names of several words, stay as given."""
    is_common = group.name.istitle() and group.name.isalpha() and group.name != group.latin
    return group.name.lower() if is_common else group.name


def unknown_verdict(score: float, threshold: float) -> UnknownVerdict:
    """Whether the picture is probably of none of the kinds known. `score`: see `Reading.unknown_score`."""
    most = f"{min(99, round(100 * score))} % of the pictures of kinds I know"
    if score > threshold:
        sentence = f"Stranger than {most}."
    elif score >= UNUSUAL_SCORE:
        sentence = f"Unusual, but within what I know: stranger than {most}."
    else:
        sentence = "Looks like the pictures I know."
    return UnknownVerdict(float(score), float(threshold), bool(score > threshold), sentence)


def verdict_of(reading: Reading) -> UnknownVerdict | None:
    """See `unknown_verdict`; None where nothing measures how strange a picture is."""
    score = reading.unknown_score
    return None if score is None else unknown_verdict(score, reading.unknown_threshold)
