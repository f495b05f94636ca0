"""Where Gradio keeps the questions of a page: in a component that shows nothing, for our own page asks them."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr


def mounted(questions: Sequence[Callable[..., dict[str, Any]]]) -> gr.HTML:
    """Place the questions in the current Blocks."""
    return gr.HTML(server_functions=list(questions), visible=False)
