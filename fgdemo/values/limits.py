"""Limits and file names that several floors name."""

CHECKPOINT_FILES = ("model.safetensors", "card.json")
"""What a checkpoint folder holds."""
MODEL_PX = 960
"""The longer side, in pixels, at which pictures are decoded for a model: no backbone reads more."""
LONGEST_COMMENT = 2000
"""Characters of what a person says about a picture."""
LONGEST_ANNOTATOR = 120
"""Characters of a name under which somebody answers."""
LONGEST_NAME = 200
"""Characters of a name or an id that a page or a program sends."""
LONGEST_KIND_NAME = 120
"""Characters of the name of a kind."""
LONGEST_LOCATION = 1000
"""Characters of the folder, file or data set that an import is to read."""
MOST_TAXA = 8
"""Kinds that one question may name."""
MOST_ITEMS = 8
"""Pictures that a program may ask for at once."""
MOST_HELD = 12
"""Pictures that the page may hold, before they are answered."""
MOST_HITS = 100
"""Kinds that a search may find."""
LARGEST_BATCH = 1000
"""Pictures that one answer may be about."""
LARGEST_GOAL = 100_000
"""Pictures of one labelling session."""
