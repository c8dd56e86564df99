"""Which items of the collection a search is asked among."""

from __future__ import annotations

from mmdemo.errors import UserError
from mmdemo.modality import modality_of
from mmdemo.retrieval.query import Query
from mmdemo.store.tables import Item
from mmdemo.store.texts import short_id
from mmdemo.store.workspace import Workspace


def wanted(ws: Workspace, task: str, query: Query) -> set[str] | None:
    """The items that the query's filters leave; None: it has none."""
    modality, left = modality_of(task).name, []
    if query.state:
        states = ws.pairs.item_states(task)
        left.append({item for item, found in states.items() if query.state in found})
    if query.source:
        left.append(set(ws.items.ids(modality, query.source)))
    if query.choice:
        left.append(ws.facets.ids(modality, task, query.choice))
    return set.intersection(*left) if left else None


def require_item(ws: Workspace, task: str, item_id: str) -> Item:
    """The item that is searched by.

    Raises:
        UserError: it is not there, or of another modality.
    """
    item, modality = ws.items.get(item_id), modality_of(task)
    if item is None:
        raise UserError(f"There is no item {short_id(item_id)}.", "Search with another one.")
    if item.modality != modality.name:
        raise UserError(f"{item.name} is not {modality.one}.", f"Search with {modality.one}.")
    return item
