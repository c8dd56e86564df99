"""What can be asked of searches besides their answers: to be saved under a name, and to be labelled later."""

from __future__ import annotations

from urllib.parse import parse_qsl

from pydantic import Field

from mmdemo.asker import current
from mmdemo.errors import UserError
from mmdemo.modality import DEFAULT_TASK
from mmdemo.service.app import App
from mmdemo.service.operations.requests import (
    FEW,
    Answer,
    FewLines,
    Id,
    Name,
    Request,
    TaskName,
    TaskRequest,
)
from mmdemo.service.operations.table import operation
from mmdemo.store.saved_searches import SearchView


class SearchRow(Answer):
    """A saved search."""

    id: int
    name: str
    state: str = Field(description="as an address says it after the question mark")
    person: str = Field(description="who saved it; empty: somebody without a name")
    own: bool = Field(description="whether whoever asks may remove it")
    mine: bool = Field(description="whether whoever asks saved it")


class SearchesAnswer(Answer):
    """The saved searches."""

    searches: list[SearchRow]


class SaveSearchRequest(Request):
    """A search, and how it is to be called."""

    task: TaskName = Field(DEFAULT_TASK)
    name: Name = Field(description="under which it stands for everybody here")
    state: str = Field(
        description="as the page's address says it after the question mark", max_length=100_000
    )


class RemoveSearchRequest(Request):
    """Which saved search."""

    search: Id = Field(description="its number")


class RemovedAnswer(Answer):
    """What came of it."""

    removed: bool = Field(description="false: it was gone already")


class LaterRequest(Request):
    """Pairs to be asked about."""

    items: FewLines = Field(description=f"items by their ids, at most {FEW}")
    texts: FewLines = Field(description="the text that was sought with each, in the order of the items")


class LaterAnswer(Answer):
    """What waits now."""

    pairs: list[int] = Field(description="which Label asks for next, by their numbers")
    answered: int = Field(description="pairs that have a label already")


def _row(view: SearchView) -> SearchRow:
    return SearchRow(**vars(view))


@operation("saved_searches", role="viewer", quick=True)
def saved_searches(app: App, request: TaskRequest) -> SearchesAnswer:
    """The searches that are saved here, by their names."""
    views = app.ws.saved_searches.all(request.task, current())
    return SearchesAnswer(searches=[_row(view) for view in views])


@operation("save_search", role="annotator", quick=True, lane="quick")
def save_search(app: App, request: SaveSearchRequest) -> SearchRow:
    """Save a search under a name for everybody here; one of one's own of that name makes room for it."""
    item = dict(parse_qsl(request.state)).get("item")
    if item and not app.media.item(item).listed:  # others could not open it, and soon nobody
        raise UserError(
            "What this search looks by is not in the collection, and goes in a while.",
            "Add it in Data, or search by words.",
        )
    return _row(app.ws.saved_searches.keep(request.task, request.name, request.state, current()))


@operation("remove_search", role="annotator", quick=True, lane="quick")
def remove_search(app: App, request: RemoveSearchRequest) -> RemovedAnswer:
    """Remove a saved search: whoever saved it their own, the owner any."""
    return RemovedAnswer(removed=app.ws.saved_searches.remove(request.search, current()))


@operation("label_later", role="annotator", quick=True, lane="quick")
def label_later(app: App, request: LaterRequest) -> LaterAnswer:
    """Let whoever asks be asked about answers of a search next; what has its label already is left."""
    pairs, answered = app.labels.ask_later(request.items, request.texts)
    return LaterAnswer(pairs=pairs, answered=answered)
