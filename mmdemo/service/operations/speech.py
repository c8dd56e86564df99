"""What can be asked of recordings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mmdemo.data.subtitles import FORMATS, transcript_as
from mmdemo.service.app import App
from mmdemo.service.operations.media import item_of
from mmdemo.service.operations.requests import (
    ITEM,
    VERSION,
    Answer,
    File,
    Name,
    OneOf,
    Request,
    Text,
)
from mmdemo.service.operations.table import operation
from mmdemo.service.speech import SPEECH, corrected, with_corrections

Format = Annotated[str, OneOf("format", lambda: FORMATS)]


class TranscribeRequest(Request):
    """A recording."""

    file: File = Field(None, description='the recording or video, as handle_file("said.wav")')
    item: Name = Field("", description=ITEM)
    version: Name = Field("", description=VERSION)


class TranscribeAnswer(Answer):
    """What is said, with times in seconds."""

    model: str
    language: str
    text: str
    words: list[dict[str, Any]] = Field(description="word, start, end, probability")
    segments: list[dict[str, Any]] = Field(description="text, start, end")
    note: str
    language_note: str = Field("", description="what does not work in this language")


@operation("transcribe", role="viewer", public=True)
def transcribe(app: App, request: TranscribeRequest) -> TranscribeAnswer:
    """Write down what is said in a recording, with the time and probability of each word."""
    item = item_of(app, request.file, request.item, SPEECH)
    heard = app.speech.transcribe(item, request.version or None)
    return TranscribeAnswer(**{name: heard[name] for name in TranscribeAnswer.model_fields})


class HeardRequest(Request):
    """A recording as a version hears it."""

    item: Name = Field(description=ITEM)
    version: Name = Field("", description=VERSION)


class TranscriptRequest(HeardRequest):
    """A recording whose transcript is made behind the page."""

    start: bool = Field(False, description="whether to begin it")


@operation("transcript", role="viewer", quick=True)
def transcript(app: App, request: TranscriptRequest) -> dict[str, Any]:
    """Where the transcript of a recording stands; begun behind the page where the request says so."""
    item = app.media.item(request.item)
    state = app.speech.transcript(item, request.version or None, start=request.start)
    state["words"] = with_corrections(state["words"], app.ws.pairs.browse(SPEECH, item=item.id))
    return state


@operation("transcript_stop", role="viewer", quick=True)
def transcript_stop(app: App, request: HeardRequest) -> dict[str, Any]:
    """Ask a transcript to stop; what there is of it is kept."""
    app.speech.stop(app.media.item(request.item), request.version or None)
    return {}


class SubtitlesRequest(TranscribeRequest):
    """A recording whose transcript is written as a file."""

    format: Format = Field("srt", description="of the text")


@operation("subtitles", role="viewer", quick=True)
def subtitles(app: App, request: SubtitlesRequest) -> dict[str, Any]:
    """The transcript as the text of a file, corrections included."""
    item = item_of(app, request.file, request.item, SPEECH)
    heard = app.speech.transcript(item, request.version or None)
    told = corrected(heard, app.ws.pairs.browse(SPEECH, item=item.id))
    return {"text": transcript_as(request.format, told)}


class SpokenTextRequest(Request):
    """A recording and a text."""

    item: Name = Field(description=ITEM)
    text: Text = Field(description="what may have been said")
    version: Name = Field("", description=VERSION)


@operation("align_words", role="viewer")
def align_words(app: App, request: SpokenTextRequest) -> dict[str, Any]:
    """When each word of a text is said, and which were not heard."""
    item = app.media.item(request.item)
    found = app.speech.align_words(item, request.text, request.version or None)
    found["words"] = with_corrections(found["words"], app.ws.pairs.browse(SPEECH, item=item.id))
    return found
