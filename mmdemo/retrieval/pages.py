"""Answers in pages: each page of a search is cut from one order, from the first answer to the last item."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mmdemo.retrieval.candidates import Answer, with_crossed
from mmdemo.retrieval.query import MAX_K, SORTS
from mmdemo.retrieval.results import BEST
from mmdemo.store.workspace import Workspace

HEAD = MAX_K  # answers whose order is made with all that is known; behind them it is that of the similarity


def page_of(answers: Sequence[Answer], k: int, offset: int, crossed: Collection[str]) -> list[Answer]:
    """K answers behind the first `offset`: what people crossed stands on the first page, and on no other."""
    first = with_crossed(answers, k, crossed)
    if not offset:
        return first
    there = {answer.id for answer in first}
    return [*first, *(answer for answer in answers if answer.id not in there)][offset : offset + k]


def in_order(ws: Workspace, answers: Sequence[Answer], sort: str, likes: bool) -> list[Answer]:
    """Answers in another order than the best first: those that fit well stay before the others.

    Args:
        ws: the workspace.
        answers: the best first.
        sort: one of SORTS.
        likes: whether no number says what fits.
    """
    if sort == SORTS[0]:
        return list(answers)
    found = sorted(answers, key=lambda a: abs(a.number - 0.5)) if sort == SORTS[1] else list(answers)
    if sort in ("newest", "name"):
        items = ws.items.of([answer.id for answer in answers])
        found = [answer for answer in answers if answer.id in items]
        if sort == "newest":
            found.sort(key=lambda a: items[a.id].created_at, reverse=True)
        else:
            found.sort(key=lambda a: items[a.id].name.casefold())
    return found if likes else sorted(found, key=lambda a: a.number < BEST)


def behind(answers: Sequence[Answer], further: Sequence[Answer]) -> list[Answer]:
    """Answers and what follows them; nothing of that is said to be likelier than what stands before it."""
    there, least = {a.id for a in answers}, min((a.number for a in answers), default=1.0)
    rest = [Answer(a.id, a.near, min(a.number, least)) for a in further if a.id not in there]
    return [*answers, *rest]
