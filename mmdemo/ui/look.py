"""How the page looks: Gradio's theme in our colours and typefaces, which `tokens.css` names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from mmdemo.errors import UserError
from mmdemo.settings import ASSETS
from mmdemo.ui.refusals import refusal

FONTS = ASSETS / "fonts"
# The rules of the views, in the order in which they are written.
STYLES = (
    "tokens.css",
    "page.css",
    "image.css",
    "search.css",
    "media.css",
    "label.css",
    "tune.css",
    "data.css",
    "map.css",
)
# Gradio's names for the colours of a page, in light and dark alike: the tokens change, these do not.
COLOURS = {
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "ink3",
    "background_fill_primary": "surface",
    "background_fill_secondary": "sunken",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "block_background_fill": "surface",
    "input_background_fill": "surface",
    "color_accent_soft": "accent-soft",
    "link_text_color": "accent-text",
    "link_text_color_hover": "accent-text",
    "link_text_color_active": "accent-text",
    "link_text_color_visited": "accent-text",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent-hover",
    "button_primary_text_color": "on-accent",
    "button_secondary_background_fill": "surface",
    "button_secondary_background_fill_hover": "surface",
    "button_secondary_text_color": "ink",
}


def theme() -> gr.themes.Base:
    """The theme."""
    named: dict[str, Any] = {name: f"var(--{token})" for name, token in COLOURS.items()}
    dark = {f"{name}_dark": value for name, value in named.items()}
    made = gr.themes.Default(
        primary_hue="blue", font=["var(--sans)"], font_mono=["ui-monospace", "monospace"]
    )
    return made.set(color_accent="var(--accent)", **named, **dark)


def style_sheet() -> str:
    """The rules of the views, each of which Gradio writes once more below its own container."""
    return "".join(map(read_asset, STYLES))


def frame() -> str:
    """The rules of the whole document, which Gradio leaves as they are: below its container none of them, and
    none under a width, would find what lies outside.
    """
    return f"<style>{read_asset('shell.css')}</style>"


def read_asset(name: str) -> str:
    """A script or style sheet of the page."""
    return (Path(__file__).resolve().parent / name).read_text(encoding="utf-8")


def font_route() -> BaseRoute:
    """The typefaces, which a browser keeps."""
    known = {path.name: path for path in FONTS.glob("*.woff2")}

    async def font(request: Request) -> Response:
        path = known.get(request.path_params["name"])
        if path is None:
            return refusal(UserError("There is no such typeface."), 404)
        kept = {"Cache-Control": "public, max-age=31536000", "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type="font/woff2", headers=kept)

    return Route("/mmdemo/font/{name}", font)
