"""What gets in at all, and what Gradio may keep of it."""
