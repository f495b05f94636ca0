"""Pictures and labels as arrays that a model can learn from."""
