"""What can be done with a collection: import, export, back up, restore."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from mmdemo.data.archives import is_archive
from mmdemo.data.exporting import Exported, Foreseen, export_labels, foresee_export
from mmdemo.data.importing import ImportReport, import_source
from mmdemo.data.reading import open_source
from mmdemo.service.checking import Report, check
from mmdemo.service.context import Context
from mmdemo.service.exchange import new_folder
from mmdemo.store.backup import Restored, back_up, replace
from mmdemo.store.tables import now


class Data:
    """The collection of an open workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ws = context.ws

    def import_source(
        self,
        source: str,
        task: str,
        verdict: str = "none",
        progress: Callable[[int, int | None], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
        within: Path | None = None,
        layout: str = "",
    ) -> ImportReport:
        """Import a folder, a manifest or a data set, whose files lie within a folder where one is named.

        Raises:
            UserError: nothing there can be imported.
        """
        progress = progress or self._context.progress
        return import_source(self._ws, source, task, verdict, progress, stopped, within, layout)

    def start_import(
        self, source: str, task: str, verdict: str, uploaded: Path | None = None, layout: str = ""
    ) -> None:
        """Begin an import behind the page; index and queue follow when it has ended.

        Args:
            source: a path or datasets:NAME.
            task: whose items they are.
            verdict: recorded as a label on each pair; none: no label.
            uploaded: the folder of what was uploaded: no other file is read, and it is deleted afterwards.
            layout: the importer that reads it; empty: the surest.
        """
        if not is_archive(Path(source)):
            with open_source(source, uploaded, task, layout):  # that it can be read at all is told at once
                pass

        def ended() -> None:
            if uploaded is not None:
                shutil.rmtree(uploaded, ignore_errors=True)
            self._context.data_changed(task)

        self._context.imports.start(
            Path(source).name or source,
            task,
            None,  # how many rows there are is counted behind the page
            lambda progress, stopped: self.import_source(
                source, task, verdict, progress, stopped, uploaded, layout
            ),
            ended,
        )

    def export(self, task: str, format: str, out: Path, every_label: bool = False) -> Exported:
        """Export the labels of a task into a new folder; arguments and errors as `export_labels`."""
        return export_labels(self._ws, out, task, format, every_label)

    def foresee_export(self, task: str, format: str, every_label: bool = False) -> Foreseen:
        """What an export would leave out; arguments and errors as `export_labels`."""
        return foresee_export(self._ws, task, format, every_label)

    def back_up(self, out: Path | None = None) -> Path:
        """Write the whole workspace to a zip; None: to one that can be fetched."""
        return back_up(self._ws, out or new_folder() / f"mmdemo-backup-{now():%Y%m%d-%H%M%S}.zip")

    def check(self, repair: bool = False) -> Report:
        """Look at everything in the workspace; what can be made anew is, where that is asked for."""
        return check(self._context, repair)

    def restore(self, archive: Path) -> Restored:
        """Put a backup in the place of the workspace; what was there before is kept as one of its own."""
        done = replace(self._ws, archive)
        self._context.follow()
        return done
