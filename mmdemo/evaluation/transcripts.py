"""What corrected texts teach a transcript: words to expect, and error rates with and without them.

A head changes which recordings and texts lie near each other, not what the recogniser writes. So a version
of a speech model carries a vocabulary as well: the words of its training texts that the recogniser did not
hear there. They are given to the decoder as a prompt ("hotwords" in faster-whisper).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdemo.evaluation.comparison import RESAMPLES, Interval
from mmdemo.evaluation.evidence import WORD_ERRORS, Evidence
from mmdemo.labeling.snapshot import Example
from mmdemo.media.audio import decode_audio
from mmdemo.models.aligner import Towers
from mmdemo.models.protocols import MediaTower
from mmdemo.models.speech.aligner import hears_words, recogniser_of
from mmdemo.models.speech.same_words import SameWords
from mmdemo.retrieval.embed import HEARD_S, encoder_states
from mmdemo.store.workspace import Workspace

MOST_WORDS = 60  # Whisper's prompt has room for 223 tokens
MEASURED = 24  # held-out recordings that are transcribed twice; about two seconds each


def plain_words(text: str) -> list[str]:
    """The words in lower case without marks, as error rates count them."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.casefold())


def learn_vocabulary(ws: Workspace, towers: Towers, examples: Sequence[Example]) -> list[str]:
    """The words of matches that the recogniser did not hear in their recordings, frequent first."""
    if not hears_words(towers.media):
        return []
    items = ws.items.of(sorted({e.item for e in examples if e.match}))
    counts: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    for example in examples:
        if not example.match or example.item not in items:
            continue
        heard = encoder_states(ws, towers.media, items[example.item]).heard
        said = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", example.text)
        matcher = SameWords([w.casefold() for w in said], plain_words(heard))
        for kind, a, b, _, _ in matcher.get_opcodes():
            for word in said[a:b] if kind in {"replace", "delete"} else ():
                if len(word) > 3 or not word.islower():
                    counts[word.casefold()] += 1
                    spelled.setdefault(word.casefold(), word)
    return [spelled[word] for word, _ in counts.most_common(MOST_WORDS)]


@dataclass(frozen=True)
class Heard:
    """A held-out recording as two recognisers wrote it down."""

    item: str
    text: str  # what people confirmed
    before: str
    after: str

    @property
    def errors(self) -> tuple[float, float]:
        """Wrong words for each word of the text, before and after."""
        (old, new, length), *_ = _counts([self], "WER")
        return old / length, new / length


def hear(
    ws: Workspace,
    before: tuple[MediaTower, Sequence[str]],
    after: tuple[MediaTower, Sequence[str]],
    examples: Sequence[Example],
    stopped: Callable[[], bool],
    most: int = MEASURED,
) -> list[Heard] | None:
    """What two recognisers, each with its vocabulary, write down of the same recordings; None: stopped.

    Args:
        examples: matches; of more recordings than `most`, as many at even distances.
    """
    chosen = list({e.item: e for e in examples if e.match}.values())
    chosen = chosen[:: max(1, len(chosen) // most)][:most]
    items = ws.items.of([e.item for e in chosen])
    rows: list[Heard] = []
    for example in chosen:
        if stopped():
            return None
        samples = decode_audio(ws.media_path(items[example.item]), 0.0, HEARD_S)
        heard = []
        for tower, words in (before, after):
            recogniser = recogniser_of(tower)
            parts = [part for part, _ in recogniser.transcribe([samples], words)]
            heard.append(" ".join(s.text for part in parts for s in part))
        rows.append(Heard(example.item, example.text, heard[0], heard[1]))
    return rows


def measure_transcripts(
    ws: Workspace,
    before: tuple[MediaTower, Sequence[str]],
    after: tuple[MediaTower, Sequence[str]],
    examples: Sequence[Example],
    stopped: Callable[[], bool],
) -> dict[str, Any] | None:
    """Word and character error rates in percent of two recognisers, each with its vocabulary, on the same
    held-out recordings.

    The intervals are 95 % of a paired bootstrap over recordings. None: stopped, or nothing to measure on.
    """
    rows = hear(ws, before, after, examples, stopped)
    return error_rates(rows) if rows else None


def error_evidence(rows: Sequence[Heard]) -> Evidence:
    """For the gate: the share of wrong words in each recording."""
    errors = np.array([row.errors for row in rows], float).reshape(len(rows), 2)
    items = tuple(row.item for row in rows)
    return Evidence(items, errors[:, 0], errors[:, 1], (-errors[:, 0], -errors[:, 1]), unit=WORD_ERRORS)


def _counts(rows: Sequence[Heard], name: str) -> list[list[int]]:
    """Errors before, errors after and the length of each text: of words (WER) or characters (CER)."""
    import jiwer

    counts = []
    for row in rows:
        reference = " ".join(plain_words(row.text)) or "-"
        line = []
        for one in (row.before, row.after):
            said = " ".join(plain_words(one))
            if name == "WER":
                out = jiwer.process_words(reference, said)
            else:
                out = jiwer.process_characters(reference, said)
            line += [out.substitutions + out.deletions + out.insertions]
        counts.append([*line, len(reference.split()) if name == "WER" else len(reference)])
    return counts


def error_rates(rows: Sequence[Heard]) -> dict[str, Any]:
    """WER and CER (jiwer) before and after, with the change's interval."""
    table: dict[str, Any] = {"recordings": len(rows)}
    for name in ("WER", "CER"):
        errors = np.array(_counts(rows, name), dtype=np.float64)  # (R, 3): errors before, after, length
        drawn = np.random.default_rng(0).integers(0, len(rows), (RESAMPLES, len(rows)))
        sums = errors[drawn].sum(1)  # (S, 3)
        low, high = np.percentile(100 * (sums[:, 1] - sums[:, 0]) / sums[:, 2], [2.5, 97.5])
        total = errors.sum(0)
        rates = 100 * total[:2] / total[2]
        change = Interval(float(rates[1] - rates[0]), float(low), float(high))
        table[name] = {
            "before": round(float(rates[0]), 1),
            "after": round(float(rates[1]), 1),
            "change": change.as_json(),
        }
    return table
