"""What a service reads and writes it does over both databases; what touches none runs over one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mmdemo.service.app import App
from tests.conftest import STORES


def over_both(fixture: str) -> pytest.MarkDecorator:
    """Run a test with a fixture over each database, the second as a slow one; elsewhere it is over SQLite."""
    first, *others = STORES
    slow = [pytest.param(store, marks=pytest.mark.slow) for store in others]
    return pytest.mark.parametrize(fixture, [first, *slow], indirect=True)


@pytest.fixture
def app(
    open_over: Callable[[str, Path], App], request: pytest.FixtureRequest, indexed_workspace: Path
) -> App:
    """A workspace with the sample collection, indexed."""
    return open_over(getattr(request, "param", "sqlite"), indexed_workspace)
