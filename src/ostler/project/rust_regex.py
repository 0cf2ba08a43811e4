r"""Regular expressions in the Rust syntax ripgrep takes, rewritten for Python's ``re``.

Covers what the two write differently: ``(?<name>…)``, flags in mid-pattern, ``\z``, ``\x{41}``,
``\p{L}``, ``[[:alpha:]]``, nested classes, word edges. Look-around and back-references are refused,
as by ripgrep; a lone ``{`` is taken literally, where ripgrep refuses it.
"""

import re
import sys
import warnings
from functools import cache


class BadRegex(ValueError):
    """The expression cannot be read; the text quotes it and says why."""


def compile_regex(pattern: str) -> "re.Pattern[str]":
    """The expression for searching text that is split into lines. Raises BadRegex."""
    translated = translate(pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(translated, re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as e:
        raise BadRegex(f"invalid regular expression {pattern!r}: {e}") from None


def translate(pattern: str) -> str:
    """The same expression in Python's syntax. Raises BadRegex."""
    return _Translation(pattern).run()


_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_WORD_EDGES = {
    "\\<": "\\b(?=\\w)",
    "\\>": "\\b(?<=\\w)",
    "\\b{start}": "\\b(?=\\w)",
    "\\b{end}": "\\b(?<=\\w)",
    "\\b{start-half}": "(?<!\\w)",
    "\\b{end-half}": "(?!\\w)",
}
_GROUP = re.compile(r"\(\?(?:P?<(?P<name>\w+)>|(?P<flags>[a-zA-Z-]*)(?P<scope>[:)]))")
_CODE_POINT = re.compile(r"\\[xuU]\{([0-9A-Fa-f]+)\}")
_PROPERTY = re.compile(r"\\([pP])(?:\{(\^?)([^}]*)\}|(\w))")
_REPEAT = re.compile(r"\{\d*(?:,\d*)?\}")


class _Translation:
    """One pass over the pattern. ``inline`` holds, for every open group, the flag groups opened in
    it by ``(?i)`` and the like, which Python only knows with a scope."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.position = pattern, 0
        self.out: list[str] = []
        self.inline: list[list[str]] = [[]]

    def run(self) -> str:
        if "\n" in self.pattern:
            raise self._error("a search is line by line, so it cannot contain a line break")
        repeated = False
        while self.position < len(self.pattern):
            character = self.pattern[self.position]
            if character in "*+?" or (character == "{" and self._counted()):
                self._repetition(character, repeated)
                repeated = True
                continue
            repeated = False
            if character == "\\":
                self.out.append(self._escape(in_class=False))
            elif character == "[":
                self.out.append(self._class())
            elif character == "(":
                self._open()
            elif character in ")|":
                self._leave(character)
            else:
                self.out.append("\\{" if character == "{" else character)
                self.position += 1
        self.out.append(")" * len(self.inline[-1]))
        return "".join(self.out)

    def _error(self, what: str) -> BadRegex:
        return BadRegex(f"invalid regular expression {self.pattern!r}: {what}")

    def _counted(self) -> bool:
        found = _REPEAT.match(self.pattern, self.position)
        return found is not None and len(found[0]) > 2

    def _repetition(self, character: str, repeated: bool) -> None:
        if repeated:
            raise self._error("a repetition of a repetition needs parentheses")
        if character == "{":
            found = _REPEAT.match(self.pattern, self.position)
            assert found is not None
            text = found[0]
        else:
            text = character
        self.position += len(text)
        if self.pattern[self.position : self.position + 1] == "?":
            text += "?"
            self.position += 1
        self.out.append(text)

    def _open(self) -> None:
        if not self.pattern.startswith("(?", self.position):
            self.position += 1
            self.out.append("(")
            self.inline.append([])
            return
        found = _GROUP.match(self.pattern, self.position)
        if found is None:
            raise self._error("look-around and other special groups are not supported")
        self.position = found.end()
        if found["name"]:
            self.out.append(f"(?P<{found['name']}>")
            self.inline.append([])
            return
        opening = self._flags(found["flags"])
        self.out.append(opening)
        if found["scope"] == ":":
            self.inline.append([])
        else:
            self.inline[-1].append(opening)

    def _flags(self, flags: str) -> str:
        """``(?ix-s:``, less what is Python's way anyway (``u``)."""
        if set(flags) - set("imsxu-"):
            raise self._error(f"the flags {flags!r} are not supported")
        on, _, off = flags.replace("u", "").partition("-")
        return f"(?{on}-{off}:" if off else f"(?{on}:"

    def _leave(self, character: str) -> None:
        """A group's end closes its flag groups; ``|`` closes and opens them again."""
        opened = self.inline[-1]
        self.out.append(")" * len(opened) + character)
        if character == "|":
            self.out.extend(opened)
        elif len(self.inline) == 1:
            raise self._error("a ')' has no '('")
        else:
            self.inline.pop()
        self.position += 1

    def _escape(self, in_class: bool) -> str:
        start, text = self.position, self.pattern
        following = text[start + 1 : start + 2]
        if not following:
            raise self._error("it ends in a backslash")
        if found := _CODE_POINT.match(text, start):
            self.position = found.end()
            return self._code_point(int(found[1], 16))
        if following in "pP":
            return self._property(in_class)
        if not in_class:
            for written in sorted(_WORD_EDGES, key=len, reverse=True):
                if text.startswith(written, start):
                    self.position += len(written)
                    return _WORD_EDGES[written]
        self.position += 2
        if following.isdigit():
            raise self._error("back-references are not supported")
        if following == "n" and not in_class:
            raise self._error("a search is line by line, so it cannot contain \\n")
        # A line is all there is, so its edges are the text's edges.
        edge = None if in_class else {"A": "^", "z": "$"}.get(following)
        return edge or "\\" + following

    def _code_point(self, value: int) -> str:
        if value > sys.maxunicode:
            raise self._error(f"there is no character {value:x}")
        return re.escape(chr(value)) if value < 128 else f"\\U{value:08x}"

    def _property(self, in_class: bool) -> str:
        found = _PROPERTY.match(self.pattern, self.position)
        name = (found[3] or found[4]) if found else None
        ranges = _property_ranges(name) if name else None
        if found is None or ranges is None:
            raise self._error("that \\p class is not supported without ripgrep")
        self.position = found.end()
        negated = (found[1] == "P") != bool(found[2])
        if not in_class:
            return f"[^{ranges}]" if negated else f"[{ranges}]"
        return _complement(ranges) if negated else ranges

    def _class(self) -> str:
        """A bracketed class, with named and nested ones written out in it."""
        self.position += 1
        out = "["
        if self.pattern.startswith("^", self.position):
            self.position, out = self.position + 1, "[^"
        if self.pattern.startswith("]", self.position):
            self.position, out = self.position + 1, out + "\\]"
        return out + self._members() + "]"

    def _members(self) -> str:
        out: list[str] = []
        while True:
            if self.position >= len(self.pattern):
                raise self._error("a '[' is never closed")
            if self.pattern[self.position : self.position + 2] in ("&&", "--", "~~"):
                raise self._error("set operations in a class are not supported without ripgrep")
            character = self.pattern[self.position]
            if character == "]":
                self.position += 1
                return "".join(out)
            if character == "\\":
                out.append(self._escape(in_class=True))
            elif character == "[":
                out.append(self._inner_class())
            else:
                out.append(character)
                self.position += 1

    def _inner_class(self) -> str:
        named = re.compile(r"\[:(\^?)(\w+):\]").match(self.pattern, self.position)
        if named and named[2] in _POSIX:
            self.position = named.end()
            return _complement(_POSIX[named[2]]) if named[1] else _POSIX[named[2]]
        self.position += 1
        if self.pattern.startswith("^", self.position):
            raise self._error("a negated class in a class is not supported without ripgrep")
        return self._members()


def _complement(ranges: str) -> str:
    inside = re.compile(f"[{ranges}]")
    return _as_ranges([p for p in range(sys.maxunicode + 1) if not inside.match(chr(p))])


_LONG_NAMES = {
    "letter": "L", "uppercaseletter": "Lu", "lowercaseletter": "Ll", "mark": "M", "number": "N",
    "decimalnumber": "Nd", "punctuation": "P", "symbol": "S", "separator": "Z", "other": "C",
    "alphabetic": "L", "alpha": "L", "uppercase": "Lu", "upper": "Lu", "lowercase": "Ll",
    "lower": "Ll", "punct": "P", "digit": "Nd",
}  # fmt: skip
_SCRIPTS = {
    "latin": "LATIN ", "greek": "GREEK ", "cyrillic": "CYRILLIC ", "arabic": "ARABIC ",
    "hebrew": "HEBREW ", "hiragana": "HIRAGANA ", "katakana": "KATAKANA ", "hangul": "HANGUL ",
    "thai": "THAI ", "devanagari": "DEVANAGARI ", "han": "CJK ",
}  # fmt: skip


@cache
def _property_ranges(name: str) -> str | None:
    """The members of a Unicode category or script, for use between brackets."""
    import unicodedata

    plain = name.replace("_", "").replace(" ", "").lower()
    category = _LONG_NAMES.get(plain, name)
    prefix = _SCRIPTS.get(plain.removeprefix("script=").removeprefix("sc="))
    every = range(sys.maxunicode + 1)
    if prefix:
        chosen = [p for p in every if unicodedata.name(chr(p), "").startswith(prefix)]
    else:
        chosen = [p for p in every if unicodedata.category(chr(p)).startswith(category)]
    return _as_ranges(chosen) if chosen else None


def _as_ranges(points: list[int]) -> str:
    out: list[str] = []
    start = previous = -2
    for point in [*points, -2]:
        if point == previous + 1:
            previous = point
            continue
        if start >= 0:
            out.append(f"\\U{start:08x}-\\U{previous:08x}")
        start = previous = point
    return "".join(out)
