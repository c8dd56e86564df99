"""Data URLs in tables of other tools: the bytes of a file, where they stand in it."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from mmdemo.errors import ImportRowError


def is_data_url(value: str) -> bool:
    """Whether it is one."""
    return value[:5].lower() == "data:"


def data_of(url: str) -> bytes:
    """The bytes that stand in a data URL.

    Raises:
        ImportRowError: it is damaged.
    """
    head, comma, body = url.partition(",")
    if not comma:
        raise ImportRowError("The file stands in no data URL that can be read.")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as e:
        raise ImportRowError("The file's data URL is damaged.") from e
