"""A YAML or JSON file as plain values, and where in the file each of them stands.

YAML is read by the core schema of YAML 1.2: ``yes`` and ``on`` are words, ``1e3`` is a number, a
date is a text. Keys are texts, as in JSON; one that is there twice is a fault.
"""

import os
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

import msgspec

from ostler.config import jsonc
from ostler.config.front_matter import MOST_DEPTH, TooDeepError, check_depth
from ostler.config.jsonc import Path
from ostler.schema.errors import ConfigJsonError

MOST_NODES = 100_000
"""Of one file: aliases of aliases grow without end."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")),
    (
        "float",
        re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        list("-+.0123456789"),
    ),
    ("merge", re.compile(r"^<<$"), ["<"]),
)


class Place(msgspec.Struct, frozen=True):
    """Counted from 1. ``body``: the line on which the value's own text begins, where lines of the
    text are lines of the file (a ``|`` block); else 0."""

    file: str
    line: int
    column: int
    body: int = 0


class Fault(msgspec.Struct, frozen=True):
    """Something that cannot be read; what could be read around it is in the document."""

    message: str
    place: Place
    path: Path = ()


class Document(msgspec.Struct):
    """``places``: of each key of a mapping and each item of a list, by path."""

    value: Any
    places: dict[Path, Place]
    faults: list[Fault]


def read_document(path: str) -> Document:
    """JSON with comments by its name's ending, else YAML. Raises OSError, and UnicodeDecodeError
    for what is no text."""
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    if os.path.splitext(path)[1].lower() in (".json", ".jsonc"):
        return _read_json(text, path)
    return read_yaml(text, path)


def read_yaml(text: str, file: str) -> Document:
    """Mistakes are in ``faults``; the value is None where nothing could be made of the text."""
    import yaml  # 30 ms: only where there is a file to read

    try:
        check_depth(text, _loader())
        node = yaml.compose(text, Loader=_loader())
    except yaml.YAMLError as error:
        return Document(None, {}, [_fault(error, text, file)])
    except TooDeepError as error:
        place = Place(file, error.line, error.column)
        return Document(None, {}, [Fault(f"nested more than {MOST_DEPTH} deep", place)])
    reader = _Reader(file)
    value = None if node is None else reader.document(node)
    return Document(value, reader.places, reader.faults)


def _read_json(text: str, file: str) -> Document:
    places = {
        path: Place(file, at.line, at.column) for path, at in jsonc.locate(text, file).items()
    }
    try:
        return Document(jsonc.parse(text, file), places, [])
    except ConfigJsonError as error:
        where = Place(file, error.data["line"], error.data["column"])
        first = str(error).partition("\n")[0].removeprefix(f"{file}:{where.line}:{where.column}: ")
        return Document(None, places, [Fault(first, where)])


def _fault(error: Any, text: str, file: str) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # a character that YAML does not allow: its offset is all there is
        before = text[: getattr(error, "position", 0)]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        said = f"a character that YAML does not allow: {getattr(error, 'reason', error)}"
    else:
        line, column = mark.line + 1, mark.column + 1
        parts = (getattr(error, "context", None), getattr(error, "problem", None))
        said = ": ".join(part for part in parts if part)
    return Fault(f"not YAML: {said}", Place(file, line, column))


@cache
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    for name, pattern, first in _PLAIN:
        Loader.add_implicit_resolver(_TAG + name, pattern, first)
    return Loader


class _Reader:
    """From nodes to values, noting places and faults on the way."""

    def __init__(self, file: str) -> None:
        self.places: dict[Path, Place] = {}
        self.faults: list[Fault] = []
        self._file, self._seen, self._open = file, 0, set[int]()

    def document(self, node: Any) -> Any:
        try:
            return self._value(node, ())
        except _TooLarge:
            where = Place(self._file, 1, 1)
            self.faults = [Fault(f"more than {MOST_NODES} values, aliases included", where)]
            return None

    def _value(self, node: Any, path: Path) -> Any:
        self._seen += 1
        if self._seen > MOST_NODES:
            raise _TooLarge
        self.places.setdefault(path, self._place(node, node))
        if node.id == "scalar":
            return self._scalar(node, path)
        if id(node) in self._open:
            self._fail("an alias of what it stands in", node, path)
            return None
        self._open.add(id(node))
        value = self._mapping(node, path) if node.id == "mapping" else self._list(node, path)
        self._open.discard(id(node))
        return value

    def _list(self, node: Any, path: Path) -> list[Any]:
        return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[tuple[Any, Any]] = []
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                merged += self._merged(value, path)
                continue
            name = self._key(key, path)
            if name is None:
                continue
            if name in found:
                self._fail(f'the key "{name}" is there twice', key, (*path, name))
                continue
            found[name] = self._entry(key, value, (*path, name))
        for key, value in merged:
            name = self._key(key, path)
            if name is not None and name not in found:
                found[name] = self._entry(key, value, (*path, name))
        return found

    def _entry(self, key: Any, value: Any, path: Path) -> Any:
        self.places[path] = self._place(key, value)
        return self._value(value, path)

    def _merged(self, node: Any, path: Path) -> Iterator[tuple[Any, Any]]:
        """The entries that ``<<`` brings in; of several mappings the first has the last word."""
        for each in node.value if node.id == "sequence" else (node,):
            if each.id == "mapping" and id(each) not in self._open:
                yield from each.value
            else:
                self._fail('"<<" merges a mapping or a list of mappings', each, path)

    def _key(self, node: Any, path: Path) -> str | None:
        if node.id != "scalar":
            self._fail("a key is a text", node, path)
            return None
        return str(node.value)

    def _scalar(self, node: Any, path: Path) -> Any:
        kind, text = node.tag.removeprefix(_TAG), node.value
        try:
            if kind in _CONVERT:
                return _CONVERT[kind](text)
        except (ValueError, KeyError):
            self._fail(f"{text!r} is not of the kind !!{kind}", node, path)
            return None
        self._fail(f"the tag {node.tag} means nothing here", node, path)
        return None

    def _place(self, key: Any, value: Any) -> Place:
        mark = key.start_mark
        body = 0
        if value.id == "scalar" and value.style == "|":
            body = value.start_mark.line + 2
        elif value.id == "scalar" and value.start_mark.line == value.end_mark.line:
            body = value.start_mark.line + 1
        return Place(self._file, mark.line + 1, mark.column + 1, body)

    def _fail(self, message: str, node: Any, path: Path) -> None:
        self.faults.append(Fault(message, self._place(node, node), path))


class _TooLarge(Exception):
    pass


def _int(text: str) -> int:
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _float(text: str) -> float:
    return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))


_CONVERT: dict[str, Any] = {
    "str": str,
    "null": lambda text: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": _int,
    "float": _float,
    "merge": str,
}
