"""Numbers of a search: how likely an answer is one."""

from __future__ import annotations

from mmdemo.models.calibration import BASE_RATE
from mmdemo.models.version_source import version_source
from mmdemo.retrieval.by_words import BESIDE, SURE
from mmdemo.retrieval.hubness import has_hubs
from mmdemo.retrieval.odds import DECIDED, SEARCH_RATE
from mmdemo.retrieval.search import DENIED
from mmdemo.service.sources.probabilities import fits_of
from mmdemo.service.sources.table import SOURCES, Asked, Fact, Told
from mmdemo.store.words import LABEL, PAIR, SAID

BY_WORDS = "words"
JUDGED = "judged"  # by a person, with the query's own words
NEAR = "near"
MEASURED_OF = "efficientnet-lite0-devise"


def _fitted(asked: Asked, base: str) -> list[Fact]:
    """What the percents of a version rest on, and of which model searches were measured."""
    fit = fits_of(asked.ws, asked.version).get("")
    found = fit.reliability if fit is not None else None
    facts: list[Fact] = [("percent of Align, measured on", found.on)] if found is not None else []
    if base != MEASURED_OF:
        return [*facts, ("searches", "not measured with this model")]
    of = "this model" if asked.version == base else f"its base {base}, not this version"
    return [  # by benchmarks/search_percents.py
        *facts,
        ("searches measured on", f"{of}, with 280 drawings that calibrated nothing and the title of each"),
        ("at 50 % and more", "29 of 61 answers had this very title; a dozen of the others show the same"),
        ("at 80 % and more", "9 of 9 had it"),
    ]


def _result(asked: Asked) -> Told:
    """An answer, by what found it: `of`."""
    facts: list[Fact] = [("model", asked.version)]
    if asked.of == NEAR:
        return Told(
            "How near they lie",
            "The cosine of its vector and that of what was asked, from -1 to 1. How often such answers are "
            "right is not known, so there is no percent: their order means something.",
            tuple(facts),
        )
    source = version_source(asked.ws, asked.version)
    if has_hubs(source.task):
        about = (
            "How likely it is an answer, by all that Align knows of the pair, among candidates of which one "
            f"in {round(1 / SEARCH_RATE)} is right: a search asks the whole collection."
        )
        facts += _fitted(asked, source.preset.id)
        facts.append(("asked", f"the {DECIDED} nearest; the rest is never said to be likelier than those"))
    else:
        about = (
            "How likely it is an answer by its likeness to the query, among candidates of which one in "
            f"{round(1 / BASE_RATE)} is right. How far the percent of a search can be trusted was not "
            "measured; that of Align looks at more of each pair."
        )
    if asked.of == JUDGED:
        about += (
            " A person said of this answer whether it is one: a tick gives it the query as its text, and a "
            "cross leaves little of its number. Ticks also move the answers that are like it."
        )
        facts.append(("a person's tick", f"at least {100 * SURE[LABEL]:.0f} %"))
    if asked.of == BY_WORDS:
        about += " It also holds all words of the query, which counts beside the likeness."
        sure = {"as its own text": PAIR, "as a corrected text": LABEL, "in what is said or written": SAID}
        facts += [(f"words {where}", f"{100 * SURE[kind]:.0f} %") for where, kind in sure.items()]
        facts += [  # by benchmarks/title_words.py
            ("words before what a text names", f"{100 * BESIDE:.0f} %, as of water in a water tower"),
            (
                "words measured on",
                "294 words in titles of drawings: 185 of 195 that name what is shown were right, 72 of 99 "
                "that stand before it",
            ),
        ]
    facts.append(("crossed answers", f"keep {100 * DENIED:.0f} % of their number"))
    return Told("How likely is this an answer?", about, tuple(facts))


SOURCES.add("result", _result)
