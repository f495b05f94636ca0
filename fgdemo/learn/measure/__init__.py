"""How good a model is, and which labels look wrong: figures with their intervals."""
