"""Everything that mmdemo can do with an open workspace, a part a subject."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmdemo.asker import current
from mmdemo.modality import MODALITIES
from mmdemo.service.access import Access
from mmdemo.service.closing import closing_ends_s
from mmdemo.service.context import Context
from mmdemo.service.curation import Curation
from mmdemo.service.data import Data
from mmdemo.service.labels import Labels
from mmdemo.service.lanes import Lanes
from mmdemo.service.maps import MapService
from mmdemo.service.media import Media
from mmdemo.service.names import Names
from mmdemo.service.offers import Offers
from mmdemo.service.pictures import Pictures
from mmdemo.service.speech import Speech
from mmdemo.service.training import Training
from mmdemo.service.versions import Versions
from mmdemo.service.video import Video
from mmdemo.settings import Settings
from mmdemo.store.tables import Item

if TYPE_CHECKING:
    from mmdemo.models.aligner import Towers


class App:
    """An open workspace and what can be done with it.

    Args:
        settings: where it is and how to run.
        towers: models that are loaded already, by preset.
        samples_later: see `Context`.
    """

    def __init__(
        self, settings: Settings, towers: dict[str, Towers] | None = None, *, samples_later: bool = False
    ) -> None:
        self.context = Context(settings, towers, samples_later=samples_later)
        self.ws, self.models = self.context.ws, self.context.models
        self.media = Media(self.context)
        self.pictures = Pictures(self.context)
        self.speech = Speech(self.context)
        self.video = Video(self.context, self.speech)
        self.labels = Labels(self.context, self.media)
        self.data = Data(self.context)
        self.curation = Curation(self.context)
        self.maps = MapService(self.context)
        self.versions = Versions(self.context)
        self.offers = Offers(self.context, self.versions)
        self.training = Training(self.context)

    @property
    def settings(self) -> Settings:
        """Where the workspace is and how to run, with the preset of each base."""
        return self.context.settings

    @cached_property
    def names(self) -> Names:
        """Under which names people label."""
        return Names(self.ws)

    @cached_property
    def access(self) -> Access:
        """Who is let in. The workspace has no key before somebody asks that."""
        return Access(self.settings, self.ws)

    @cached_property
    def lanes(self) -> Lanes:
        """Where what is asked of the page is carried out."""
        return Lanes()

    @property
    def asked_here(self) -> bool:
        """Whether its owner asks, at this machine: then paths of it are told and may be named."""
        return self.settings.local and current().at_this_machine and current().may("owner")

    def caption(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """The JSON of `caption`: proposals, best first; of a recording, what is said; of a video, each
        shot.
        """
        own = MODALITIES.get(item.modality).caption
        return own(self, item, version) if own is not None else self.media.caption(item, version)

    def close(self, until_s: float | None = None) -> None:
        """Let the worker end and release the database.

        Args:
            until_s: monotonic seconds at which what has not ended is left; None: soon.
        """
        until_s = closing_ends_s() if until_s is None else until_s
        self.offers.close(until_s)
        self.context.close(until_s)
