"""Between the browser's JSON and our values. What comes in is arbitrary, so that each question has a strict model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

from gradio.utils import get_upload_folder
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import to_jsonable_python

from fgdemo.values.errors import FgdemoError, PictureError
from fgdemo.values.limits import LONGEST_COMMENT, LONGEST_LOCATION, LONGEST_NAME, MOST_TAXA
from fgdemo.values.types import CropBox

LARGEST_NUMBER = 2**53
"""What a browser can count to."""
SENTENCES = {
    "string_type": "“{field}” must be text.",
    "string_too_long": "“{field}” is too long: at most {max_length} characters.",
    "string_too_short": "“{field}” must not be empty.",
    "literal_error": "“{field}” must be one of these: {expected}.",
    "bool_type": "“{field}” must be true or false.",
    "int_type": "“{field}” must be a whole number.",
    "float_type": "“{field}” must be a number.",
    "finite_number": "“{field}” must be a number.",
    "greater_than_equal": "“{field}” must be {ge:.16g} or more.",
    "less_than_equal": "“{field}” must be {le:.16g} or less.",
    "list_type": "“{field}” must be a list.",
    "too_long": "“{field}” must be a list of at most {max_length}.",
    "too_short": "“{field}” must be a list of {min_length} or more.",
    "model_type": "“{field}” must be a JSON object.",
    "missing": "“{field}” is missing.",
}
"""Of each fault that pydantic finds. None repeats what was sent, which may be anything."""

Model = TypeVar("Model", bound="Asked")


class BadRequestError(FgdemoError):
    """The page or the API was sent something that is not a question it knows."""


class PictureGoneError(PictureError):
    """An upload that the server has cleared away; the page then sends it again."""


class Asked(BaseModel):
    """What a question takes; this one nothing. Fields that it does not know are left alone."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())


def read(model: type[Model], payload: object) -> Model:
    """What was sent, as the question takes it.

    Raises:
        BadRequestError: it does not fit; one sentence says of the first such field what is wrong.
        PictureError: its picture or its crop box is none.
    """
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        told: dict[str, Any] = dict(first.get("ctx", {}))
        told["expected"] = str(told.get("expected", "")).replace("'", "")
        names = [part for part in first["loc"] if isinstance(part, str)]
        if not names:
            raise BadRequestError("The request is not a JSON object; load the page again.") from None
        sentence = SENTENCES.get(first["type"], "“{field}” does not fit.")
        raise BadRequestError(sentence.format(field=names[-1], **told)) from None


def asked_by(question: Callable[..., Any]) -> type[Asked]:
    """The model of what a question of a page takes: the type of its parameter `asked`."""
    return get_type_hints(question)["asked"]


def _storable(value: object) -> object:
    """Text without space around it, and such as can be sent back: JSON can carry halves of a character."""
    return value.strip().encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _whole(value: object) -> object:
    """JSON knows but one kind of number: 3.0 is whole."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)


def _given(value: Any) -> Any:
    """None in place of an empty text."""
    return value or None


Text = Annotated[str, Field(max_length=LONGEST_NAME), BeforeValidator(_storable)]
Location = Annotated[str, Field(max_length=LONGEST_LOCATION), BeforeValidator(_storable)]
OptionalText = Annotated[Text | None, AfterValidator(_given)]
Key = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), BeforeValidator(_storable)]
OptionalComment = Annotated[
    Annotated[str, Field(max_length=LONGEST_COMMENT), BeforeValidator(_storable)] | None, AfterValidator(_given)
]
Whole = Annotated[int, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER), WHOLE]
Number = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
Seconds = Annotated[float, Field(ge=0, le=LARGEST_NUMBER)]
Taxa = Annotated[list[Text], Field(max_length=MOST_TAXA)]


def crop_box(value: object) -> CropBox | None:
    """A box from `{"left": …, "top": …, "right": …, "bottom": …}`, fractions of the picture; None is all of it."""
    if value is None:
        return None
    given = value if isinstance(value, dict) else {}
    sides = [given.get(side) for side in ("left", "top", "right", "bottom")]
    numbers = [float(side) for side in sides if isinstance(side, (int, float)) and not isinstance(side, bool)]
    if len(numbers) < 4:
        raise PictureError("The crop box must be left, top, right and bottom, four numbers from 0 to 1.")
    return CropBox(*numbers)


def uploaded_file(value: object) -> Path:
    """The file that `value` names, if it was uploaded to this server: a path to anything else is refused.

    Raises:
        PictureError: not an upload. Says nothing of whether such a file exists.
        PictureGoneError: an upload that is no longer there.
    """
    refusal = PictureError("Send the picture itself: a path is not an upload.")
    if not isinstance(value, str) or not value or "\0" in value:
        raise refusal
    folder = Path(get_upload_folder()).resolve()
    try:
        path = Path(value).resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name that no file can have
        raise refusal from None
    if not path.is_relative_to(folder) or path == folder:
        raise refusal
    if not is_file:
        raise PictureGoneError("The picture is no longer on the server: choose it again.")
    return path


def file_name(value: object) -> str:
    """The file's own name, for messages: cut rather than refused, because people do not choose it with care."""
    return value[:LONGEST_NAME] if isinstance(value, str) and value else "picture"


@dataclass(frozen=True)
class SentPicture:
    """A picture that a program has sent, and the name that it had there."""

    path: Path
    name: str


def sent_picture(value: object) -> SentPicture:
    """Of an upload as Gradio's clients name it, or of its path. Raises PictureError, as `uploaded_file` does."""
    given = value if isinstance(value, dict) else {"path": value}
    path, name = uploaded_file(given.get("path")), given.get("orig_name")
    return SentPicture(path, file_name(name if isinstance(name, str) and name else path.name))


Picture = Annotated[SentPicture, PlainValidator(sent_picture, json_schema_input_type=str)]
Box = Annotated[CropBox | None, PlainValidator(crop_box, json_schema_input_type=CropBox | None)]
Upload = Annotated[Path, PlainValidator(uploaded_file, json_schema_input_type=str)]
FileName = Annotated[str, PlainValidator(file_name, json_schema_input_type=str)]


def as_json(value: object) -> Any:
    """A value of `fgdemo.values.types` as plain JSON. `asdict` would copy each of the thousands of numbers of a map."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_jsonable_python(value)
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value
