"""What let somebody in, which their session and the database keep as a text."""

from __future__ import annotations

from dataclasses import dataclass

OWNER, PHRASE, GRANT, HUB = "owner", "phrase", "grant", "hub"
OF_A_DIGEST = 16  # characters that tell a grant from another of its number, and a phrase from another


@dataclass(frozen=True)
class LetInBy:
    """What somebody showed.

    Args:
        kind: the owner's key, the pass phrase, a grant or the Hub; empty: nothing was shown.
        digest: of the phrase or the grant, whole or its beginning.
        grant: its number.
    """

    kind: str
    digest: str = ""
    grant: int = 0

    @classmethod
    def parse(cls, text: str) -> LetInBy:
        """What such a text says."""
        kind, _, rest = text.partition(":")
        number, _, digest = rest.partition(":")
        return cls(GRANT, digest, int(number)) if kind == GRANT else cls(kind, rest)

    def __str__(self) -> str:
        digest = self.digest[:OF_A_DIGEST]
        if self.kind == GRANT:
            return f"{GRANT}:{self.grant}:{digest}"
        return f"{self.kind}:{digest}" if digest else self.kind
