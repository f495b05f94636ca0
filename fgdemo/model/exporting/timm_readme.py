"""The card of a model that goes to the Hub for timm: front matter that the Hub understands, then the card to read."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from fgdemo.model.exporting.readme import card_markdown

TAGS = ("image-classification", "timm", "fine-grained", "fgdemo")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_LICENCES = {
    "apache-2.0": r"apache[- ]?(licen[cs]e )?2",
    "mit": r"\bmit\b( licen[cs]e)?",
    "cc0-1.0": r"\bcc0\b",
    "cc-by-4.0": r"\bcc[- ]by[- ]4",
    "cc-by-nc-4.0": r"\bcc[- ]by[- ]nc[- ]4",
    "cc-by-sa-4.0": r"\bcc[- ]by[- ]sa[- ]4",
}
"""Ids of the Hub, and how a line says them."""


def timm_card(card: Mapping[str, Any]) -> str:
    """Markdown with front matter: library_name, pipeline_tag, license, datasets, metrics, tags, base_model, results."""
    name = str(card.get("name") or "fgdemo")[:96]
    results = _results(card)
    front = ModelCardData(
        library_name="timm",
        pipeline_tag="image-classification",
        license=_licence(card),
        license_name="see-terms-below" if _licence(card) == "other" else None,
        datasets=[one for one in _sources(card) if _REPOSITORY.fullmatch(one)],
        metrics=["accuracy"],
        tags=list(TAGS),
        base_model=_base_model(card),
        model_name=name if results else None,
        eval_results=results or None,
    )
    use = (
        "## Use\n\n```python\nimport timm\n\n"
        'model = timm.create_model("hf-hub:OWNER/NAME", pretrained=True).eval()  # or local-dir:FOLDER\n'
        'names = model.pretrained_cfg["label_names"]\n```\n'
    )
    return ModelCard(f"---\n{front.to_yaml()}\n---\n\n{card_markdown(card)}\n{use}").content


def _licence(card: Mapping[str, Any]) -> str:
    """The id of the one licence that is stated; `other` where there are more, or it has none; `unknown` for nothing."""
    lines = [str(line) for line in _listed(card.get("licences"))]
    known = [key for key, said in _LICENCES.items() if len(lines) == 1 and re.search(said, lines[0].lower())]
    return known[0] if len(known) == 1 else "other" if lines else "unknown"


def _sources(card: Mapping[str, Any]) -> list[str]:
    about = card.get("data")
    listed = _listed(about.get("sources")) if isinstance(about, Mapping) else ()
    return [str(one).removeprefix("hf:") for one in listed]


def _base_model(card: Mapping[str, Any]) -> str | None:
    """The model of the Hub whose weights it started from."""
    backbone = card.get("backbone")
    name = backbone.get("name") if isinstance(backbone, Mapping) else None
    from_hub = isinstance(name, str) and "." in name and card.get("start_weights") in (None, "hub", name)
    return f"timm/{name}" if from_hub and _REPOSITORY.fullmatch(f"timm/{name}") else None


def _results(card: Mapping[str, Any]) -> list[EvalResult]:
    """Top-1 and top-5 on the pictures that were held out."""
    metrics, found = card.get("metrics"), []
    names = ", ".join(_sources(card))[:200] or "held-out pictures"
    for key, words in (("top1", "Top-1 accuracy"), ("top5", "Top-5 accuracy")):
        value = metrics.get(key) if isinstance(metrics, Mapping) else None
        value = value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
            found.append(
                EvalResult(
                    task_type="image-classification",
                    dataset_type="held-out",
                    dataset_name=names,
                    dataset_split=str(metrics.get("split", "val"))[:40] if isinstance(metrics, Mapping) else None,
                    metric_type="accuracy",
                    metric_name=words,
                    metric_value=float(value),
                )
            )
    return found


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
