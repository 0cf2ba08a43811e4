"""Markdown entries: front matter and body."""

import re
from typing import Any

import msgspec

_FRONT = re.compile(r"^\ufeff?---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*(?:\r?\n|$)", re.DOTALL | re.M)


class FrontMatterError(ValueError):
    """The front matter is not YAML, even after the usual repair."""


class Entry(msgspec.Struct, frozen=True):
    """``fields`` of the front matter, ``body`` without surrounding blank lines."""

    fields: dict[str, Any]
    body: str


def read_entry(text: str) -> Entry:
    """Raises FrontMatterError. A file without front matter has no fields."""
    match = _FRONT.match(text)
    if match is None:
        return Entry({}, text.strip())
    return Entry(_fields(match[1]), text[match.end() :].strip())


def _fields(front: str) -> dict[str, Any]:
    import yaml  # costs 30 ms: only where there is front matter

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loaded = yaml.load(front, Loader=loader)
    except yaml.YAMLError:
        try:
            loaded = yaml.load(_repaired(front), Loader=loader)
        except yaml.YAMLError as e:
            raise FrontMatterError(" ".join(str(e).split())) from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise FrontMatterError("the front matter is not a list of keys and values")
    return {str(key): value for key, value in loaded.items()}


def _repaired(front: str) -> str:
    """Plain values that hold a colon as block text: ``description: use it: now`` (OpenCode 1.18
    forgives this)."""
    lines = []
    for line in front.split("\n"):
        match = re.match(r"^([A-Za-z_][\w-]*):\s+(\S.*?)\s*$", line)
        if match and ":" in match[2] and match[2][0] not in "\"'|>[{&*!":
            lines += [f"{match[1]}: |-", f"  {match[2]}"]
        else:
            lines.append(line)
    return "\n".join(lines)
