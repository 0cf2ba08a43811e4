"""Front matter as OpenCode 1.18 reads it, which is as js-yaml 3 does: ``yes`` and ``on`` are words,
``3e-1`` is a number, a key that is there twice is a mistake, every key is a text, a date is a time.
"""

import re
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, ClassVar

from ostler.config.jsonc import Path, Position

_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(
    r"^[-+]?(?:0|0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|[1-9][0-9_]*(?::[0-5]?[0-9])*)(?<!_)$"
)
_FLOAT = re.compile(
    r"""^(?:[-+]?(?:0|[1-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?(?<!_)
    |\.[0-9_]+(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$""",
    re.X,
)
_TIME = re.compile(
    r"""^(?:\d{4}-\d{2}-\d{2}
    |\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d{2}:\d{2}(?:\.\d*)?
    (?:[ \t]*(?:Z|[-+]\d\d?(?::\d{2})?))?)$""",
    re.X,
)
_PLAIN = (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("tTfF")),
    ("int", _INT, list("-+0123456789")),
    ("float", _FLOAT, list("-+0123456789.")),
    ("timestamp", _TIME, list("0123456789")),
    ("merge", re.compile(r"^<<$"), ["<"]),
)


MOST_DEPTH = 100


class FrontMatterError(ValueError):
    """The front matter is not YAML."""


class TooDeepError(ValueError):
    """YAML that is nested deeper than anybody writes it; ``line`` and ``column`` from 1."""

    def __init__(self, line: int, column: int) -> None:
        super().__init__(f"line {line}: nested more than {MOST_DEPTH} deep")
        self.line, self.column = line, column


class NoKeysError(FrontMatterError):
    """The front matter is YAML, and something else than keys and values."""


def read(text: str) -> dict[str, Any]:
    """Raises FrontMatterError."""
    import yaml  # costs 30 ms: only where there is front matter

    try:
        check_depth(text, _loader())
        loaded = yaml.load(text, Loader=_loader())
    except yaml.YAMLError as e:
        raise FrontMatterError(" ".join(str(e).split())) from None
    except (ValueError, TypeError, RecursionError) as e:
        raise FrontMatterError(str(e)) from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise NoKeysError("it is not a list of keys and values")
    return loaded


def check_depth(text: str, loader: Any) -> None:
    """Event by event: PyYAML's native composer calls itself, and where it overflows the stack it
    ends the process. Raises TooDeepError."""
    import yaml

    if sum(map(text.count, "[{-:?")) <= MOST_DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEPTH:
            mark: Any = event.start_mark
            raise TooDeepError(mark.line + 1, mark.column + 1)


def places(text: str, before: int) -> dict[Path, Position]:
    """Where each key stands, ``before`` lines further down; nothing for what cannot be read."""
    import yaml

    found: dict[Path, Position] = {}
    try:
        check_depth(text, _loader())
        _place(yaml.compose(text, Loader=_loader()), (), before, found)
    except (yaml.YAMLError, TooDeepError):
        return {}
    return found


def _place(node: Any, path: Path, before: int, found: dict[Path, Position]) -> None:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        here = (*path, str(key.value))
        mark = key.start_mark
        found[here] = Position(mark.line + 1 + before, mark.column + 1)
        _place(value, here, before, found)


@cache
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
            _check_keys(node)
            self.flatten_mapping(node)
            return {
                _key(self.construct_object(key, deep=True)): self.construct_object(value, deep)
                for key, value in node.value
            }

        def time(self, node: Any) -> str:
            return _iso(self.construct_yaml_timestamp(node))

        def number(self, node: Any) -> float | int:
            value: float = self.construct_yaml_float(node)
            return int(value) if value.is_integer() else value

    for name, pattern, first in _PLAIN:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{name}", pattern, first)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.time)
    Loader.add_constructor("tag:yaml.org,2002:float", Loader.number)
    return Loader


def _check_keys(node: Any) -> None:
    import yaml

    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
            continue
        if (key.tag, key.value) in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key.value} is there twice", key.start_mark
            )
        seen.add((key.tag, key.value))


def _key(key: Any) -> str:
    if key is None:
        return "null"
    return str(key).lower() if isinstance(key, bool) else str(key)


def _iso(value: date | datetime) -> str:
    """As JavaScript writes a time: in UTC, with milliseconds."""
    if not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00.000Z"
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
