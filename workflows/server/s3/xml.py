"""XML as S3 speaks it: read without trust, written with the characters that XML has no letters for."""

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from workflows.server.s3.errors import malformed_xml

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
# S3 writes what XML cannot hold as a reference all the same; clients that expect such keys ask for
# encoding-type=url.
_SPECIAL = re.compile('[&<>"\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


class _NoDoctype(ElementTree.TreeBuilder):
    """Builds a tree of a document without a DTD: where there is none, no entity can be declared."""

    def doctype(self, *_: object) -> None:
        raise malformed_xml("it has a DOCTYPE")


def read_xml(body: bytes) -> ElementTree.Element:
    """The root of a document.

    Raises:
        AwsError: MalformedXML.
    """
    parser = ElementTree.XMLParser(target=_NoDoctype())  # noqa: S314 - without a DTD there are no such attacks
    try:
        parser.feed(body)
        root = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise malformed_xml(str(error)) from None
    if not isinstance(root, ElementTree.Element):
        raise malformed_xml("it is empty")
    return root


def local_name(element: ElementTree.Element) -> str:
    """The name of an element without its namespace, which not every client gives."""
    return element.tag.rpartition("}")[2]


def escape(text: str) -> str:
    """Text as the content of an element or an attribute."""
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0], f"&#x{ord(found[0]):x};"), text)


def element(name: str, content: Iterable[str], attributes: str = "") -> str:
    """An element around content that is XML already; `attributes` starts with a blank."""
    return f"<{name}{attributes}>{''.join(content)}</{name}>"


def document(name: str, content: Iterable[str]) -> bytes:
    """A document in S3's namespace."""
    return (DECLARATION + element(name, content, f' xmlns="{NAMESPACE}"')).encode()
