"""Trainings and the models they made: jobs, their files, what is live."""
