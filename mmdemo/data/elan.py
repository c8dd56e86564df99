"""ELAN's annotations of recordings and videos: the tiers of what is said, with their times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mmdemo.data.textgrid import OTHERS, PHRASES, SILENCES, WORDS
from mmdemo.data.xml_text import read_xml
from mmdemo.errors import UserError

GLOSSES = re.compile(r"gloss|transl|morph|\bpos\b|\bref\b", re.IGNORECASE)  # beside what is said
DEEPEST = 50  # annotations that refer to one another
KINDS = ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION")


@dataclass(frozen=True)
class _Tier:
    name: str  # its own and that of its type
    is_root: bool  # whether it hangs on no other
    said: list[tuple[float, float | None, str]]


def read_elan(text: str, note: Callable[[str], None]) -> Iterator[tuple[float, float | None, str]]:
    """Start, end and text of the annotations: of the tiers of phrases, else of those that hang on no other,
    else of words; each speaker has one. In the order of their times.

    Args:
        text: of the file.
        note: is told where other tiers with texts were left out.

    Raises:
        UserError: it is no file of ELAN.
    """
    root = read_xml(text)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise UserError("It is no file of ELAN.", "Save it in ELAN again.")
    tiers = [tier for tier in _tiers(root) if tier.said]
    chosen = _chosen(tiers)
    if len(chosen) < len(tiers):
        note("Of a file of ELAN the tiers of phrases are read, or else those that hang on no other.")
    yield from sorted((one for tier in chosen for one in tier.said), key=lambda one: (one[0], one[1] or 0.0))


def _chosen(tiers: list[_Tier]) -> list[_Tier]:
    def is_other(name: str) -> bool:
        return any(kind.search(name) for kind in (OTHERS, GLOSSES))

    ways: tuple[Callable[[_Tier], object], ...] = (
        lambda tier: PHRASES.search(tier.name) and not is_other(tier.name),
        lambda tier: tier.is_root and not is_other(tier.name) and not WORDS.search(tier.name),
        lambda tier: WORDS.search(tier.name) and not is_other(tier.name),
        lambda tier: tier.is_root,
    )
    return next((found for way in ways if (found := [tier for tier in tiers if way(tier)])), tiers[:1])


def _tiers(root: Element) -> Iterator[_Tier]:
    times = _times(root)
    spans = {
        one.get("ANNOTATION_ID", ""): (
            times.get(one.get("TIME_SLOT_REF1", "")),
            times.get(one.get("TIME_SLOT_REF2", "")),
        )
        for one in root.iter("ALIGNABLE_ANNOTATION")
    }
    above = {
        one.get("ANNOTATION_ID", ""): one.get("ANNOTATION_REF", "") for one in root.iter("REF_ANNOTATION")
    }
    for tier in root.findall("TIER"):  # none lies in another: each annotation is read once
        said = []
        for one in (found for kind in KINDS for found in tier.iterfind(f"ANNOTATION/{kind}")):
            words = " ".join((one.findtext("ANNOTATION_VALUE") or "").split())
            span = _span(one.get("ANNOTATION_ID", ""), spans, above)
            if span is None or span[0] is None:
                raise UserError("It has annotations without times.", "Save it in ELAN again.")
            if words.lower() not in SILENCES:
                said.append((span[0][0], span[1][1] if span[1] else None, words))
        name = f"{tier.get('TIER_ID', '')} {tier.get('LINGUISTIC_TYPE_REF', '')}"
        yield _Tier(name, not tier.get("PARENT_REF"), said)


Slot = tuple[float, float | None]  # seconds: the last time that is known until it, and the first from it on
Span = tuple[Slot | None, Slot | None]


def _span(name: str, spans: Mapping[str, Span], above: Mapping[str, str]) -> Span | None:
    """The slots of an annotation, or of that which it refers to."""
    for _ in range(DEEPEST):
        if name in spans:
            return spans[name]
        name = above.get(name, "")
    return None


def _times(root: Element) -> dict[str, Slot]:
    """The time slots by their ids; those without a time of their own lie between their neighbours."""
    slots = list(root.iter("TIME_SLOT"))
    known = [int(v) / 1000 if (v := slot.get("TIME_VALUE", "")).isdecimal() else None for slot in slots]
    times: dict[str, Slot] = {}
    before, after = 0.0, None
    for slot, time in zip(slots, known, strict=True):
        before = before if time is None else time
        times[slot.get("TIME_SLOT_ID", "")] = (before, time)
    for slot, time in zip(reversed(slots), reversed(known), strict=True):
        after = after if time is None else time
        name = slot.get("TIME_SLOT_ID", "")
        times[name] = (times[name][0], after)
    return times
