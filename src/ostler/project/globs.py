"""Globs as ripgrep reads them, compiled to regular expressions over bytes.

``*`` and ``?`` stop at a slash, ``**`` as a whole path component crosses them, ``[a-z]`` and
``[!a]`` are classes, ``{a,b}`` alternates, a backslash takes the next character literally. As in
ripgrep (globset 0.4), ``?`` is one byte and an empty alternate is dropped.
"""

import re
from collections.abc import Sequence


class BadGlob(ValueError):
    """The glob cannot be read; the text names it and what is wrong."""


def compile_glob(glob: str, unclosed_class: bool = False) -> "re.Pattern[bytes]":
    """A pattern for ``fullmatch`` on a relative path's bytes.

    ``unclosed_class``: a ``[`` without ``]`` is literal, as in ignore files. Raises BadGlob.
    """
    return re.compile(translate(glob, unclosed_class), re.DOTALL)


def translate(glob: str, unclosed_class: bool = False) -> bytes:
    """The regular expression of a glob. Raises BadGlob."""
    tokens = _Parser(glob, unclosed_class).parse()
    if tokens == [_PREFIX]:
        return b".*"
    return b"".join(tokens)


_ANY = b"[^/]"
_STAR = b"[^/]*"
_PREFIX = b"(?:/?|.*/)"
_SUFFIX = b"/.*"
_MIDDLE = b"(?:/|/.*/)"

_Tokens = list[bytes]


class _Parser:
    """One pass over the characters. ``branches`` are the alternatives of every open ``{``, the
    outermost sequence first; ``opened`` says where each ``{`` began in it."""

    def __init__(self, glob: str, unclosed_class: bool) -> None:
        self.glob, self.unclosed_class = glob, unclosed_class
        self.position = 0
        self.branches: list[_Tokens] = [[]]
        self.opened: list[int] = []

    def parse(self) -> _Tokens:
        while self.position < len(self.glob):
            character = self.glob[self.position]
            self.position += 1
            if character == "?":
                self._push(_ANY)
            elif character == "*":
                self._star()
            elif character == "[":
                self._class()
            elif character == "{":
                self.opened.append(len(self.branches))
                self.branches.append([])
            elif character == "}":
                self._close()
            elif character == "," and self.opened:
                self.branches.append([])
            elif character == "\\":
                self._escape()
            else:
                self._push(_literal(character))
        if self.opened:
            raise self._error("a '{' is never closed")
        return self.branches[0]

    def _push(self, token: bytes) -> None:
        self.branches[-1].append(token)

    def _peek(self) -> str | None:
        return self.glob[self.position] if self.position < len(self.glob) else None

    def _error(self, what: str) -> BadGlob:
        return BadGlob(f"invalid glob '{self.glob}': {what}")

    def _escape(self) -> None:
        following = self._peek()
        if following is None:
            raise self._error("it ends in a backslash")
        self.position += 1
        self._push(_literal(following))

    def _close(self) -> None:
        if not self.opened:
            raise self._error("a '}' has no '{'")
        start = self.opened.pop()
        alternatives = [b"".join(branch) for branch in self.branches[start:]]
        del self.branches[start:]
        kept = [alternative for alternative in alternatives if alternative]
        if kept:
            self._push(b"(?:" + b"|".join(kept) + b")")

    def _star(self) -> None:
        before = self.glob[self.position - 2] if self.position > 1 else None
        if self._peek() != "*":
            self._push(_STAR)
            return
        self.position += 1
        after = self._peek()
        branch = self.branches[-1]
        if not branch:
            if after is not None and after != "/":
                self._push(_STAR)
            else:
                self._push(_PREFIX)
                self.position += 1
            return
        nested = len(self.branches) > 1
        if before != "/" and not (nested and before in (",", "{")):
            self._push(_STAR)
            return
        if after is None or (nested and after in (",", "}")):
            is_suffix = True
        elif after == "/":
            is_suffix = False
            self.position += 1
        else:
            self._push(_STAR)
            return
        # The component's own slash is part of what ``**`` matches.
        replaced = branch.pop()
        if replaced in (_PREFIX, _SUFFIX):
            branch.append(replaced)
        else:
            branch.append(_SUFFIX if is_suffix else _MIDDLE)

    def _class(self) -> None:
        start = self.position
        end = self._class_end()
        if end is None:
            if not self.unclosed_class:
                raise self._error("a '[' is never closed")
            # ripgrep takes this and every later '[' literally.
            rest = self.glob[start:].replace("[", "\\[")
            self.glob, self.position = self.glob[:start] + rest, start
            self._push(_literal("["))
            return
        body = self.glob[start:end]
        self.position = end + 1
        negated = body[:1] in ("!", "^")
        self._push(_character_class(self._ranges(body[1:] if negated else body), negated))

    def _class_end(self) -> int | None:
        position = self.position
        if self.glob[position : position + 1] in ("!", "^"):
            position += 1
        end = self.glob.find("]", position + 1)
        return None if end < 0 else end

    def _ranges(self, body: str) -> Sequence[tuple[str, str]]:
        ranges: list[tuple[str, str]] = []
        in_range = False
        for index, character in enumerate(body):
            if character == "-" and index and not in_range:
                in_range = True
            elif in_range:
                low = ranges[-1][0]
                if character < low:
                    raise self._error(f"the range {low}-{character} is backwards")
                ranges[-1] = (low, character)
                in_range = False
            else:
                ranges.append((character, character))
        if in_range:
            ranges.append(("-", "-"))
        return ranges


def _literal(character: str) -> bytes:
    return re.escape(_encoded(character))


def _encoded(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


def _character_class(ranges: Sequence[tuple[str, str]], negated: bool) -> bytes:
    members: set[int] = set()
    for low, high in ranges:
        first, last = _encoded(low), _encoded(high)
        # Bytes are matched one by one, so a range ends where its neighbouring bytes do.
        members.update(first[:-1], last[1:], range(first[-1], last[0] + 1), (first[-1], last[0]))
    body = b"".join(b"\\x%02x" % member for member in sorted(members))
    return b"[^" + body + b"]" if negated else b"[" + body + b"]"
