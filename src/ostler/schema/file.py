"""Files and searches as the API shows them."""

from typing import Any, Literal

from ostler.schema.base import NonNegative, Wire


class FileNode(Wire):
    """``path`` is relative to the project's directory; a directory's ends with a slash."""

    name: str
    path: str
    absolute: str
    type: Literal["file", "directory"]
    ignored: bool


class FileContent(Wire):
    """``content`` is text without white space at either end, or base64 with ``encoding``."""

    type: Literal["text", "binary"]
    content: str
    encoding: Literal["base64"] | None = None
    mimeType: str | None = None


class FileChange(Wire):
    path: str
    added: NonNegative
    removed: NonNegative
    status: Literal["added", "deleted", "modified"]


class TextValue(Wire):
    text: str


class Submatch(Wire):
    """``start`` and ``end`` in bytes from the line's beginning."""

    match: TextValue
    start: NonNegative
    end: NonNegative


class TextMatch(Wire):
    path: TextValue
    lines: TextValue
    line_number: NonNegative
    absolute_offset: NonNegative
    submatches: list[Submatch]


class Symbol(Wire):
    name: str
    kind: NonNegative
    location: dict[str, Any]
