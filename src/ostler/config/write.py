"""Changing a configuration file in place: comments and everything untouched stay as they are."""

import logging
import os
import tempfile
from typing import Any

import msgspec

from ostler.config.jsonc import _SPACE, _STRING, parse
from ostler.config.merge import Raw

GLOBAL_NAMES = ("opencode.jsonc", "opencode.json", "config.json")
INDENT = "  "
OWNER_ALONE = 0o600
"""The mode of files that hold secrets, or what is to be trusted."""


def write_keys(path: str, changes: Raw) -> None:
    """Merge ``changes`` into the file, object by object; None removes a key. The file is made if
    there is none, and replaced in one step. Raises ConfigJsonError when it is not JSON(C)."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        text = "{}\n"
    replace_file(path, merged_text(text, changes, path))


def config_file(folder: str, names: tuple[str, ...] = GLOBAL_NAMES) -> str:
    """The file to write in a folder: the first of ``names`` that is there, else opencode.json."""
    for name in names:
        if os.path.exists(path := os.path.join(folder, name)):
            return path
    return os.path.join(folder, "opencode.json")


def read_private(path: str, kind: Any, log: logging.Logger) -> Raw:
    """The object (of type ``kind``) in a file of secrets, empty where there is none; a file that
    cannot be read is told in the log, and is as if it were not there."""
    try:
        with open(path, "rb") as file:
            decoded: Raw = msgspec.json.decode(file.read(), type=kind)
            return decoded
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as e:
        log.warning("%s cannot be read: %s", path, e)
        return {}


def write_private(path: str, content: Raw) -> None:
    """Replace such a file; its owner alone may read it. Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
    replace_file(path, text + "\n", OWNER_ALONE)
    os.chmod(path, OWNER_ALONE)


def replace_file(path: str, text: str, mode: int = 0o644) -> None:
    """Write a whole file so that a reader sees the old one or the new one."""
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    target = os.path.realpath(path)
    handle, fresh = tempfile.mkstemp(dir=os.path.dirname(target) or ".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(fresh, os.stat(target).st_mode & 0o777 if os.path.exists(target) else mode)
        os.replace(fresh, target)
    except BaseException:
        os.unlink(fresh)
        raise


def merged_text(text: str, changes: Raw, file: str = "") -> str:
    """The document's text with ``changes`` merged in. Raises ConfigJsonError."""
    if not isinstance(parse(text, file), dict):
        text = "{}\n"
    if not text.strip():
        text = "{}\n"
    for path, value in _leaves(changes, ()):
        text = _set(text, path, value)
    return text


def _leaves(changes: Raw, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in changes.items():
        if isinstance(value, dict) and value:
            found += _leaves(value, (*path, key))
        else:
            found.append(((*path, key), value))
    return found


class _Member:
    """A key of an object in the text: where key and value begin and the value ends."""

    __slots__ = ("end", "key", "start", "value")

    def __init__(self, key: str, start: int, value: int, end: int) -> None:
        self.key, self.start, self.value, self.end = key, start, value, end


def _set(text: str, path: tuple[str, ...], value: Any) -> str:
    at = _skip(text, 0)
    for depth, key in enumerate(path):
        members, close = _members(text, at)
        member = next((m for m in members if m.key == key), None)
        last = depth == len(path) - 1
        if member is None:
            if value is None:
                return text
            rest = _nested(path[depth + 1 :], value)
            return _insert(text, members, close, key, rest, depth + 1)
        if last:
            if value is None:
                return _remove(text, members, member)
            new = _format(value, depth + 1)
            return text[: member.value] + new + text[member.end :]
        if text[member.value] != "{":
            new = _format(_nested(path[depth + 1 :], value), depth + 1)
            return text[: member.value] + new + text[member.end :]
        at = member.value
    return text


def _nested(path: tuple[str, ...], value: Any) -> Any:
    """The value with objects around it; of a key that is removed only the objects are left."""
    if value is None:
        path, value = path[:-1], {}
    for key in reversed(path):
        value = {key: value}
    return value


def _insert(text: str, members: list[_Member], close: int, key: str, value: Any, depth: int) -> str:
    line = f"{_encode(key)}: {_format(value, depth)}"
    indent = INDENT * depth
    if not members:
        # The object may hold comments: the new key goes right before its end.
        head = text[:close].rstrip(" \t\n")
        return f"{head}\n{indent}{line}\n{INDENT * (depth - 1)}{text[close:]}"
    last = members[-1]
    after = _skip(text, last.end)
    comma = "" if text[after] == "," else ","
    place = after + 1 if text[after] == "," else last.end
    rest = text[place:]
    # A comment on the last member's line stays with it.
    end_of_line = rest.find("\n")
    tail = rest[:end_of_line] if end_of_line >= 0 else ""
    if tail.strip() and not tail.strip().startswith(("//", "/*")):
        tail = ""
    return f"{text[:place]}{comma}{tail}\n{indent}{line}{rest[len(tail) :]}"


def _remove(text: str, members: list[_Member], member: _Member) -> str:
    after = _skip(text, member.end)
    start, end = member.start, member.end
    if text[after] == ",":
        end = after + 1
    else:
        index = members.index(member)
        if index > 0:
            before = members[index - 1]
            comma = text.find(",", before.end, member.start)
            if comma >= 0:
                text = text[:comma] + " " + text[comma + 1 :]
    line = text.rfind("\n", 0, start) + 1
    if not text[line:start].strip():
        start = line
        if text[end : end + 1] == "\n":
            end += 1
    return text[:start] + text[end:]


def _members(text: str, at: int) -> tuple[list[_Member], int]:
    """The members of the object at ``at``, and where its closing brace is."""
    members: list[_Member] = []
    at = _skip(text, at + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _skip(text, at + 1)
            continue
        start = at
        match = _STRING.match(text, at)
        assert match is not None
        value = _skip(text, _skip(text, match.end()) + 1)
        end = _end(text, value)
        members.append(_Member(msgspec.json.decode(match[0]), start, value, end))
        at = _skip(text, end)
    return members, at


def _end(text: str, at: int) -> int:
    """Where the value at ``at`` ends."""
    if text[at] == '"':
        match = _STRING.match(text, at)
        assert match is not None
        return match.end()
    if text[at] not in "{[":
        while at < len(text) and text[at] not in ",]}/ \t\r\n":
            at += 1
        return at
    depth = 0
    while True:
        character = text[at]
        if character == '"':
            at = _end(text, at)
            continue
        if character == "/":
            at = _skip(text, at)
            continue
        depth += (character in "{[") - (character in "}]")
        at += 1
        if depth == 0:
            return at


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _format(value: Any, depth: int) -> str:
    """Indented JSON that fits at this depth."""
    text = msgspec.json.format(_encode(value), indent=2)
    return text.replace("\n", "\n" + INDENT * depth)
