"""From the bytes of a picture, which are hostile, to an upright RGB picture, and where originals are kept."""
