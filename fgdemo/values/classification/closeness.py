"""How closely somebody wants a picture looked at; it imports nothing, for the command line reads it first."""

from typing import Literal

Closeness = Literal["auto", "always", "never"]
"""auto: where the first answer is unsure and the thing is small (`is_worth`); always: wherever there is a thing to look
at; never: at first sight alone."""
