"""Floor 1: what lies on disk. No torch, no gradio."""
