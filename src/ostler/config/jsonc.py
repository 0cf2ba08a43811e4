"""JSON with comments and trailing commas, and where in the text each value stands."""

import re
from typing import Any, NoReturn

import msgspec

from ostler.schema.errors import ConfigJsonError

Path = tuple[str | int, ...]


class Position(msgspec.Struct, frozen=True):
    """Counted from 1."""

    line: int
    column: int


def parse(text: str, file: str) -> Any:
    """The value of a document; an empty one is ``{}``. Raises ConfigJsonError."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        pass
    if not _SPACE.sub("", text):
        return {}
    return _Parser(text, file).document()


def locate(text: str, file: str = "") -> dict[Path, Position]:
    """Where each value begins, by its path of keys and indexes; what precedes a syntax error, if
    the text has one. Keys of objects stand where the key does."""
    parser = _Parser(text, file)
    try:
        parser.document()
    except ConfigJsonError:
        pass
    return parser.positions


_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORD = re.compile(r"[^\s,:\[\]{}\"/]+")
_WORDS = {"true": True, "false": False, "null": None}


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text.removeprefix("\ufeff"), file
        self._at = 0
        self.positions: dict[Path, Position] = {}

    def document(self) -> Any:
        self._space()
        value = self._value(())
        self._space()
        if self._at < len(self._text):
            self._fail("the end of the file")
        return value

    def _value(self, path: Path) -> Any:
        self.positions.setdefault(path, self._position(self._at))
        character = self._text[self._at : self._at + 1]
        if character == "{":
            return self._object(path)
        if character == "[":
            return self._array(path)
        if character == '"':
            return self._string()
        return self._word()

    def _object(self, path: Path) -> dict[str, Any]:
        self._at += 1
        result: dict[str, Any] = {}
        while True:
            self._space()
            if self._take("}"):
                return result
            if self._text[self._at : self._at + 1] != '"':
                self._fail('a key in double quotes or "}"')
            where = self._position(self._at)
            key = self._string()
            self.positions[(*path, key)] = where
            self._space()
            if not self._take(":"):
                self._fail('":" after the key')
            self._space()
            result[key] = self._value((*path, key))
            self._space()
            if not self._take(",") and self._text[self._at : self._at + 1] != "}":
                self._fail('"," or "}"')

    def _array(self, path: Path) -> list[Any]:
        self._at += 1
        result: list[Any] = []
        while True:
            self._space()
            if self._take("]"):
                return result
            result.append(self._value((*path, len(result))))
            self._space()
            if not self._take(",") and self._text[self._at : self._at + 1] != "]":
                self._fail('"," or "]"')

    def _string(self) -> str:
        match = _STRING.match(self._text, self._at)
        if match is None:
            self._fail("the end of the string on the same line")
        try:
            value: str = msgspec.json.decode(match[0], type=str)
        except msgspec.DecodeError:
            self._fail("a valid escape sequence in the string")
        self._at = match.end()
        return value

    def _word(self) -> Any:
        match = _WORD.match(self._text, self._at)
        if match is None:
            self._fail("a value")
        if match[0] in _WORDS:
            value: Any = _WORDS[match[0]]
        else:
            try:
                value = msgspec.json.decode(match[0])
            except msgspec.DecodeError:
                self._fail("a value (text needs double quotes)")
        self._at = match.end()
        return value

    def _space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _take(self, character: str) -> bool:
        if self._text[self._at : self._at + 1] != character:
            return False
        self._at += 1
        return True

    def _position(self, at: int) -> Position:
        before = self._text.count("\n", 0, at)
        return Position(before + 1, at - (self._text.rfind("\n", 0, at) + 1) + 1)

    def _fail(self, expected: str) -> NoReturn:
        where = self._position(self._at)
        line = self._text.split("\n")[where.line - 1][:200]
        found = self._text[self._at : self._at + 1]
        got = f"{found!r}" if found else "the end of the file"
        raise ConfigJsonError(
            f"{self._file}:{where.line}:{where.column}: expected {expected}, got {got}\n"
            f"  {line}\n  {' ' * (where.column - 1)}^",
            path=self._file,
            line=where.line,
            column=where.column,
        )
