"""Agents, modes and commands written as markdown, as the objects opencode.json would hold."""

import os
from collections.abc import Iterator
from typing import Any

import msgspec

from ostler.config.markdown import FrontMatterError, read_entry
from ostler.config.merge import Raw
from ostler.config.validate import Warning_, check

AGENT_FOLDERS = ("agent", "agents")
MODE_FOLDERS = ("mode", "modes")
COMMAND_FOLDERS = ("command", "commands")


class Found(msgspec.Struct, frozen=True):
    """``raw`` is to be merged into the configuration; ``file`` says where each entry stands."""

    raw: Raw
    files: dict[str, str]
    warnings: list[Warning_]


def read_folder(folder: str) -> Found:
    """The entries of one configuration folder. Raises ConfigInvalidError for front matter of the
    wrong shape."""
    found = Found({}, {}, [])
    for file, name in _files(folder, COMMAND_FOLDERS, nested=True):
        _add(found, "command", name, file, "template")
    for file, name in _files(folder, AGENT_FOLDERS, nested=True):
        _add(found, "agent", name, file, "prompt")
    for file, name in _files(folder, MODE_FOLDERS, nested=False):
        _add(found, "agent", name, file, "prompt", {"mode": "primary"})
    return found


def _add(
    found: Found, noun: str, name: str, file: str, body: str, fixed: dict[str, Any] | None = None
) -> None:
    try:
        with open(file, encoding="utf-8") as source:
            entry = read_entry(source.read())
    except (OSError, UnicodeDecodeError, FrontMatterError) as e:
        found.warnings.append(Warning_(file, 0, f"{noun} left out: {e}"))
        return
    fields = dict(entry.fields)
    if noun == "agent":
        name = str(fields.pop("name", None) or name)
        if entry.body:
            fields["prompt"] = entry.body
    else:
        fields[body] = entry.body
    fields.update(fixed or {})
    fields = {k: v for k, v in fields.items() if v is not None}
    check({noun: {name: fields}}, file)
    found.raw.setdefault(noun, {})[name] = fields
    found.files[f"{noun}.{name}"] = file


def _files(folder: str, names: tuple[str, ...], nested: bool) -> Iterator[tuple[str, str]]:
    """(file, entry name) of each markdown file, in a fixed order."""
    for name in names:
        root = os.path.join(folder, name)
        if not os.path.isdir(root):
            continue
        for place, folders, files in os.walk(root, followlinks=True):
            folders.sort()
            if not nested:
                folders.clear()
            for file in sorted(files):
                if file.endswith(".md"):
                    path = os.path.join(place, file)
                    yield path, os.path.relpath(path, root)[: -len(".md")]
