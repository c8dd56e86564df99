"""XML of other tools, read without what it may declare: no document types, no entities, no other files."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

from mmdemo.errors import UserError


def read_xml(text: str) -> Element:
    """The root of an XML text.

    Raises:
        UserError: it is none, or declares a document type.
    """
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
