"""The Hugging Face Hub: what it refuses in a sentence, models pushed to it, and the contents of a Space."""
