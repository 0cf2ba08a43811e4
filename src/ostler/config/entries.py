"""What a configuration folder holds in files of their own, as opencode.json would say it: agents,
modes and commands written as markdown, and plugins."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ostler.config import legacy
from ostler.config.front_matter import FrontMatterError
from ostler.config.markdown import Entry, read_entry
from ostler.config.merge import Raw
from ostler.config.validate import Warning_, check, known_only
from ostler.schema.config import AgentConfig, CommandConfig
from ostler.schema.errors import ConfigInvalidError

AGENT_FOLDERS = ("agent", "agents")
MODE_FOLDERS = ("mode", "modes")
COMMAND_FOLDERS = ("command", "commands")
PLUGIN_FOLDERS = ("plugin", "plugins")
PLUGIN_ENDINGS = (".ts", ".js", ".py")
"""``.py`` is Ostler's own."""


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
        _add(found, "command", file, _command, name)
    for file, name in _files(folder, AGENT_FOLDERS, nested=True):
        _add(found, "agent", file, _agent, name)
    for file, name in _files(folder, MODE_FOLDERS, nested=False):
        try:
            _add(found, "agent", file, _mode, name)
        except ConfigInvalidError as e:  # OpenCode 1.18 passes over modes of the wrong shape
            found.warnings.append(Warning_(file, 0, f"mode left out: {e}"))
    plugins = in_folders(folder, PLUGIN_FOLDERS, PLUGIN_ENDINGS)
    if plugins:
        found.raw["plugin"] = [Path(file).as_uri() for file in plugins]
    return found


def in_folders(folder: str, names: Sequence[str], endings: tuple[str, ...]) -> list[str]:
    """The files right in the subfolders ``names`` of a configuration folder; of Python's those
    that begin with ``_`` are helpers of the others."""
    found = []
    for name in names:
        place = os.path.join(folder, name)
        try:
            entries = sorted(os.listdir(place))
        except OSError:
            continue
        found += [
            os.path.join(place, e)
            for e in entries
            if e.endswith(endings) and not (e.startswith("_") and e.endswith(".py"))
        ]
    return found


def _add(found: Found, noun: str, file: str, read: Any, name: str) -> None:
    try:
        with open(file, encoding="utf-8", newline="") as source:
            entry = read_entry(source.read())
    except (OSError, UnicodeDecodeError, FrontMatterError) as e:
        found.warnings.append(Warning_(file, 0, f"{noun} left out: {e}"))
        return
    if entry.problem is not None:
        message = f"its front matter is passed over: {entry.problem}"
        found.warnings.append(Warning_(file, 0, message))
    name, fields = read(entry, file, name)
    found.raw.setdefault(noun, {})[name] = fields
    found.files[f"{noun}.{name}"] = file


def _command(entry: Entry, file: str, name: str) -> tuple[str, Raw]:
    fields = {"name": name, **entry.fields, "template": entry.body}
    _check(fields, CommandConfig, entry, file)
    return str(fields["name"]), known_only(fields, CommandConfig)


def _agent(entry: Entry, file: str, name: str) -> tuple[str, Raw]:
    fields = {"name": name, **entry.fields, "prompt": entry.body}
    _check(fields, AgentConfig, entry, file)
    return str(fields["name"]), legacy.normalise_agent(fields)


def _mode(entry: Entry, file: str, name: str) -> tuple[str, Raw]:
    name, fields = _agent(entry, file, name)
    return name, {**fields, "mode": "primary"}


def _check(fields: Raw, kind: type, entry: Entry, file: str) -> None:
    check(fields, file, kind=kind, places=entry.places)


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
