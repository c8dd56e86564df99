"""What a search by a version carries into its space and holds in memory, beside the vectors of its index."""

from __future__ import annotations

from collections.abc import Callable


class Carried:
    """Of most tasks nothing."""

    def uncarried(self, features: str) -> int:
        """How many rows a search would have to carry before it answers.

        Args:
            features: the name of those of the version's towers.
        """
        return 0

    def carry(self, stopped: Callable[[], bool]) -> None:
        """Carry all of them now, unless it is stopped."""
