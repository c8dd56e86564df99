"""Who may change something: with a pass phrase set, looking is free and labelling, importing and training
ask for it.
"""

from __future__ import annotations

import hmac
from urllib.parse import unquote

from mmdemo.errors import AccessError
from mmdemo.settings import Settings

HEADER = "x-mmdemo-passphrase"


def require_access(settings: Settings, given: str | None) -> None:
    """Let through who gave the pass phrase; everybody when none is set.

    Raises:
        AccessError: it is missing or wrong.
    """
    if not settings.passphrase:
        return
    if not given:
        raise AccessError(
            "Changing something here needs the pass phrase.", "Ask the person who shared this page."
        )
    if not hmac.compare_digest(
        unquote(given).encode(), settings.passphrase.encode()
    ):  # headers are ASCII: it comes quoted
        raise AccessError("The pass phrase is wrong.", "Check it and try again.")
