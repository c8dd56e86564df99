"""Where a recogniser disagrees with a text, with itself, or with another version: what is worth a label."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from mmdemo.media.audio import decode_audio
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.speech.aligner import hears_words, recogniser_of
from mmdemo.models.speech.recogniser import WINDOW_S
from mmdemo.models.speech.same_words import SameWords
from mmdemo.retrieval.embed import encoder_states
from mmdemo.store.pairs import PairView
from mmdemo.store.tables import Transcript
from mmdemo.store.workspace import Workspace

TimedWord = tuple[str, float, float]  # word, start and end in seconds
HEARD = 500  # recordings whose transcripts are compared with their texts
LEAST_APART_S = 0.1  # what is nearer is the attention's blur, and no disagreement
TIMED = 60  # recordings whose words are aligned again, about 0.1 s each


def misheard(ws: Workspace, aligner: HeadAligner, pairs: Sequence[PairView]) -> np.ndarray:
    """(N,) share of a text's words that the recogniser did not hear in its recording, 0..1."""
    share = np.zeros(len(pairs))
    if not hears_words(aligner.towers.media):
        return share
    items = ws.items.of([p.item for p in pairs[:HEARD]])
    for i, pair in enumerate(pairs[:HEARD]):
        if pair.item in items and pair.start_s is None:
            heard = encoder_states(ws, aligner.towers.media, items[pair.item]).heard
            words, said = pair.text.casefold().split(), heard.casefold().split()
            share[i] = 1.0 - SameWords(words, said).ratio()
    return share


def apart_in_time(ws: Workspace, aligner: HeadAligner, pairs: Sequence[PairView]) -> np.ndarray:
    """(N,) seconds by which the words of a text, aligned by force, lie elsewhere than where kept transcripts
    have them, or those of two versions apart from each other; 0 where no transcript is kept or
    they agree.
    """
    apart = np.zeros(len(pairs))
    if not hears_words(aligner.towers.media):
        return apart
    kept = ws.transcripts.of_items([p.item for p in pairs])
    items = ws.items.of(list(kept))
    short = [
        (i, p)
        for i, p in enumerate(pairs)
        if p.item in items and p.start_s is None and (items[p.item].duration_s or 0.0) <= WINDOW_S
    ]
    recogniser = recogniser_of(aligner.towers.media)
    for i, pair in short[:TIMED]:
        samples = decode_audio(ws.media_path(items[pair.item]))
        forced = [(w.word, w.start, w.end) for w in recogniser.align_words(samples, pair.text)]
        lines = [forced, *(words_of(t) for t in kept[pair.item])]
        furthest = max(seconds_apart(a, b) for a, b in combinations(lines, 2))
        apart[i] = furthest if furthest >= LEAST_APART_S else 0.0
    return apart


def words_of(transcript: Transcript) -> list[TimedWord]:
    """The words of a kept transcript with their times."""
    return [(w["word"], w["start"], w["end"]) for s in transcript.segments for w in s["words"]]


def seconds_apart(one: Sequence[TimedWord], other: Sequence[TimedWord]) -> float:
    """The mean distance in seconds of the borders of the words that two time lines have in common."""
    left, right = ([word.casefold().strip(".,;:!?") for word, _, _ in line] for line in (one, other))
    found = [
        apart
        for a, b, size in SameWords(left, right).get_matching_blocks()
        for k in range(size)
        for apart in (abs(one[a + k][1] - other[b + k][1]), abs(one[a + k][2] - other[b + k][2]))
    ]
    return float(np.mean(found)) if found else 0.0
