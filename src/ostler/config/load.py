"""Loading the configuration of a directory.

Nothing is written: the reference's side effects (a ``$schema`` put into the user's files, folders
made, packages installed) are not carried out.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ostler.config import entries, legacy
from ostler.config.discover import GLOBAL_FILES, Folder, Layout, layout
from ostler.config.jsonc import Path, Position, locate, parse
from ostler.config.merge import Raw, merge
from ostler.config.paths import Paths
from ostler.config.substitute import substitute
from ostler.config.validate import Warning_, check, convert, known_only, unknown_keys
from ostler.schema.config import Config
from ostler.schema.errors import ConfigError

Stamp = tuple[str, int, int]
"""A file's (path, modification time in ns, size); (path, -1, -1) where there is none."""


_NESTED = (
    *(*entries.AGENT_FOLDERS, *entries.MODE_FOLDERS, *entries.COMMAND_FOLDERS),
    *("skill", "skills"),
)
_FLAT = ("tool", "tools", *entries.PLUGIN_FOLDERS)
"""Folders of a configuration folder whose files count, at any depth or right in them."""


class Source(msgspec.Struct, frozen=True):
    """One layer: a file, a folder's markdown, or text from the environment. ``project``: it came
    with the project, and is to be trusted as little as that."""

    name: str
    raw: Raw
    text: str | None = None
    project: bool = False


class LoadedConfig(msgspec.Struct, frozen=True):
    """``folders`` are the configuration folders that exist, in order; ``stamps`` tell whether a
    reload would read something else."""

    config: Config
    raw: Raw
    sources: list[Source]
    warnings: list[Warning_]
    folders: list[Folder]
    stamps: list[Stamp]

    def origin(self, path: Path) -> tuple[str, Position | None] | None:
        """Where a value comes from: (file, place) of the last layer that sets it."""
        for source in reversed(self.sources):
            if _has(source.raw, path):
                place = locate(source.text).get(path) if source.text is not None else None
                return source.name, place
        return None

    def trusts_everything(self) -> bool:
        """Whether the user's own configuration lets every project run its code."""
        return any(s.raw.get("trust") is True for s in self.sources if not s.project)

    def from_project(self, path: Path, keys: Sequence[str]) -> bool:
        """Whether the project itself says anything under ``path`` about one of ``keys``."""
        layers = [source.raw for source in self.sources if source.project]
        return any(_has(raw, (*path, key)) for raw in layers for key in keys)


def load(
    directory: str,
    worktree: str,
    paths: Paths,
    environment: Mapping[str, str],
    remote: Sequence[tuple[str, Raw]] = (),
) -> LoadedConfig:
    """``remote`` are documents fetched already, (URL, object), below all files. Raises ConfigError
    that names the file and the place in it."""
    plan = layout(directory, worktree, paths, environment)
    loading = _Loading(paths, environment)
    for url, document in remote:
        loading.add(Source(url, document))
    for file in plan.before:
        loading.file(file)
    for file in plan.project:
        loading.file(file, project=True)
    folders = [folder for folder in plan.folders if os.path.isdir(folder.path)]
    for folder in folders:
        loading.folder(folder)
    content = environment.get("OPENCODE_CONFIG_CONTENT")
    if content:
        loading.text(content, "OPENCODE_CONFIG_CONTENT", directory)
    for file in plan.after:
        loading.file(file)
    merged, warnings = legacy.finish(loading.merged, environment)
    raw: Raw = known_only(merged, Config)
    return LoadedConfig(
        config=convert(raw),
        raw=raw,
        sources=loading.sources,
        warnings=[*loading.warnings, *warnings],
        folders=folders,
        stamps=_stamps(plan),
    )


def load_global(paths: Paths, environment: Mapping[str, str]) -> Config:
    """What the global files alone say. Raises ConfigError."""
    return convert(load_global_raw(paths, environment))


def load_global_raw(paths: Paths, environment: Mapping[str, str]) -> Raw:
    """The same as an object, absent keys absent. Raises ConfigError."""
    loading = _Loading(paths, environment)
    for name in GLOBAL_FILES:
        loading.file(os.path.join(paths.config, name))
    return loading.merged


def changed(loaded: LoadedConfig) -> bool:
    """Whether a file the load looked at is different now, or has come or gone."""
    return stamped(loaded) != loaded.stamps


def stamped(loaded: LoadedConfig) -> list[Stamp]:
    """The files the load looked at as they are now."""
    return [_stamp(path) for path, _, _ in loaded.stamps]


class _Loading:
    def __init__(self, paths: Paths, environment: Mapping[str, str]) -> None:
        self._paths, self._environment = paths, environment
        self.merged: Raw = {}
        self.sources: list[Source] = []
        self.warnings: list[Warning_] = []

    def add(self, source: Source) -> None:
        self.sources.append(source)
        self.merged = merge(self.merged, source.raw)

    def file(self, path: str, project: bool = False) -> None:
        try:
            with open(path, encoding="utf-8") as source:
                text = source.read()
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, UnicodeDecodeError) as e:
            raise ConfigError(f"{path} cannot be read: {e}", path=path) from None
        self.text(text, path, os.path.dirname(path), project)

    def text(self, text: str, name: str, directory: str, project: bool = False) -> None:
        resolved = substitute(text, name, directory, self._environment, self._paths.home)
        raw, warnings = legacy.normalise_file(parse(resolved, name), name, text)
        check(raw, name, text)
        raw = legacy.normalise_agents(raw)
        self.warnings += [*warnings, *unknown_keys(raw, name, text)]
        self.add(Source(name, legacy.absolute_plugins(raw, name), text, project))

    def folder(self, folder: Folder) -> None:
        if folder.reads_files:
            for name in ("opencode.json", "opencode.jsonc"):
                self.file(os.path.join(folder.path, name), folder.project)
        found = entries.read_folder(folder.path)
        self.warnings += found.warnings
        if found.raw:
            self.add(Source(folder.path, found.raw, project=folder.project))


def _has(raw: Any, path: Path) -> bool:
    for step in path:
        if isinstance(raw, dict) and step in raw:
            raw = raw[step]
            continue
        if not (isinstance(raw, list) and isinstance(step, int) and step < len(raw)):
            return False
        raw = raw[step]
    return True


def _stamps(plan: Layout) -> list[Stamp]:
    files = [*plan.before, *plan.project, *plan.after]
    for folder in plan.folders:
        files.append(folder.path)
        if folder.reads_files:
            files += [os.path.join(folder.path, n) for n in ("opencode.json", "opencode.jsonc")]
        for name in _NESTED:
            root = os.path.join(folder.path, name)
            files.append(root)
            for place, _, names in os.walk(root, followlinks=True):
                files.append(place)
                files += [os.path.join(place, n) for n in names if n.endswith(".md")]
        files += [os.path.join(folder.path, name) for name in _FLAT]
        files += entries.in_folders(folder.path, _FLAT, entries.PLUGIN_ENDINGS)
    return [_stamp(file) for file in files]


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return path, -1, -1
    return path, found.st_mtime_ns, found.st_size
