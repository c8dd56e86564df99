"""The Speech tab: transcribe, align word by word, and search, on a recording of one's own or a sample."""

from __future__ import annotations

from typing import Any, cast

from mmdemo.data.subtitles import transcript_as
from mmdemo.demo import Demo
from mmdemo.errors import UserError
from mmdemo.hearing import SPEECH
from mmdemo.store.pairs import PairView
from mmdemo.ui.routes import action
from mmdemo.ui.tabs.common import text_of
from mmdemo.ui.widgets import widget

SAMPLES = 12


def build() -> None:
    """Lay the tab out."""
    widget("speech")


@action("speech_start")
def speech_start(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """What the tab shows first: sample recordings and the versions; the model begins to load."""
    demo.warm(SPEECH)
    items = demo.ws.items.listed("audio", limit=SAMPLES)
    pairs = demo.ws.pairs.of_items(SPEECH, [i.id for i in items])
    texts = {i: next((p.final_text for p in own if p.is_own), "") for i, own in pairs.items()}
    return {
        "samples": [
            {"item": i.id, "name": i.name, "text": texts.get(i.id, ""), "duration": i.duration_s}
            for i in items
        ],
        "versions": demo.versions(SPEECH)["versions"],
    }


@action("recording")
def recording(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """A recording, the texts it came with, and what people corrected in it."""
    item = demo.item(text_of(body, "item"))
    pairs = demo.ws.pairs.browse(SPEECH, item=item.id)
    whole = [p for p in pairs if p.start_s is None]
    return {
        "item": item.id,
        "name": item.name,
        "duration": item.duration_s,
        "texts": list(dict.fromkeys(p.final_text for p in whole if p.is_own)),
        "confirmed": next((p.final_text for p in reversed(whole) if p.is_confirmed), ""),
    }


@action("transcript")
def transcript(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Where the transcript of a recording stands; begun behind the page where the request says so."""
    item = demo.item(text_of(body, "item"))
    state = demo.transcript(item, text_of(body, "version") or None, start=bool(body.get("start")))
    state["words"] = with_corrections(state["words"], demo.ws.pairs.browse(SPEECH, item=item.id))
    return state


def with_corrections(words: list[dict[str, Any]], pairs: list[PairView]) -> list[dict[str, Any]]:
    """The words with the spans and spellings that people gave them."""
    spans = [p for p in pairs if p.start_s is not None and p.end_s is not None and p.is_confirmed]
    out = [dict(word) for word in words]
    for pair in sorted(spans, key=lambda p: p.label or 0):
        start, end = cast(float, pair.start_s), cast(float, pair.end_s)
        near = [w for w in out if w["start"] < end and start < w["end"]]
        if near:
            best = max(near, key=lambda w: min(w["end"], end) - max(w["start"], start))
            best.update(word=pair.final_text, start=start, end=end, corrected=True)
    return out


@action("transcript_stop")
def transcript_stop(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Ask a transcript to stop; what there is of it is kept."""
    version = text_of(body, "version") or demo.ws.versions.active(SPEECH)
    demo.transcripts.stop(demo.item(text_of(body, "item")), version)
    return {}


@action("subtitles")
def subtitles(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The transcript as the text of a file, corrections included."""
    return {"text": transcript_as(text_of(body, "format", "srt"), transcript(demo, body))}


@action("speech_align")
def speech_align(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Which of the texts was said, and the time of each word of the likeliest."""
    texts = body.get("texts")
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise UserError("The texts are not a list of texts.", "Send a list.")
    return demo.align(demo.item(text_of(body, "item")), texts, text_of(body, "version") or None)


@action("align_words")
def align_words(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """When each word of a text is said, and which were not heard."""
    item = demo.item(text_of(body, "item"))
    found = demo.align_words(item, text_of(body, "text"), text_of(body, "version") or None)
    found["words"] = with_corrections(found["words"], demo.ws.pairs.browse(SPEECH, item=item.id))
    return found
