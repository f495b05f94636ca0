"""Trainings and models, from the button to the swap."""
