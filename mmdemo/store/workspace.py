"""The workspace: one folder (and database) with everything that people made here.

mmdemo.sqlite3    items, pairs, labels, runs, versions
media/            every file once, by its hash
scratch/          files that somebody brought to look at
vectors/          features and vectors, memory-mapped
versions/         weights and their cards
runs/             snapshots, curves and check-points
cache/            thumbnails; may be deleted
backups/          the workspaces that were here before a restore, the last three
import.json       which import is on or was broken off, with what it has read in imports/
folders.json      where the folders of this machine are that were imported; no part of a backup
models.json       which models were named at this machine, once something was restored; no part of a backup
restore.json      what a restore that is on is about to change; generation: how many there were
access.key        what sessions are signed with; no part of a backup
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mmdemo.bounds import bounds
from mmdemo.errors import GoneError, MediaError, OutsideError, StorageError, cannot_write
from mmdemo.media.below import below
from mmdemo.media.decoding import decoding
from mmdemo.media.image import thumbnail
from mmdemo.media.regular_file import require_file
from mmdemo.modality import MODALITIES, Facts
from mmdemo.settings import DATABASE, Settings
from mmdemo.store.asked_later import LaterPairs
from mmdemo.store.attempts import AttemptLog
from mmdemo.store.changes import ChangeLog
from mmdemo.store.database import Database
from mmdemo.store.durable import remove_abandoned
from mmdemo.store.facets import Facets
from mmdemo.store.folders import KnownFolders
from mmdemo.store.grants import GrantLog
from mmdemo.store.import_log import ImportLog
from mmdemo.store.items import ItemStore
from mmdemo.store.labels import LabelLog
from mmdemo.store.leases import PairLeases
from mmdemo.store.made_before import discard_made_before
from mmdemo.store.made_files import MadeFiles
from mmdemo.store.media_store import MediaStore, byte_count, id_of
from mmdemo.store.named_models import NamedModels
from mmdemo.store.names import NameLog
from mmdemo.store.outside import OutsideFiles
from mmdemo.store.pairs import PairStore
from mmdemo.store.removal import Removals
from mmdemo.store.runs import RunLog
from mmdemo.store.saved_searches import SavedSearches
from mmdemo.store.scratch import ScratchArea
from mmdemo.store.sessions import SessionLog
from mmdemo.store.short_links import ShortLinks
from mmdemo.store.source_files import SourceFiles
from mmdemo.store.stills import Stills
from mmdemo.store.swap import read_generation, recover
from mmdemo.store.tables import Item
from mmdemo.store.texts import short_name, storable
from mmdemo.store.transcripts import TranscriptStore
from mmdemo.store.unfinished import remove_left
from mmdemo.store.vectors import VectorFile, count_rows
from mmdemo.store.versions import VersionTree
from mmdemo.store.words import WordIndex

HELD = ("media", "versions", "runs")  # what only the database can tell the meaning of
FOLDERS = ("media", "scratch", "vectors", "versions", "runs", "cache")


def _require_whole(settings: Settings) -> None:
    """Refuse a database that something has emptied, beside the files that it knew: it would be a new one.

    Raises:
        StorageError: it is empty, and they are there.
    """
    file, folder = settings.workspace / DATABASE, settings.workspace
    if settings.database_url or not file.is_file() or file.stat().st_size:
        return
    if holds := next((name for name in HELD if any((folder / name).iterdir())), None):
        raise StorageError(
            f"The database {file} is empty, and there are files in {folder / holds}.",
            "Restore a backup, or name another folder as MMDEMO_WORKSPACE.",
        )


@contextmanager
def _told_as(data: bytes | Path, name: str) -> Iterator[None]:
    """Errors within this block call a file by a name, which may be another than where it lies now."""
    try:
        yield
    except MediaError as e:
        if isinstance(data, Path):
            raise MediaError(e.what.replace(str(data), name).replace(data.name, name), e.cure) from e
        raise


class Workspace:
    """An open workspace.

    Args:
        settings: where it is; see `mmdemo.settings.load_settings`.

    Raises:
        UserError: the folder cannot be one.
        StorageError: the disk or the database refused.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.workspace
        try:
            recover(self.folder, wait=True)
            for name in FOLDERS:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            discard_made_before(self.folder)
        except OSError as e:
            raise cannot_write(f"The workspace {self.folder} cannot be used", e, named=True) from e
        _require_whole(settings)
        remove_left(self.folder)
        remove_left(self.folder.parent)  # of a restore
        self.database = Database(settings.url)
        self.media = MediaStore(self.folder / "media")
        self.made = MadeFiles(self.folder / "cache")
        self._stills = Stills(self.made)
        self.items = ItemStore(self.database)
        self.facets = Facets(self.database)
        scratch = MediaStore(self.folder / "scratch")
        self.scratch = ScratchArea(self.database, scratch, self.media, self.made, settings)
        self.imports = ImportLog(self.database)
        self.source_files = SourceFiles(self.database)
        self.folders = KnownFolders(self.folder)
        self.outside = OutsideFiles(self.source_files, self.folders)
        self.pairs = PairStore(self.database, settings.held_out_share, settings.answers)
        self.leases = PairLeases(self.database, settings.answers)
        self.labels = LabelLog(self.database, self.pairs)
        self.changes = ChangeLog(self.database, self.pairs)
        self.removals = Removals(self.database, self.media, self.made, self.folder / "vectors")
        self.transcripts = TranscriptStore(self.database)
        self.words = WordIndex(self.database)
        self.named_models = NamedModels(self.folder)
        self.versions = VersionTree(self.database, self.named_models)
        self.runs = RunLog(self.database)
        self.attempts = AttemptLog(self.database)
        self.grants = GrantLog(self.database)
        self.sessions = SessionLog(self.database)
        self.names = NameLog(self.database)
        self.short_links = ShortLinks(self.database)
        self.saved_searches = SavedSearches(self.database)
        self.asked_later = LaterPairs(self.database, self.pairs)
        self._vectors: dict[str, VectorFile] = {}
        self._lock = threading.Lock()
        self._known = self.database.identity(), read_generation(self.folder)

    def vectors(self, name: str, dim: int, dtype: type[np.floating] = np.float32) -> VectorFile:
        """The vector file of that name, opened once."""
        with self._lock:
            if name not in self._vectors:
                self._vectors[name] = VectorFile(below(self.folder / "vectors", name), dim, dtype)
            return self._vectors[name]

    def vector_rows(self, name: str) -> int:
        """How many rows the vector file of that name has, whether it is open or not."""
        return count_rows(below(self.folder / "vectors", name))

    def let_go_of_vectors(self, unused: Callable[[str], bool]) -> None:
        """Close vector files by their name; who asks for one again has it opened again."""
        with self._lock:
            for name in filter(unused, list(self._vectors)):
                del self._vectors[name]

    def add_media(
        self, modality: str, data: bytes | Path, name: str, *, source: str, listed: bool = True
    ) -> Item:
        """Keep a file and describe it; the same bytes twice are one item.

        Args:
            modality: the name of that as which it is read.
            data: the file, or its bytes; a recording or video named by its path is never in memory whole.
            name: what it is called where it comes from.
            source: where it comes from.
            listed: whether it is part of the collection; else it is of whoever is asking, for a while.

        Raises:
            MediaError: not a file of that modality that can be read.
            StorageError: the disk refused.
        """
        self.require_file(data, name)
        item_id = id_of(data)
        known = self.items.get(item_id)
        item = self.item_of(modality, data, name, source, known, item_id)
        item.listed, suffix = listed, item.suffix
        if not listed:
            return self.scratch.put(item, data)
        self.media.add(item_id, data, suffix, name)
        self.items.add(item)
        # again, where a backup has taken the folder's place meanwhile
        if not self.media.path(item_id, item.suffix).is_file():
            self.media.add(item_id, data, item.suffix, name)
        if known and not known.listed:
            self.scratch.forget(known)
        return self.items.get(item_id) or item

    def describe(self, modality: str, data: bytes | Path, name: str) -> Facts:
        """What a file says of itself; arguments and errors as those of `add_media`."""
        self.require_file(data, name)
        with _told_as(data, name), decoding(name, "Choose another file."):
            return MODALITIES.get(modality).describe(data, bounds(self.settings))

    def require_file(self, data: bytes | Path, name: str) -> None:
        """Refuse what is no regular file, or too large.

        Raises:
            MediaError: it is, in one sentence that calls it by its name.
        """
        if isinstance(data, Path):
            with _told_as(data, name):
                require_file(data, self.settings.max_file_mb)

    def item_of(
        self, modality: str, data: bytes | Path, name: str, source: str, known: Item | None, item_id: str
    ) -> Item:
        """The item that a file would be, which is neither kept nor noted yet.

        Args:
            modality: as in `add_media`, whose errors these are too.
            data: likewise.
            name: likewise.
            source: likewise.
            known: the item of these bytes, where there is one.
            item_id: the `id_of` the bytes.
        """
        facts = self.describe(modality, data, name)
        return Item(
            id=item_id,
            modality=modality,
            name=short_name(storable(Path(name).name)) or modality,
            source=storable(source)[:120],
            bytes=byte_count(data),
            listed=True,
            suffix=known.suffix if known else facts.suffix,
            width=facts.width,
            height=facts.height,
            duration_s=facts.duration_s,
        )

    def media_path(self, item: Item) -> Path:
        """The item's file: in the workspace, or where it was imported by reference.

        Raises:
            GoneError: it is read from outside, and is there no more.
        """
        path = self.scratch.path(item)
        return path if path.is_file() else self.outside.path(item) or path

    def has_media(self, item: Item) -> bool:
        """Whether an item has a file that can be read; a row that names one elsewhere has none."""
        try:
            return self.media_path(item).is_file()
        except (OutsideError, GoneError):
            return False

    def visible(self, item_id: str) -> Item | None:
        """The item of that id, if whoever is asking may know of it: of the collection, or their own."""
        item = self.items.get(item_id)
        return item if item is not None and self.scratch.sees(item) else None

    def thumbnail(self, item: Item, side_px: int) -> Path:
        """The item as a small WebP, drawn as its modality is, now if that was not done yet."""
        path = self.made.thumbnail_path(item.id, side_px)
        if not path.exists():
            image = MODALITIES.get(item.modality).draw(self, item, side_px)
            self.made.write(path, item.id, thumbnail(image, side_px), f"The thumbnail of {item.name}")
        return path

    def video_frame(self, item: Item, time_s: float, side_px: int) -> bytes:
        """What a video shows at a time, to a tenth of a second, as WebP."""
        return self._stills.frame(item, self.media_path(item), time_s, side_px)

    def peaks(self, item: Item) -> Path:
        """A recording's peaks, computed once: int8 pairs of the lowest and highest sample of each 1/50 s."""
        path = self.made.path("peaks", item.id, ".i8")
        if not path.exists():
            from mmdemo.media.audio import audio_peaks

            drawn = audio_peaks(self.media_path(item)).tobytes()
            self.made.write(path, item.id, drawn, f"The waveform of {item.name}")
        return path

    def remove_left(self) -> None:
        """Remove what was taken out of the collection from the disk, and files that no row knows."""
        self.removals.finish()
        self.scratch.remove_strays()

    def remove_abandoned(self) -> None:
        """Remove what processes that were killed have left half-written among the files, and have removed."""
        self.removals.finish()
        for name in ("media", "scratch", "cache"):
            remove_abandoned(self.folder / name)

    def version_folder(self, version_id: str) -> Path:
        """Where the weights and the card of a version lie.

        Raises:
            OutsideError: its id leads out of the folder of versions.
        """
        return below(self.folder / "versions", version_id)

    def run_folder(self, run_id: str) -> Path:
        """Where the snapshot, the curves and the check-points of a run lie.

        Raises:
            OutsideError: its id leads out of the folder of runs.
        """
        return below(self.folder / "runs", run_id)

    @property
    def rows(self) -> object:
        """What tells the rows that are here from those before a restore, as of the last `follow`."""
        return self._known

    def follow(self) -> bool:
        """Take in that a backup was put in the place of what was here, by this process or another; returns
        whether one was since this was asked last.

        Raises:
            StorageError: the workspace is gone.
        """
        recover(self.folder)
        now = self.database.identity(), read_generation(self.folder)
        with self._lock:
            if now == self._known:
                return False
            self._known = now
            self._vectors.clear()
        try:
            discard_made_before(self.folder)  # the backup may be an old one
        except OSError as e:
            raise cannot_write("The vectors of the backup cannot be removed", e) from e
        return True

    def close(self) -> None:
        """Release the database."""
        self.database.close()
