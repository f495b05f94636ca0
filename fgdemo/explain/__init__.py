"""Floor 3: why the model says A and not B, and how far that explanation can be trusted."""
