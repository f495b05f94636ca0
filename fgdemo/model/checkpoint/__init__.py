"""A model on disk: a folder of safetensors and JSON, believed only as far as it was checked."""
