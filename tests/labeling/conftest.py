"""Who gets which pair is the same on both databases."""

from __future__ import annotations

import pytest

from mmdemo.service.app import App


@pytest.fixture
def app(app_over_each: App) -> App:
    """A workspace with the sample collection, indexed, over each database."""
    return app_over_each
