"""What an operation of another package may not be."""

from __future__ import annotations

from typing import Any

import pytest

from mmdemo.errors import RegistryError
from mmdemo.service.app import App
from mmdemo.service.operations.requests import Answer, Request
from mmdemo.service.operations.table import OPERATIONS, operation


class OddRequests:
    """Requests that no page, endpoint or verb could be made of."""

    class Who(Request):
        """A field with the name of who asks."""

        request: str = ""

    class Verb(Request):
        """A field with the name of what the parser notes."""

        verb: str = ""

    class Thing(Request):
        """A default that is no JSON."""

        thing: Any = object()

    class Bytes(Request):
        """Another."""

        raw: bytes = b"x"

    class Nan(Request):
        """A number that JSON has not."""

        least: float = float("nan")


@pytest.mark.parametrize("request_of", [v for v in vars(OddRequests).values() if isinstance(v, type)])
def test_an_operation_that_would_stop_the_page_is_refused_when_it_is_added(request_of: type[Request]) -> None:
    def run(app: App, request: Request) -> Answer:
        """Nothing."""
        return Answer()

    run.__annotations__["request"] = request_of
    name = next(iter(request_of.model_fields))
    with pytest.raises(RegistryError, match=name):
        operation("odd", role="viewer", public=True)(run)
    assert "odd" not in OPERATIONS
