"""A request that does not pass the gate."""

from __future__ import annotations

from collections.abc import Mapping

from mmdemo.errors import UserError


class Refused(UserError):
    """Refused for what it is, whoever asks.

    Args:
        status: of the answer.
        what: what is wrong.
        cure: what to do.
        headers: of the answer.
    """

    def __init__(self, status: int, what: str, cure: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers
        super().__init__(what, cure)
