"""Numbers of a search: how likely an answer is one."""

from __future__ import annotations

from mmdemo.models.calibration import BASE_RATE
from mmdemo.retrieval.by_words import SURE
from mmdemo.retrieval.search import DENIED
from mmdemo.service.sources.table import SOURCES, Asked, Fact, Told
from mmdemo.store.words import LABEL, PAIR, SAID

BY_WORDS = "words"
LIKE_ITEM = "item"


def _result(asked: Asked) -> Told:
    """An answer, by what found it: `of`."""
    facts: list[Fact] = [("model", asked.version)]
    if asked.of == LIKE_ITEM:
        about = (
            "How near it lies to what was asked by, as a percent of the fit for texts. Nobody measured how "
            "often such answers are alike: their order means something, the percent little."
        )
    else:
        about = (
            "How likely it is an answer by its likeness to the query, among candidates of which one in "
            f"{round(1 / BASE_RATE)} is right. How far the percent of a search can be trusted was not "
            "measured; that of Align looks at more of each pair."
        )
    if asked.of == BY_WORDS:
        about += " It also holds all words of the query, which counts beside the likeness."
        sure = {"as its own text": PAIR, "as a confirmed text": LABEL, "in what is said or written": SAID}
        facts += [(f"words {where}", f"{100 * SURE[kind]:.0f} %") for where, kind in sure.items()]
    facts.append(("crossed answers", f"keep {100 * DENIED:.0f} % of their number"))
    return Told("How likely is this an answer?", about, tuple(facts))


SOURCES.add("result", _result)
