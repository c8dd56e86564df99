"""Our widgets: a template and a script each, in Gradio's gr.HTML."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

FOLDER = Path(__file__).resolve().parent


def widget(name: str, *parts: str, about: str = "", folder: Path = FOLDER) -> gr.HTML:
    """The widget of `NAME.html` and `NAME.js`; the script sees `element` and the page's `mm`.

    Args:
        name: of the template and the script.
        parts: more scripts of it, which come before and share its scope.
        folder: where they lie; those of another package lie in its own.
        about: what this one is for, where the page has several; the script sees it as `about`.
    """
    scripts = ((folder / f"{one}.js").read_text(encoding="utf-8") for one in (*parts, name))
    script = "\n".join(
        ("tr.translate(element);", *scripts)
    )  # the template's words, before they are looked at
    return gr.HTML(
        html_template=(folder / f"{name}.html").read_text(encoding="utf-8"),
        # a scope of its own, apart from Gradio's names
        js_on_load=f"((element, about) => {{\n{script}\n}})(element, {json.dumps(about)});",
        elem_id=f"mm-{about or name}",
        apply_default_css=False,
    )
