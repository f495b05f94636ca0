"""Limits and file names that several floors name."""

from __future__ import annotations

CHECKPOINT_FILES = ("model.safetensors", "card.json")
"""What a checkpoint folder holds."""
MODEL_PX = 960
"""The longer side, in pixels, at which pictures are decoded for a model: no backbone reads more."""
LONGEST_COMMENT = 2000
"""Characters of what a person says about a picture."""
LONGEST_ANNOTATOR = 120
"""Characters of a name under which somebody answers."""
