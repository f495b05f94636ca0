"""What routes of our own answer, as models: the description of the API is made of them."""

from pydantic import BaseModel, Field

from fgdemo.values.annotation import Role


class Refusal(BaseModel):
    error: str = Field(description="one sentence")


class SignedIn(BaseModel):
    """Who a browser is from now on."""

    name: str
    role: Role


class Me(SignedIn):
    """Who asks; whether there are accounts at all, and whether one can sign in with Hugging Face."""

    any_account: bool
    hub_sign_in: bool


class Backup(BaseModel):
    failing: bool
    waiting: int = Field(description="answers that are nowhere else yet")
    elapsed_s: float | None = Field(description="since all that there was had last been sent")


class HealthReply(BaseModel):
    """Whether questions are answered; `reason` is there where they are not, `backup` where there is a mirror."""

    ready: bool
    version: str
    model_version: str | None
    reason: str | None = None
    backup: Backup | None = None
