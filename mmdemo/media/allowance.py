"""How much of a video is decoded for somebody: of strangers less, for a small file can hold hours of frames
between one key frame and the next.
"""

from __future__ import annotations

import math

from mmdemo.asker import current
from mmdemo.bounds import TRUSTED_WITH_TIME

LEAST_PX = 100_000  # that a frame counts as, however small it is
# Pixels, for who is not trusted with this machine's time.
TO_ONE_FRAME_PX = 3e9  # from the key frame before it: 1,400 frames of 1920 x 1080, 360 of 3840 x 2160
WHILE_AWAITED_PX = 40e9  # of a video whose caller waits: ten minutes of 1920 x 1080 with 30 frames a second
BEHIND_PX = 500e9  # of one that is looked through behind the page: an hour with 60 frames a second


class Allowance:
    """What may be decoded yet, for whoever is asking as this is made.

    Args:
        px: pixels; who is trusted with this machine's time has no bound.
    """

    def __init__(self, px: float = math.inf) -> None:
        self._left_px = math.inf if current().may(TRUSTED_WITH_TIME) else px

    def spend(self, px: int) -> None:
        """Count a frame of so many pixels."""
        self._left_px -= max(px, LEAST_PX)

    @property
    def is_bounded(self) -> bool:
        """Whether it is of somebody who is not trusted with this machine's time."""
        return self._left_px < math.inf

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be decoded."""
        return self._left_px <= 0
