"""Comparisons: backbones, ways of learning, and what each forgets."""
