"""Floor 5: what the product does, over floors 0 and 1; the model and the measurements arrive as arguments."""
