"""How good captions are: against what people wrote, and against the picture itself.

BLEU-4 (Papineni et al. 2002) of each caption by sacrebleu, with all texts that people confirmed for the
picture as references; and CLIPScore (Hessel et al. 2021, arXiv:2104.08718) by the aligner at hand instead of
CLIP: two and a half times the cosine of caption and picture, no less than zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmdemo.evaluation.comparison import paired_bootstrap
from mmdemo.evaluation.metrics import CURE
from mmdemo.finite import require_finite

CLIP_SCALE = 2.5


def bleu4(caption: str, references: Sequence[str]) -> float:
    """BLEU-4 of one caption, 0..100, smoothed, with shorter orders where it has fewer words than four."""
    from sacrebleu import sentence_bleu

    found = sentence_bleu(caption.lower(), [r.lower() for r in references], use_effective_order=True)
    return float(found.score)


def clip_score(similarity: float) -> float:
    """CLIPScore, 0..100 and more, from a cosine.

    Raises:
        NumberError: the cosine is infinite or not a number.
    """
    require_finite(similarity, "The similarity of a caption with its picture", CURE)
    return 100.0 * CLIP_SCALE * max(0.0, similarity)


def caption_comparison(
    before: Sequence[str],
    after: Sequence[str],
    references: Sequence[Sequence[str]],
    similarity: tuple[np.ndarray, np.ndarray],
) -> dict[str, Any]:
    """Captions of the same N pictures by two versions: the mean scores, and the gain with its interval.

    Args:
        before, after: the captions.
        references: what people confirmed for each picture.
        similarity: (N,) cosine of caption and picture, before and after.
    """
    scores = {
        "BLEU-4": [
            np.array([bleu4(c, r) for c, r in zip(captions, references, strict=True)])
            for captions in (before, after)
        ],
        "CLIPScore": [np.array([clip_score(s) for s in side]) for side in similarity],
    }
    return {
        "pictures": len(references),
        "before": {name: round(float(old.mean()), 1) for name, (old, _) in scores.items()},
        "after": {name: round(float(new.mean()), 1) for name, (_, new) in scores.items()},
        "gains": {
            name: paired_bootstrap(old / 100, new / 100).as_json() for name, (old, new) in scores.items()
        },
    }
