"""Floor 2: from pixels to calibrated logits, and a model as files."""
