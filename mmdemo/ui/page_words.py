"""The languages of the page: a file of `languages/` each, named by its BCP 47 code. English is what the page
and the server are written in, and stands in no file.

A file has the language's own `name`, and a `short` one; `page`, what stands for each sentence of the scripts
and templates; `server`, what stands for those that the server says, with {0}, {1} for what it puts in;
`space`, what stands between two sentences; and `readings`, a regular expression of the numbers in a
sentence that can be clicked. Where a language has several forms a sentence is {"one": ..., "other": ...},
by the names of Intl.PluralRules. `tests/ui/test_words.py` says which sentences a file lacks.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mmdemo.errors import UserError
from mmdemo.ui.look import read_asset
from mmdemo.ui.refusals import refusal

FOLDER = Path(__file__).resolve().parent / "languages"


@cache
def languages() -> dict[str, dict[str, Any]]:
    """The tables of the languages by their codes."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


@cache
def script_of(code: str) -> str:
    """The script that gives the page a language's words."""
    table = json.dumps({"code": code, **languages()[code]}, ensure_ascii=False, separators=(",", ":"))
    return f"window.mmWords={table};"


def language_names() -> dict[str, dict[str, str]]:
    """What a browser chooses from, by code: the name, and where the words are, under an address that changes
    with them.
    """
    names = {"en": {"name": "English", "short": "EN"}}
    for code, table in languages().items():
        digest = hashlib.sha256(script_of(code).encode()).hexdigest()[:12]
        names[code] = {
            "name": table["name"],
            "short": table["short"],
            "src": f"mmdemo/words/{code}.js?v={digest}",
        }
    return names


def language_choice() -> str:
    """What stands first in the page, before Gradio writes anything: the script that loads the words."""
    return f"<script>window.mmLanguages = {json.dumps(language_names())};{read_asset('language.js')}</script>"


def words_route() -> BaseRoute:
    """The tables, which a browser keeps."""

    async def words(request: Request) -> Response:
        code = request.path_params["code"]
        if code not in languages():
            return refusal(UserError("There is no such language.", "Reload the page."), 404)
        kept = {"Cache-Control": "public, max-age=31536000", "X-Content-Type-Options": "nosniff"}
        return Response(script_of(code), media_type="text/javascript", headers=kept)

    return Route("/mmdemo/words/{code}.js", words)
