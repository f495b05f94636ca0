"""The pages people see, and the API beside them: Gradio, HTML, CSS and JavaScript. Nothing is decided here."""

from fgdemo.web.page import build_app, launch_options

__all__ = ["build_app", "launch_options"]
