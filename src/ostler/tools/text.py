"""Text as the reference's language sees it: what counts as white space, and what may be shown.

Matching and trimming must agree with JavaScript's ``trim`` and ``\\s``, whose idea of white space
differs from Python's at the edges (the byte order mark is in, the separators U+001C to U+001F
and U+0085 are out).
"""

WHITESPACE = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
SPACE_CLASS = "[" + WHITESPACE.replace("\u2000", "\u2000-\u200a", 1) + "]"
"""A regular expression for one character of white space."""


def trim(text: str) -> str:
    return text.strip(WHITESPACE)


def trim_end(text: str) -> str:
    return text.rstrip(WHITESPACE)


def indent_of(line: str) -> int:
    """The number of white space characters a line begins with."""
    return len(line) - len(line.lstrip(WHITESPACE))


def shown(text: str) -> str:
    """``text`` fit for JSON: bytes that are not UTF-8, kept as surrogates where files are edited,
    become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
