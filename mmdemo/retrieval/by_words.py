"""What a query finds by words: in the texts that people gave, in what was said, in what is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Set
from dataclasses import dataclass

from mmdemo.modality import modality_of
from mmdemo.retrieval.compounds import is_another_thing, is_part_of_a_name
from mmdemo.store.pairs import OF_ANSWERS
from mmdemo.store.texts import text_key
from mmdemo.store.words import (
    EVERY,
    HEARD,
    KINDS,
    LABEL,
    PAIR,
    SAID,
    SMALL_WORDS,
    WRITTEN,
    held_share,
    plain,
    stem,
    stems,
)
from mmdemo.store.workspace import Workspace

MOST_HITS = 200  # texts
# How likely an item is an answer whose text of a kind holds all of the query's words. A transcript errs, and
# what a recogniser only took down in passing errs more. Texts that people gave: benchmarks/title_words.py.
SURE = {PAIR: 0.95, LABEL: 0.95, WRITTEN: 0.8, SAID: 0.8, HEARD: 0.0}
BESIDE = 0.7  # where the words stand before what a given text names: an apple pie has to do with apples
PART = 0.45  # the same where they are a part of a name: a water tower is no water
ANOTHER = 0.65  # where the last word of a name is sought that is another thing: a hot dog is no dog
GIVEN = frozenset({PAIR, LABEL})  # by people: the answers, where it is measured how well they are found


@dataclass(frozen=True)
class WordHit:
    """An item that was found by words."""

    score: float  # of the full-text index; greater is better
    sure: float  # 0..1, how likely it is an answer by its words alone: 0 unless a text holds all of them
    kind: str  # of the text: pair, label, said, heard or written


def word_hits(
    ws: Workspace,
    task: str,
    query: str,
    given: bool = True,
    among: Collection[str] | None = None,
    unsaid: str = "",
) -> dict[str, WordHit]:
    """The items of a task's collection with a text that holds words of the query, the best of each.

    Args:
        ws: the workspace.
        task: whose collection.
        query: words.
        given: whether the texts that people gave are looked in.
        among: only these items; None: all.
        unsaid: the key of a text that does not count where only an answer to a search says it.
    """
    kinds, modality = KINDS if given else KINDS - GIVEN, modality_of(task)
    hits = ws.words.find(query, modality.name, MOST_HITS if among is None else EVERY, kinds)
    hits = [hit for hit in hits if among is None or hit.item in among][:MOST_HITS]
    said = modality.vocabulary is not None  # the texts are what somebody says: to hold the words is all
    items = list(dict.fromkeys(hit.item for hit in hits))
    own = {
        item: {
            key
            for pair in pairs
            if pair.is_own and not pair.hidden
            if (key := text_key(pair.final_text)) != unsaid or pair.source not in OF_ANSWERS
        }
        for item, pairs in ws.pairs.of_items(task, items).items()
    }
    found: dict[str, WordHit] = {}
    wanted = stems(query)
    for hit in hits:
        if hit.kind in GIVEN and text_key(hit.body) not in own[hit.item]:
            continue  # marked as wrong, corrected, taken back, hidden or removed
        sure = SURE[hit.kind] if held_share(wanted, hit.body) == 1.0 else 0.0
        if sure and hit.kind in GIVEN and not said:
            sure = sure_of(wanted, hit.body, sure)
        known = found.get(hit.item)
        if known is None or sure > known.sure:
            score = known.score if known else hit.score
            found[hit.item] = WordHit(max(score, hit.score), sure, hit.kind)
    return found


def sure_of(wanted: Set[str], body: str, named: float = SURE[PAIR]) -> float:
    """How likely a text that holds the `stems` of a query says that its item is an answer; `named`: what it
    says where they are what it names.
    """
    if names(wanted, body):
        return ANOTHER if is_another_thing(wanted, body) else named
    return PART if is_part_of_a_name(wanted, body) else BESIDE


def names(wanted: Set[str], body: str) -> bool:
    """Whether the `stems` of a query are what a text that holds them names, and don't only tell more of it.

    In English the last word of several in a row does: an apple pie is a pie. What is done stands behind its
    name, as in "a woman reading".
    """
    words = re.findall(r"[^\W_]+|[^\w\s]", plain(body))
    last = max((at for at, word in enumerate(words) if stem(word) in wanted), default=-1)
    behind = words[last + 1] if last + 1 < len(words) else ""
    return not behind.isalnum() or behind in SMALL_WORDS or behind.endswith("ing")
