"""The service model's regular expressions, which are Java's, as Python's.

They differ in the classes of Unicode, such as \\p{L}, and in how characters beyond the first plane are
written. Python has no such classes, so each character beyond ASCII becomes one that stands for its category.
"""

import re
import string
import unicodedata
from functools import cache

# The ASCII characters of each general category's first letter.
_ASCII = {
    "L": "a-zA-Z",
    "N": "0-9",
    "Z": " ",
    "P": re.escape("!\"#%&'()*,-./:;?@[\\]_{}"),
    "S": re.escape("$+<=>^`|~"),
    "M": "",
}
_STANDS_FOR = {letter: chr(0xE000 + index) for index, letter in enumerate("LNZPSMC")}
_ASTRAL = (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
# "$" with a number of times behind it means the end, once or more.
_REPEATED_END = re.compile(r"\$\{\d+(?:,\d*)?\}")


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is as the pattern wants it."""
    by_category = r"\p{" in pattern
    return _compiled(pattern).fullmatch(_categories(text) if by_category else text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    translated = _REPEATED_END.sub("", pattern.replace(*_ASTRAL))
    translated = translated.replace(r"\p{Alnum}", string.ascii_letters + string.digits)
    for letter, characters in _ASCII.items():
        translated = translated.replace(rf"\p{{{letter}}}", characters + _STANDS_FOR[letter])
    return re.compile(translated)


def _categories(text: str) -> str:
    return "".join(
        character if character.isascii() else _STANDS_FOR[unicodedata.category(character)[0]]
        for character in text
    )
