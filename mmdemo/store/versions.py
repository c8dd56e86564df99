"""Versions: what can be activated, and what was active when."""

from __future__ import annotations

from sqlalchemy import select

from mmdemo.errors import UserError
from mmdemo.store.database import Database
from mmdemo.store.named_models import NamedModels
from mmdemo.store.tables import Activation, Version, now

BY_SETTING = "(setting)"  # the annotator of an activation that nobody asked for
BY_GATE = "(gate)"  # of one that the test of before and after let through

SHOWN = 8  # versions that a refusal names


class VersionTree:
    """The versions of each task and the history of their activation."""

    def __init__(self, database: Database, named: NamedModels) -> None:
        self._database = database
        self._named = named

    def add_base(self, task: str, version_id: str, preset: str) -> None:
        """Make sure that a base version is there; which one is active does not change.

        Args:
            task: whose.
            version_id: its id.
            preset: the name of its preset, which was named at this machine or is in its settings.
        """
        self._named.note(preset)
        with self._database.write() as session:
            known = session.get(Version, version_id)
            if known is None:
                session.add(Version(id=version_id, task=task, base=preset))
            else:
                known.removed_at = None
                if known.parent is None:  # a backup may say otherwise of it
                    known.base = preset

    def bases(self) -> set[str]:
        """The names of the models on which versions stand."""
        with self._database.read() as session:
            return set(session.scalars(select(Version.base).distinct()))

    def ensure_base(self, task: str, version_id: str, preset: str, *, asked: bool = True) -> None:
        """Make sure that a base version is there, and active where nothing is yet.

        Args:
            task: whose.
            version_id: its id.
            preset: the name of its preset.
            asked: whether somebody named it: then it also replaces another base version that nobody chose.
                What a person activated or promoted stays; and so does, where it was not named, the base that
                a workspace has begun with, whose vectors and calibration its labels know.
        """
        self.add_base(task, version_id, preset)
        with self._database.write() as session:
            query = select(Activation).where(Activation.task == task)
            newest = session.scalar(query.order_by(Activation.id.desc()).limit(1))
            other = newest is not None and newest.version_id != version_id
            if newest is None or (asked and other and newest.annotator == BY_SETTING):
                session.add(Activation(task=task, version_id=version_id, annotator=BY_SETTING))

    def add(self, version: Version) -> None:
        """Add a version whose weights are on disk."""
        with self._database.write() as session:
            session.merge(version)

    def get(self, version_id: str) -> Version:
        """The version of that id.

        Raises:
            UserError: there is none.
        """
        with self._database.read() as session:
            version = session.get(Version, version_id)
            if version is not None and version.removed_at is None:
                return version
            query = select(Version.id).where(Version.removed_at.is_(None)).order_by(Version.created_at.desc())
            known = ", ".join(session.scalars(query.limit(SHOWN)))
        raise UserError(f"There is no version {version_id!r}.", f"The newest are: {known}.")

    def was_there(self, version_id: str) -> bool:
        """Whether there is such a version, or was one that has been removed."""
        with self._database.read() as session:
            return session.get(Version, version_id) is not None

    def of_task(self, task: str) -> list[Version]:
        """All versions of a task, oldest first."""
        with self._database.read() as session:
            query = select(Version).where(Version.task == task, Version.removed_at.is_(None))
            return list(session.scalars(query.order_by(Version.created_at, Version.id)))

    def remove(self, version_id: str) -> Version:
        """Take a version out of the list; its files are the caller's to delete.

        Raises:
            UserError: there is no such version, it is active, or others stand on it.
        """
        version = self.get(version_id)
        if self.active(version.task) == version_id:
            raise UserError(f"{version_id} is active.", "Activate another version first.")
        children = [v.id for v in self.of_task(version.task) if v.parent == version_id]
        if children:
            raise UserError(f"{children[0]} stands on {version_id}.", "Remove that one first.")
        with self._database.write() as session:
            session.merge(Version(id=version_id, removed_at=now()))
        return version

    def is_begun(self, task: str) -> bool:
        """Whether a version of a task is in force."""
        return self._newest(task) is not None

    def is_chosen(self, task: str) -> bool:
        """Whether a person, or the gate, made the version in force that."""
        newest = self._newest(task)
        return newest is not None and newest.annotator != BY_SETTING

    def _newest(self, task: str) -> Activation | None:
        query = select(Activation).where(Activation.task == task).order_by(Activation.id.desc())
        with self._database.read() as session:
            return session.scalar(query.limit(1))

    def active(self, task: str) -> str:
        """The id of the version in force."""
        newest = self._newest(task)
        if newest is None:
            raise UserError(f"No model is set up for {task}.", "Choose another task.")
        return newest.version_id

    def activate(self, version_id: str, annotator: str = "") -> Version:
        """Make a version the one in force; the page uses it at once.

        Raises:
            UserError: there is no such version.
        """
        version = self.get(version_id)
        query = select(Activation).where(Activation.task == version.task)
        with self._database.write() as session:
            newest = session.scalar(query.order_by(Activation.id.desc()).limit(1))
            if newest is None or newest.version_id != version_id or newest.annotator == BY_SETTING:
                session.add(Activation(task=version.task, version_id=version_id, annotator=annotator))
        return version

    def candidates(self, task: str) -> set[str]:
        """The tuned versions that were never in force: the gate or a person has yet to decide on them."""
        with self._database.read() as session:
            been = select(Activation.version_id).where(Activation.task == task)
            query = select(Version.id).where(
                Version.task == task,
                Version.parent.is_not(None),
                Version.removed_at.is_(None),
                Version.id.not_in(been),
            )
            return set(session.scalars(query))

    def previous(self, task: str) -> str | None:
        """The version that was in force before the present one, which a roll back returns to."""
        return self.get(self.active(task)).parent
