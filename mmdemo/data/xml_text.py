"""XML of other tools, read without what it may declare: no document types, no entities, no other files."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

from mmdemo.errors import UserError

MOST_TAGS = 2_000_000  # that open or close: each takes a hundred bytes and more, however few it has


def read_xml(text: str) -> Element:
    """The root of an XML text.

    Raises:
        UserError: it is none, declares a document type, or has more elements than are read at once.
    """
    if text.count("<") > MOST_TAGS:
        raise UserError(f"It has more than {MOST_TAGS:,} tags.", "Export it in parts.")
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(text.removeprefix("\ufeff"), forbid_dtd=True)
    except DefusedXmlException as e:
        raise UserError(
            "It declares a document type, which may hold more than annotations.", "Take its DOCTYPE out."
        ) from e
    except (ParseError, ValueError) as e:
        raise UserError(f"It is no XML that can be read: {e}.", "Export it again.") from e
    return root
