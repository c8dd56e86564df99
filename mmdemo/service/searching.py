"""Which index a search asks: that of the active version, or of another that was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mmdemo.models.protocols import Task
from mmdemo.service.context import Context

if TYPE_CHECKING:
    from mmdemo.retrieval.other_versions import OtherVersions
    from mmdemo.retrieval.search import Searcher


def searcher_by(context: Context, task: Task, version: str = "") -> Searcher:
    """Search in a task by a version; empty: by the active one, as far as its index is made.

    Raises:
        UserError: there is no such version, it is of another task, or it has not read the collection yet.
    """
    if not version:
        return context.searcher_of(task)
    known = context.version_of(task, version)
    served = context.keeper_of(task).status.version
    if known == (served or context.ws.versions.active(task)):
        return context.searcher_of(task)
    return _others(context).searcher_of(task, known, context.progress)


def _others(context: Context) -> OtherVersions:
    def make() -> OtherVersions:
        from mmdemo.retrieval.other_versions import OtherVersions

        return OtherVersions(context.ws, context.models, context.keeper_of)

    return cast("OtherVersions", context.once("other versions", make))
