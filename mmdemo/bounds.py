"""How much somebody may bring, by who they are: of strangers less is taken."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mmdemo.asker import IN_WORDS, Asker, Role, current
from mmdemo.settings import Settings

TRUSTED_WITH_TIME: Role = "trainer"  # who may keep this machine busy as long as they like
MOST_FILES: dict[Role, int] = {"viewer": 100, "annotator": 500, "trainer": 5000}  # of one of them
OF_ALL = 5  # times what one may bring: what all annotators together may, and all trainers


@dataclass(frozen=True)
class Quota:
    """How much somebody may have here that is no part of the collection."""

    mb: int
    files: int
    all_mb: int  # of all who have the same role together
    who: str  # as in "a viewer"


def quota_of(asker: Asker, settings: Settings) -> Quota | None:
    """What somebody may bring; None: as much as they like, as the owner."""
    role = asker.role
    if role == "owner":
        return None
    if role == "viewer":
        mb, all_mb = settings.visitor_mb, settings.visitors_mb
    else:
        mb = settings.annotator_mb if role == "annotator" else settings.trainer_mb
        all_mb = OF_ALL * mb
    return Quota(mb, MOST_FILES[role], all_mb, IN_WORDS[role].one)


def bounds(settings: Settings) -> Settings:
    """The settings with the limits of who is asking. What is in the collection keeps the general ones."""
    if current().may("annotator"):
        return settings
    return replace(
        settings,
        max_megapixels=min(settings.max_megapixels, settings.visitor_megapixels),
        max_hours=min(settings.max_hours, settings.visitor_hours),
    )
