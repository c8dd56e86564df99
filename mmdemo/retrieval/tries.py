"""A search goes on where something that was made of the collection is gone or damaged: what can be is made
anew, what cannot is left out, and it is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from mmdemo.errors import LostError, NumberError
from mmdemo.retrieval.results import Results
from mmdemo.retrieval.serving import IndexKeeper, Serving

TRIES = 20  # each leaves out more of what is lost, or goes on with what was made anew
Ask = Callable[[Serving, Collection[str]], Results]  # of an index, without some items


def answered(keeper: IndexKeeper, ask: Ask, item: str | None) -> Results:
    """What an index answers whose rows were the same from beginning to end.

    Args:
        keeper: of the index.
        ask: the search.
        item: what is searched by; where that is lost there is no answer.

    Raises:
        UserError: of the search, and where it finds no end of damage.
    """
    lost: set[str] = set()  # nothing is there of them, nor can be made
    tried: set[str] = set()
    for left in reversed(range(TRIES)):
        serving = keeper.serving()
        try:
            found = ask(serving, lost)
            if not left or keeper.is_now(serving):
                return found
        except LostError as e:
            gone = (e.lost & tried) | keeper.made_anew(serving.aligner, e.lost - tried)
            if not left or item in gone or gone & lost:
                raise
            tried |= e.lost
            lost |= gone
        except NumberError:
            if not left or not keeper.mended(serving):
                raise
    raise AssertionError("the last of the tries answers or raises")
