"""What can be asked of what is in the collection: remove it, hide it, show it again, edit it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mmdemo.modality import DEFAULT_TASK
from mmdemo.service.app import App
from mmdemo.service.operations.requests import (
    FEW,
    ITEM,
    Answer,
    Count,
    FewLines,
    Id,
    Name,
    Request,
    Seconds,
    TaskName,
    Text,
)
from mmdemo.service.operations.table import operation
from mmdemo.store.changes import HIDE, REMOVE, SHOW, Target

Pairs = Annotated[list[Id], Field(max_length=FEW)]  # what is more is named by its import


class ImportsRequest(Request):
    """Of which task, and which page of them."""

    task: TaskName = Field(DEFAULT_TASK)
    limit: Count = Field(30, ge=1, le=200, description="how many")
    offset: Count = Field(0, description="how many to pass over")


class ImportRow(Answer):
    """An import with what is left of it."""

    id: str
    name: str = Field(description="of its source")
    task: str
    person: str = Field(description="who imported it; empty: somebody without a name")
    begun: str = Field(description="when, in UTC")
    ended: str | None = Field(description="null: it goes on, or was broken off")
    items: int = Field(description="that it brought and that are here")
    pairs: int = Field(description="the same")
    labelled: int = Field(description="of these pairs")
    hidden: int = Field(description="of these items and pairs")


class ImportsAnswer(Answer):
    """The imports."""

    imports: list[ImportRow]


@operation("imports", role="trainer", public=True, quick=True)
def imports(app: App, request: ImportsRequest) -> ImportsAnswer:
    """List the imports of a task of which something is left, the newest first."""
    rows = app.curation.imports(request.task, request.limit, request.offset)
    return ImportsAnswer(imports=[ImportRow(**row) for row in rows])


class ChangesRequest(Request):
    """How many."""

    limit: Count = Field(30, ge=1, le=200, description="how many")


class ChangeRow(Answer):
    """A change that was made."""

    id: int
    action: str = Field(description="remove, hide, show or edit")
    person: str = Field(description="who made it; empty: somebody without a name")
    at: str = Field(description="when, in UTC")
    done: bool = Field(description="whether what was removed is gone from the disk, too")
    details: dict[str, Any] = Field(description="what was named, and how much it was")


class ChangesAnswer(Answer):
    """The changes."""

    changes: list[ChangeRow]


@operation("changes", role="trainer", public=True, quick=True)
def changes(app: App, request: ChangesRequest) -> ChangesAnswer:
    """List what was removed, hidden, shown again and edited last, by whom and when."""
    return ChangesAnswer(changes=[ChangeRow(**row) for row in app.curation.changes(request.limit)])


class TargetRequest(Request):
    """What it is about."""

    items: FewLines = Field([], description=f"items by their ids, at most {FEW}")
    pairs: Pairs = Field([], description=f"pairs by their numbers, at most {FEW}")
    import_id: Name = Field("", description="the id of an import, with all that it brought; empty: none")
    dry_run: bool = Field(False, description="count only, and change nothing")

    @property
    def target(self) -> Target:
        """As the store takes it."""
        return Target(tuple(self.items), tuple(self.pairs), self.import_id.strip())


class AmountAnswer(Answer):
    """How much it was, or would be."""

    items: int
    pairs: int = Field(description="those of the items that are removed among them")
    labels: int = Field(description="on these pairs: they stay in the log")
    bytes: int = Field(description="of the items' files")
    change: int = Field(description="its number in the list of changes; 0: nothing was changed")
    done: bool = Field(description="whether what was removed is gone from the disk; else it goes by itself")


@operation("remove", role="owner", public=True)
def remove(app: App, request: TargetRequest) -> AmountAnswer:
    """Remove items with their files, pairs, or all that an import brought; their labels stay in the log."""
    return AmountAnswer(**app.curation.make(REMOVE, request.target, request.dry_run))


@operation("hide", role="trainer", public=True, quick=True)
def hide(app: App, request: TargetRequest) -> AmountAnswer:
    """Hide items, pairs, or all that an import brought, from what answers show; their labels still count."""
    return AmountAnswer(**app.curation.make(HIDE, request.target, request.dry_run))


@operation("show", role="trainer", public=True, quick=True)
def show(app: App, request: TargetRequest) -> AmountAnswer:
    """Show again what was hidden."""
    return AmountAnswer(**app.curation.make(SHOW, request.target, request.dry_run))


class EditItemRequest(Request):
    """An item and what it is called from now on."""

    item: Name = Field(description=ITEM)
    name: Name = Field("", description="what it is called; empty: as before", max_length=200)
    source: Name = Field("", description="where it comes from; empty: as before", max_length=120)


class EditedItem(Answer):
    """The item."""

    item: str
    name: str
    source: str


@operation("edit_item", role="trainer", public=True, quick=True)
def edit_item(app: App, request: EditItemRequest) -> EditedItem:
    """Give an item another name or source."""
    return EditedItem(**app.curation.edit_item(request.item, request.name, request.source))


class EditPairRequest(Request):
    """A pair and what it says from now on."""

    pair: Id = Field(description="its number")
    text: Text = Field("", description="the new text; empty: as before")
    start: Seconds = Field(None, description="of the new span, in seconds; null: as before")
    end: Seconds = Field(None, description="of the new span, in seconds; null: as before")
    whole: bool = Field(False, description="about the whole file from now on, and no span of it")


class EditedPair(Answer):
    """The pair that says it."""

    pair: int = Field(description="its number: another one, unless only capitals or blanks differ")
    was: int = Field(description="that of the pair before")
    text: str
    start: float | None
    end: float | None
    split: str | None = Field(description="null: item and text are on different sides")
    labels: int = Field(description="that stay behind on the pair before, in the log")


@operation("edit_pair", role="trainer", public=True, quick=True)
def edit_pair(app: App, request: EditPairRequest) -> EditedPair:
    """Give a pair another text or span: another pair, without a label, for a label is on the words that it
    was given on; the pair before is removed, and its labels stay in the log.
    """
    span = request.start, request.end
    return EditedPair(**app.curation.edit_pair(request.pair, request.text, *span, request.whole))
