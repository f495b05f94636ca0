"""A page of our own making inside one `gr.HTML`: its markup, its script, and the questions it may ask the server."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

STATIC = Path(__file__).parents[1] / "static"
SCRIPT = """
(async () => {{
  let page = null;
  for (let wait_ms = 500; !page; wait_ms = Math.min(8000, 2 * wait_ms)) {{
    try {{
      page = await import(new URL({module}, document.baseURI));
    }} catch (error) {{
      console.warn(error);
      element.dataset.loading = "failed";
      await new Promise((resolve) => setTimeout(resolve, wait_ms));
    }}
  }}
  delete element.dataset.loading;
  page.mount(element, {options});
}})();
"""
"""Tried again for as long as the server does not answer, or a lost module would leave an empty page."""


def mounted(
    name: str,
    static_url: str,
    server_functions: Sequence[Callable[..., dict[str, Any]]] = (),
    options: dict[str, Any] | None = None,
    script: str | None = None,
    markup: str | None = None,
) -> gr.HTML:
    """Place a page in the current Blocks: its `static/{name}/page.html`, which `page.js` beside it brings to life.

    Args:
        static_url: where `static/` is served, relative to the page.
        options: what `mount(element, options)` of the script is given.
        script: another one, below `static/`, and `markup` that it brings to life.
    """
    module = json.dumps(f"{static_url}/{script or f'{name}/page.js'}")
    return gr.HTML(
        html_template=markup or (STATIC / name / "page.html").read_text(encoding="utf-8"),
        js_on_load=SCRIPT.format(module=module, options=json.dumps(options or {})),
        apply_default_css=False,
        elem_id=f"fg-page-{name}",
        server_functions=list(server_functions),
    )
