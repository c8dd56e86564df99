"""What can be done with a collection: import, export, back up, restore."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace as replace_in
from pathlib import Path

from mmdemo.asker import current
from mmdemo.data.archives import is_archive
from mmdemo.data.exporting import Exported, Foreseen, export_labels, foresee_export
from mmdemo.data.import_report import ImportReport
from mmdemo.data.importing import Order, Progress, import_source
from mmdemo.data.reading import lasting_name, open_source
from mmdemo.service.checking import Report, check
from mmdemo.service.context import Context
from mmdemo.service.exchange import new_folder
from mmdemo.store.backup import Restored, back_up, lies_outside, replace
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
        outside: bool = False,
    ) -> ImportReport:
        """Import a folder, a manifest or a data set, whose files lie within a folder where one is named;
        arguments and errors as `import_source` in `mmdemo/data/importing.py`.
        """
        progress = progress or self._context.progress
        return import_source(self._ws, source, task, verdict, progress, stopped, within, layout, outside)

    def run_import(self, order: Order, progress: Progress | None = None) -> ImportReport:
        """Import while somebody waits for it; one that is paused, or whose process is killed, can be gone on
        with. Errors as `import_source`.
        """
        order = replace_in(order, source=lasting_name(order.source))
        return self._context.imports.run(
            order, progress or self._context.progress or (lambda done, total: None)
        )

    def go_on_importing(self, progress: Progress | None = None) -> ImportReport:
        """Go on, while somebody waits for it, with the import that was paused or broken off.

        Raises:
            UserError: there is none.
        """
        return self._context.imports.run_on(progress or self._context.progress or (lambda done, total: None))

    def start_import(self, order: Order) -> None:
        """Begin an import behind the page; index and queue follow when it has ended, and an upload goes.

        Raises:
            UserError: it cannot be read at all, or another import is on.
        """
        order = replace_in(order, source=lasting_name(order.source), person=current().name)
        if not is_archive(Path(order.source)):
            with open_source(order.source, order.within, order.task, order.layout):  # which is told at once
                pass
        self._context.imports.start(order, self._ended)

    def resume_import(self) -> None:
        """Go on behind the page with the import that was paused or broken off.

        Raises:
            UserError: there is none.
        """
        self._context.imports.resume(self._ended)

    def _ended(self, order: Order) -> None:
        self._context.data_changed(order.task)

    def export(
        self, task: str, format: str, out: Path, every_label: bool = False, items: Collection[str] = ()
    ) -> Exported:
        """Export the labels of a task into a new folder; arguments and errors as `export_labels`."""
        return export_labels(self._ws, out, task, format, every_label, items)

    def foresee_export(self, task: str, format: str, every_label: bool = False) -> Foreseen:
        """What an export would leave out; arguments and errors as `export_labels`."""
        return foresee_export(self._ws, task, format, every_label)

    def back_up(self, out: Path | None = None, outside: bool = False) -> Path:
        """Write the whole workspace to a zip; None: to one that can be fetched.

        Args:
            out: where to.
            outside: whether the media that are read from outside of the workspace go with it.
        """
        return back_up(self._ws, out or new_folder() / f"mmdemo-backup-{now():%Y%m%d-%H%M%S}.zip", outside)

    def lies_outside(self) -> int:
        """How many items are read from outside of the workspace."""
        return len(lies_outside(self._ws))

    def check(self, repair: bool = False) -> Report:
        """Look at everything in the workspace; what can be made anew is, where that is asked for."""
        return check(self._context, repair)

    def restore(self, archive: Path) -> Restored:
        """Put a backup in the place of the workspace; what was there before is kept as one of its own."""
        done = replace(self._ws, archive)
        self._context.follow()
        return done
