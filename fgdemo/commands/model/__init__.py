"""Verbs about models: fit, finetune, evaluate, predict, explain, convert."""
