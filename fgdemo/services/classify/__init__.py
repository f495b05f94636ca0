"""Classify one picture and say why, for visitors."""
