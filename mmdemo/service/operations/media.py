"""What can be asked of media of any kind: align, caption, search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mmdemo.errors import UserError
from mmdemo.label_kinds import LABEL_KINDS, UNLABELLED
from mmdemo.modality import DEFAULT_TASK, MODALITIES
from mmdemo.retrieval.query import MAX_K, Query
from mmdemo.service.app import App
from mmdemo.service.context import check_source
from mmdemo.service.operations.requests import (
    ITEM,
    LOCAL,
    VERSION,
    Answer,
    AnyTask,
    Count,
    FewLines,
    File,
    ItemRequest,
    Lines,
    Medium,
    Name,
    OneOf,
    Request,
    TaskName,
    Text,
)
from mmdemo.service.operations.table import operation
from mmdemo.store.facets import Choice
from mmdemo.store.splits import SIDES_OR_ALL, SPLIT_NAMES
from mmdemo.store.tables import Item

ItemLabel = Annotated[str, OneOf("label state", lambda: [UNLABELLED, *LABEL_KINDS], empty="")]
# A manifest's splits have more names; in the workspace each of them is one of its own.
Measured = Annotated[str, OneOf("split", lambda: dict.fromkeys([*SIDES_OR_ALL, *SPLIT_NAMES]), empty="")]


def item_of(app: App, file: Medium | None, item: str = "", task: str = "") -> Item:
    """The item that a request is about; a file becomes one that nobody else finds.

    Raises:
        UserError: there is neither, or both, or no such item.
        MediaError: the file cannot be read.
    """
    check_one(file, item)
    if file is None or file.item:
        wanted = item or (file.item if file else "")
        if not wanted:
            raise UserError("No file was given.", "Pass a file, or the id of an item.")
        return app.media.item(wanted)
    assert file.path is not None  # a Medium has one or the other
    return app.media.keep(file.path, "upload", task or app.media.task_of_file(file.path))


def check_one(file: Medium | None, item: str) -> None:
    """Refuse a file beside an item: which of them is meant cannot be known.

    Raises:
        UserError: there are both.
    """
    if file is not None and item:
        raise UserError("There are a file and an item.", "Send one of them.")


class ScoreRow(Answer):
    """How well one text fits."""

    text: str
    similarity: float = Field(description="a cosine, -1 to 1")
    probability: float = Field(description="calibrated, 0 to 1, at one right text in five")
    zone: str = Field("", description="fits, can't tell or doesn't fit")
    doubt: str = Field("", description="why nothing can be told of this text: its probability is no number")
    about: float | None = Field(
        None, description="of a recording: the probability that it is what somebody speaks about"
    )
    about_zone: str = Field("", description="the same words of that")
    note: str = Field("", description="what of the text the model does not read, such as not")
    measured: bool = Field(
        True, description="whether it was measured how often such a probability is right; else it is a guess"
    )


class AlignRequest(Request):
    """A file and texts."""

    file: File = Field(None, description='the picture, recording or video, as handle_file("cat.jpg")')
    texts: Lines = Field([], description='the captions, one a line, such as "a tabby cat\\na dog"')
    task: AnyTask = Field("", description="of the file; empty: what it can be read as")
    item: Name = Field("", description=ITEM)
    version: Name = Field("", description=VERSION)


class AlignAnswer(Answer):
    """Scores in the order of the texts."""

    model: str
    scores: list[ScoreRow]
    language: str = Field("", description="that is spoken in a recording, as ISO 639-1")
    note: str = Field("", description="what does not work with this file, such as that nobody speaks in it")
    zones: dict[str, float] | None = Field(
        None, description="from where on it fits, and up to where it doesn't; null where it was not measured"
    )


@operation("align", role="viewer", public=True)
def align(app: App, request: AlignRequest) -> AlignAnswer:
    """Score how well each text fits a picture or video, or which of them was said in a recording."""
    item = item_of(app, request.file, request.item, request.task)
    return AlignAnswer(**app.media.align(item, request.texts, request.version or None))


class PlayingRequest(Request):
    """An item that is played."""

    item: Name = Field(description=ITEM)
    kind: Annotated[str, OneOf("way to play", lambda: ["video", "sound"])] = Field(
        "video", description="video or sound"
    )


@operation("playing", role="viewer", quick=True)
def playing(app: App, request: PlayingRequest) -> dict[str, Any]:
    """Whether browsers can play an item, and how far the copy is that they need else; it is begun by this."""
    item = app.media.item(request.item)
    modality = MODALITIES.get(item.modality)
    if not (modality.has_sound if request.kind == "sound" else modality.player == "video"):
        raise UserError(f"{item.name} is no {request.kind}.", "Choose another one.")
    return app.context.copies.playing(item, "sound" if request.kind == "sound" else "video")


class CaptionRow(Answer):
    """A proposed text."""

    text: str
    score: float = Field(description="the probability that it fits, 0 to 1")
    start: float | None = Field(description="seconds; null of a picture")
    end: float | None
    source: str = Field("", description="where the words come from")
    sure: str = Field("", description="the probability in words")
    agreed: int | None = Field(None, description="with so many captions like this one people agreed")
    judged: int | None = Field(None, description="of so many that were judged")
    like_this: str = Field("", description="the same in a sentence")


class CaptionRequest(Request):
    """A file."""

    file: File = Field(None, description='the picture, recording or video, as handle_file("cup.jpg")')
    item: Name = Field("", description=ITEM)
    version: Name = Field("", description=VERSION)


class CaptionAnswer(Answer):
    """Proposals, best first; none where nothing is certain."""

    model: str
    captions: list[CaptionRow]
    summary: str = Field("", description="of a video: what it is sure to show")
    note: str = Field("", description="why there is none")


@operation("caption", role="viewer", public=True)
def caption(app: App, request: CaptionRequest) -> CaptionAnswer:
    """Propose captions for a picture, best first; of a recording its transcript and a title, of a video one
    caption a shot.
    """
    item = item_of(app, request.file, request.item)
    return CaptionAnswer(**app.caption(item, request.version or None))


class ResultRow(Answer):
    """One answer of a search."""

    item: str
    file: str = Field(description="what it is called")
    text: str = Field(description="a text of it")
    score: float = Field(description="a cosine")
    probability: float | None = Field(description="that it is right, of what a search asks; of likes null")
    start: float | None = Field(description="seconds, where the query was found in sound or video")
    end: float | None
    verdict: str | None = Field(
        None, description="of a label with the query's own words; without words: with the text that is shown"
    )
    fit: str = Field("", description='"best", "weaker" or "none": how well it fits')
    found_by: str = Field("", description='"words" where a text of it holds those of the query')
    label: int | None = Field(None, description="the number of the label that says the verdict")
    said: float | None = Field(None, description="of a recording: the probability that the text was said")
    about: float | None = Field(None, description="and that it is what somebody speaks about")


class SearchRequest(Request):
    """What to look for, and where."""

    query: Text = Field("", description='words, such as "an apple"; empty when a file alone is meant')
    file: File = Field(None, description='a picture or recording, as handle_file("apple.jpg"), or null')
    task: TaskName = Field(DEFAULT_TASK)
    k: Count = Field(10, ge=1, le=MAX_K, description=f"how many results, 1 to {MAX_K}")
    item: Name = Field("", description=ITEM)
    target: Literal["media", "text"] = Field("media", description='what to find: "media" or "text"')
    state: ItemLabel = Field("", description="only items with a pair in this label state; empty: all")
    source: Name = Field("", description="only items from this source")
    everything: bool = Field(False, description="also what does not fit")
    version: Name = Field("", description=VERSION)
    offset: Count = Field(0, description="how many results to pass over, of pages of the same k")
    sort: Literal["best", "unsure", "newest", "name"] = Field(
        "best",
        description="what fits stands first; within it the best, the least certain, the newest, or a to z",
    )
    answers: FewLines = Field([], description=f"only items that were answered so; {UNLABELLED}: not yet")
    sources: FewLines = Field([], description="only items from these sources")
    feedback: bool = Field(True, description="move the others by what people answered to these words")
    facets: bool = Field(False, description="count what each answer and source would leave")

    @property
    def choice(self) -> Choice:
        """As the store takes it.

        Raises:
            UserError: one of the answers is no kind of label.
        """
        kind = OneOf("answer", lambda: [UNLABELLED, *LABEL_KINDS])
        return Choice(tuple(map(kind.check, self.answers)), tuple(self.sources))


class FacetCounts(Answer):
    """How many items of the collection each value leaves, beside what is chosen of the other facet."""

    answers: dict[str, int] = Field(description=f"by the kind of their labels; {UNLABELLED}: not yet")
    sources: dict[str, int]
    total: int = Field(description="that are left by what is chosen of both")


class SearchAnswer(Answer):
    """Results, best first."""

    model: str
    no_match: bool = Field(description="whether none fits; the nearest few are there all the same")
    results: list[ResultRow]
    stale: float = Field(0.0, description="the share of the collection that the index does not hold yet")
    measure: str = Field("", description="of recordings: which probability orders them, said or about")
    note: str = Field("", description="what does not work with this query or these answers")
    ticked: int = Field(0, description="answers that people ticked for these words, which moved the others")
    crossed: int = Field(0, description="and those that they crossed")
    facets: FacetCounts | None = Field(None, description="where they were asked for")


@operation("search", role="viewer", public=True)
def search(app: App, request: SearchRequest) -> SearchAnswer:
    """Search the collection by words, by a picture or recording, or by both together.

    The answers end where matches end; labels on them move the next search for the same words.
    """
    check_one(request.file, request.item)
    for source in (request.source, *request.sources):
        check_source(app.ws, request.task, source)
    medium: Any = None
    if request.file is not None and request.file.path is not None:
        medium = app.media.decoded(request.file.path, request.task, request.version)
    query = Query(
        text=request.query.strip(),
        medium=medium,
        item=request.item or (request.file.item if request.file else "") or None,
        k=request.k,
        target=request.target,
        state=request.state,
        source=request.source,
        everything=request.everything,
        offset=request.offset,
        sort=request.sort,
        choice=request.choice,
        feedback=request.feedback,
    )
    found = app.media.search(query, request.task, request.version).as_json()
    if request.facets:
        counts = app.media.facets(request.task, query.choice)
        found["facets"] = FacetCounts(**vars(counts))
    return SearchAnswer(**found)


@operation("add_to_collection", role="trainer", quick=True, surfaces=("page",))
def add_to_collection(app: App, request: ItemRequest) -> dict[str, Any]:
    """Make a file that was brought to look at a part of the collection: all find it, and it stays."""
    item = app.media.add_to_collection(request.item)
    return {"item": item.id, "name": item.name}


class EvaluateRequest(Request):
    """What to measure, and on what."""

    task: TaskName = Field(DEFAULT_TASK)
    pairs: Name = Field("", description="a manifest; empty: the held-out matches", json_schema_extra=LOCAL)
    split: Measured = Field(
        "",
        description="only pairs of this split; empty: held-out, of a manifest all",
        json_schema_extra=LOCAL,
    )
    model: Name = Field("", description=VERSION)


@operation("evaluate", role="viewer", surfaces=("command",))
def evaluate(app: App, request: EvaluateRequest) -> dict[str, Any]:
    """Measure retrieval on labelled held-out pairs or on a manifest."""
    return app.media.evaluate(request.task, request.model or None, request.pairs, request.split or None)
