"""CloudWatch's filter patterns, as far as they are about text: terms and quoted phrases.

Source: CloudWatch Logs User Guide, "Filter pattern syntax", unstructured log events.
"""

import re
from dataclasses import dataclass

from workflows.server.errors import AwsError

# ERROR, "out of memory", -DEBUG, ?WARN; within quotes a backslash takes the next character as it is.
_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|$)')
_OTHER_SYNTAX = ("{", "[", "%")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which messages are wanted: all of `required`, none of `excluded`, and any of `optional` if given."""

    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def matches(self, message: str) -> bool:
        """Whether a message is wanted. Upper and lower case differ."""
        if any(term in message for term in self.excluded):
            return False
        if not all(term in message for term in self.required):
            return False
        # As the service does it: with a required term beside them, optional ones decide nothing.
        return not self.optional or bool(self.required) or any(term in message for term in self.optional)


def parse(pattern: str) -> Filter:
    """Read a filter pattern; an empty one matches everything.

    Raises:
        AwsError: InvalidParameterException; it is malformed, or of a syntax that is not available here.
    """
    text = pattern.strip()
    if text.startswith(_OTHER_SYNTAX):
        raise _invalid(
            f"{text}: JSON, space-delimited and regular expression patterns are not available on this "
            "machine; use terms and quoted phrases"
        )
    found: dict[str, list[str]] = {"": [], "-": [], "?": []}
    place = 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None:
            raise _invalid("Invalid filter pattern")
        sign, phrase, word = term.groups()
        found[sign].append(re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else word)
        place = term.end()
    return Filter(required=tuple(found[""]), excluded=tuple(found["-"]), optional=tuple(found["?"]))


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
