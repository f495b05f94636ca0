"""Floor 1: what is kept on disk. No torch, no gradio."""
