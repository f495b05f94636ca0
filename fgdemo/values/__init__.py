"""Floor 0: the values that travel between the floors. Plain and frozen; no disk, no torch, no gradio."""
