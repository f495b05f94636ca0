"""What the fields of a card must be. A card may come from a stranger: this is asked before anything is built of it."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

MOST_TAXA = 20_000
"""The table of which kind lies below which group has a cell for each two of them."""
LONGEST_TEXT = 1000

Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT, pattern=r"^[^\x00-\x1f\x7f]*$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


_WHY = {
    "missing": "it is not there",
    "extra_forbidden": "there is no such field",
    "string_pattern_mismatch": "it has characters that cannot be seen",
}


class _Form(BaseModel):
    """Other fields may stand beside, for newer versions."""

    model_config = ConfigDict(strict=True)


class _Whole(BaseModel):
    """No other fields may stand beside."""

    model_config = ConfigDict(strict=True, extra="forbid")


class _Backbone(_Whole):
    name: Text
    size_px: int
    options: dict[Text, Any] = {}


class _Input(_Form):
    size_px: int
    mean: Any
    std: Any
    interpolation: Text


class _Taxon(_Form):
    id: Annotated[Text, StringConstraints(min_length=1)]
    name: Annotated[Text, StringConstraints(min_length=1)]
    parent: Text | None = None
    latin: Text | None = None
    aliases: Annotated[list[Text], Field(max_length=LONGEST_TEXT)] = []


class _Part(_Whole):
    id: Annotated[int, Field(ge=0, le=2**31)]
    name: Text | None
    group: Text


class _Parts(_Form):
    parts: Annotated[list[_Part], Field(max_length=MOST_TAXA)]
    ground_is_fore: Annotated[list[Any], Field(max_length=MOST_TAXA)]
    ground_groups: Annotated[list[Text], Field(max_length=MOST_TAXA)]
    ground_temperature: Number
    temperature: Number
    taught_groups: Annotated[list[Text], Field(max_length=MOST_TAXA)] = []
    mid_groups: Annotated[list[Text], Field(max_length=MOST_TAXA)] = []


class _Head(_Form):
    scale: Number
    penalty: Number
    readout: Text = "ridge"


class _Calibration(_Form):
    temperature: Number
    coverage: Share
    set_prob: Share
    sure_prob: Annotated[float, Field(ge=0, le=2)]
    lookalikes: Annotated[dict[Text, Annotated[list[Text], Field(max_length=MOST_TAXA)]], Field(max_length=MOST_TAXA)]
    few: Annotated[dict[Text, Annotated[int, Field(ge=0, le=2**31)]], Field(max_length=MOST_TAXA)] = {}


class _SamePlace(_Form):
    least_sureness: Annotated[float, Field(ge=-10, le=1)]


class _Unknown(_Form):
    logit: Any
    distance: Any
    average: Any


class _Closer(_Form):
    temperature: Number
    set_prob: Share
    sure_prob: Annotated[float, Field(ge=0, le=2)]
    pictures: Annotated[int, Field(ge=0, le=2**31)]
    unknown: _Unknown


class _Card(_Form):
    name: Text | None = None
    parent: Text | None = None
    backbone: _Backbone
    input: _Input
    taxonomy: Annotated[list[_Taxon], Field(max_length=MOST_TAXA)]
    parts: _Parts
    head: _Head
    calibration: _Calibration
    unknown: _Unknown
    closer: _Closer | None = None
    same_place: _SamePlace | None = None
    weights_sha256: Text


def require_form(card: Mapping[str, Any]) -> None:
    """Raises ValueError, which names the field, where a field that is built from is missing or something else."""
    try:
        _Card.model_validate(card)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step)[:60] for step in first["loc"])
        why = _WHY.get(first["type"]) or first["msg"][0].lower() + first["msg"][1:]
        raise ValueError(f"“{where}” in its card cannot be used: {why}.") from error
