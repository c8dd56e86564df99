"""What a full disk says, to files that are larger than some size."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

LARGEST_FILE = 4_000_000  # bytes: the database and the features fit, check-points and heads do not


@contextmanager
def full_disk(largest: int = LARGEST_FILE) -> Iterator[None]:
    """Within this block a larger file meets what a full disk says."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
