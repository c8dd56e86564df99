"""What a start tells in its log: where the page is, who may do what there, and how others are let in."""

from __future__ import annotations

import logging
import shlex

from mmdemo.service.app import App
from mmdemo.service.operations.page import keeping
from mmdemo.settings import Settings, default_workspace

log = logging.getLogger(__name__)
SHORT = 12  # characters of a pass phrase; sixty guesses a minute are looked at


def owner_link(app: App, address: str) -> str:
    """A link that makes whoever opens it first the owner, at the page's address. What stands behind
    the # is never sent: no log of a server has it.
    """
    return f"{address}#sign-in={app.access.owner_key()}"


def tell(app: App, address: str, for_people: str) -> None:
    """Tell it.

    Args:
        app: the open workspace.
        address: where the page answers.
        for_people: the address by which others reach it.
    """
    settings = app.settings
    log.info("mmdemo is at %s", address)
    if for_people != address:
        log.info("Others reach it at %s", for_people)
    if not settings.local or settings.passphrase:
        log.warning("Whoever reaches it can look. To do more they sign in: invite them %s.", _how(settings))
        ways = "".join(f"{way}, or " for way in _ways(settings))
        log.warning(
            "You are the owner %sby this link, which opens once: %s", ways, owner_link(app, for_people)
        )
    if settings.passphrase and len(settings.passphrase) < SHORT:
        log.warning(
            "The pass phrase has %d characters, and whoever guesses it is the owner. Set one of %d or more.",
            len(settings.passphrase),
            SHORT,
        )
    log.info("%s", keeping(app)["text"])


def _how(settings: Settings) -> str:
    """How others are invited; a Space has no command line."""
    if settings.on_space:
        return "in the page, by Invite"
    own = settings.workspace != default_workspace({})
    workspace = f" --workspace {shlex.quote(str(settings.workspace))}" if own else ""
    return f"in the page, by Invite, or by `python -m mmdemo invite{workspace}`"


def _ways(settings: Settings) -> list[str]:
    """How the owner signs in beside the link."""
    hub = settings.hub_sign_in
    by_hub = [f"by signing in with Hugging Face as {hub.owner}"] if hub and hub.owner else []
    return by_hub + (["by the pass phrase"] if settings.passphrase else [])
