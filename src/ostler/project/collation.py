"""Names in the order people expect, which is the order directories are listed in.

An approximation of the Unicode root collation that the reference sorts by: punctuation before
digits before letters; accents and then case only break ties, lower case first.
"""

import unicodedata

_PUNCTUATION = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_RANKS = {character: rank for rank, character in enumerate(" " + _PUNCTUATION + "0123456789")}

Key = tuple[list[tuple[int, str]], str, str, str]


def collation_key(name: str) -> Key:
    """A sort key: base letters first, then accents, then case, then the name itself."""
    parts = unicodedata.normalize("NFD", name)
    base = [c for c in parts if not unicodedata.combining(c)]
    primary = [(_RANKS.get(c, len(_RANKS)), c.casefold()) for c in base]
    accents = "".join(c for c in parts if unicodedata.combining(c))
    return primary, accents, "".join(base).swapcase(), name
