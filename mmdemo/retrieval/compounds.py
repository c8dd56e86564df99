"""Names of several words that are another thing than one of those words: a hot dog is no dog.

They are the classes of ImageNet. How often a word of one is what somebody who looks for it means:
benchmarks/title_words.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from functools import cache

from mmdemo.store.words import plain, stem

Stems = tuple[str, ...]


@cache
def _classes() -> dict[Stems, frozenset[int]]:
    """The classes that a name is true of, by the stems of its words."""
    from mmdemo.models.captioning.seen import words

    found: dict[Stems, frozenset[int]] = {}
    for word in words():
        name = _stems(word.text.removeprefix("a ").removeprefix("an "))
        found[name] = found.get(name, frozenset()) | frozenset(word.classes)
    return found


@cache
def _longest() -> int:
    return max(len(name) for name in _classes())


def is_another_thing(wanted: Set[str], body: str) -> bool:
    """Whether the last word of a name that a text holds is sought, which by itself names other classes.

    Args:
        wanted: stems of a query.
        body: a text.
    """
    classes = _classes()
    ends = ((name, classes.get(name[-1:])) for name in _held(wanted, body) if name[-1] in wanted)
    return any(alone is not None and not alone & classes[name] for name, alone in ends)


def is_part_of_a_name(wanted: Set[str], body: str) -> bool:
    """Whether words before the last one of a name that a text holds are sought, and not what it names."""
    return any(name[-1] not in wanted for name in _held(wanted, body))


def _held(wanted: Set[str], body: str) -> Iterator[Stems]:
    """The names of several words in a text of which some are sought and others are not."""
    there = _stems(body)
    for start in range(len(there)):
        for end in range(start + 2, min(start + _longest(), len(there)) + 1):
            name = there[start:end]
            if name in _classes() and wanted & set(name) and not set(name) <= wanted:
                yield name


def _stems(text: str) -> Stems:
    return tuple(stem(word) for word in re.findall(r"[^\W_]+", plain(text)))
