"""Talking to the Hugging Face Hub: what it refuses becomes one sentence, and so does a network that is down."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

from fgdemo.values.errors import HubError

SIGN_IN = "Sign in with hf auth login, or set HF_TOKEN."
_REASONS = {
    401: f"it does not know who you are. {SIGN_IN}",
    402: "this needs a paid plan, or credit on the account.",
    403: "you have no right to do that there, or the token may only read.",
    404: "there is no such thing, or you may not see it.",
    409: "it is being changed by somebody else: try again in a moment.",
    412: "it was changed meanwhile: do the same again.",
    429: "it has had too many requests from you: wait a few minutes.",
}


def network_error() -> type[Exception]:
    """What the HTTP library below the Hub's client raises. That has changed with versions of the client; what its own
    error is derived from has not.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return cast("type[Exception]", HfHubHTTPError.__bases__[0])


@contextmanager
def hub_answers(what: str) -> Generator[None, None, None]:
    """Turn whatever the client raises in the block into a HubError about `what`, which begins a sentence."""
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
    )

    away = "the Hugging Face Hub cannot be reached. Look at the connection, then try again."
    try:
        yield
    except HFValidationError as error:
        raise HubError(f"{what}: that is no name on the Hub (OWNER/NAME; letters, digits, -, _ and . only).") from error
    except LocalTokenNotFoundError as error:
        raise HubError(f"{what}: you are not signed in to the Hugging Face Hub. {SIGN_IN}") from error
    except LocalEntryNotFoundError as error:  # nothing in the cache, and the Hub is away
        raise HubError(f"{what}: {away}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        reason = _REASONS.get(status, f"it answered with status {status}: try again later.")
        raise HubError(f"{what}: the Hugging Face Hub refused, because {reason}") from error
    except (network_error(), ConnectionError) as error:
        raise HubError(f"{what}: {away}") from error


def require_name(name: str) -> None:
    """Raises HubError unless it is OWNER/NAME as the Hub takes it."""
    from huggingface_hub.utils import validate_repo_id

    with hub_answers(f"“{name}”"):
        validate_repo_id(name)
    if name.count("/") != 1:
        raise HubError(f"“{name}”: whose is it to be? Name it as OWNER/NAME.")
