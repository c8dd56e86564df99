"""Who gets which pair is the same on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mmdemo.service.app import App


@pytest.fixture
def app(make_app: Callable[..., App], database_url: str) -> App:
    """A workspace with the sample collection, indexed, over each database."""
    made = make_app("over", database_url=database_url) if database_url else make_app()
    made.context.keeper.update()
    return made
