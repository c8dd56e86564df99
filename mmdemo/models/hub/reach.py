"""Whether the Hub can be reached: asked once and shortly, before a library tries for half a minute."""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import urlparse

from mmdemo.asker import current
from mmdemo.models.hub.errors import unavailable
from mmdemo.models.hub.local_cache import is_cached

ASKED_S = 5.0  # that an answer may take; who is slower than that fetches no model
KNOWN_S = 30.0  # that an answer holds for: one model is loaded in several parts
_known: dict[str, tuple[float, Exception | None]] = {}  # by address: when it was asked, and what was wrong


def hub_options(name: str, done: str) -> dict[str, Any]:
    """What `from_pretrained` is told of a repository: that only its local files are read, where there is no
    network and it was downloaded before.

    Args:
        name: of the repository, perhaps with @REVISION.
        done: what is about to be done with it, as "found" or "fetched".

    Raises:
        UserError: it is not here, and the Hub cannot be reached.
    """
    here = is_cached(name, "config.json")
    if _unreachable() is None and not (here and whose_token()):
        return whose_token()
    if not here:
        require_hub(name, done)
    return {"local_files_only": True}


def whose_token() -> dict[str, Any]:
    """What the Hub's client is told of who asks: the token of this host speaks for its owner alone. Others
    ask as nobody, and of what is downloaded already they ask nothing.
    """
    return {} if current().may("owner") else {"token": False}


def unreachable_host() -> str:
    """The host of the Hub where it does not answer; empty where it does, or nobody may ask."""
    from huggingface_hub import constants

    return urlparse(constants.ENDPOINT).netloc if _unreachable() is not None else ""


def why_closed(ask: bool = True) -> str:
    """Why nothing can be fetched from the Hub, as a part of a sentence; empty: it can.

    Args:
        ask: whether the Hub is asked; else only what forbids it here is known.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids to fetch it"
    host = unreachable_host() if ask else ""
    return f"{host} cannot be reached" if host else ""


def require_hub(name: str, done: str) -> None:
    """Refuse what needs the Hub where it cannot be reached.

    Raises:
        UserError: it cannot.
    """
    wrong = _unreachable()
    if wrong is not None:
        raise unavailable(name, wrong, done) from wrong


def _unreachable() -> Exception | None:
    """What was wrong when the Hub was asked last; None: it answers, or nobody may ask."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    logger = logging.getLogger("huggingface_hub")
    if logger.level == logging.WARNING:  # its default: a line a retry
        logger.setLevel(logging.ERROR)
    if constants.HF_HUB_OFFLINE:
        return None
    address = constants.ENDPOINT
    asked, wrong = _known.get(address, (-KNOWN_S, None))
    if time.monotonic() - asked > KNOWN_S:
        try:
            get_session().head(address, timeout=ASKED_S)
            wrong = None
        except Exception as e:  # of whichever client is beneath: no name, no route, no answer, no proxy
            wrong = e
        _known[address] = (time.monotonic(), wrong)
    return wrong
