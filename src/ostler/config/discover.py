"""Which files make up the configuration of a directory, and in which order (later ones win):

global files, OPENCODE_CONFIG, project files from the root inwards, configuration folders,
OPENCODE_CONFIG_CONTENT, managed files (OpenCode 1.18)
"""

import os
from collections.abc import Iterator, Mapping

import msgspec

from ostler.config.paths import Paths

GLOBAL_FILES = ("config.json", "opencode.json", "opencode.jsonc")
PROJECT_FILES = ("opencode.json", "opencode.jsonc")
MANAGED = "/etc/opencode"


class Folder(msgspec.Struct, frozen=True):
    """A configuration folder: holds agents, commands, skills, tools, plugins, perhaps files too.
    ``project``: it belongs to the project and is to be trusted as little as that."""

    path: str
    reads_files: bool
    project: bool


class Layout(msgspec.Struct, frozen=True):
    """Files to read before the folders (the user's, then the project's), the folders, and files to
    read after them."""

    before: list[str]
    project: list[str]
    folders: list[Folder]
    after: list[str]


def layout(directory: str, worktree: str, paths: Paths, environment: Mapping[str, str]) -> Layout:
    """The candidates, whether they exist or not."""
    before = [os.path.join(paths.config, name) for name in GLOBAL_FILES]
    named = environment.get("OPENCODE_CONFIG")
    if named:
        before.append(os.path.abspath(named))
    with_project = not is_set(environment, "OPENCODE_DISABLE_PROJECT_CONFIG")
    upward = list(ancestors(directory, worktree)) if with_project else []
    project = [os.path.join(folder, name) for folder in reversed(upward) for name in PROJECT_FILES]
    folders = [Folder(paths.config, reads_files=False, project=False)]
    folders += [
        Folder(os.path.join(folder, ".opencode"), reads_files=True, project=True)
        for folder in upward
    ]
    folders.append(Folder(os.path.join(paths.home, ".opencode"), reads_files=True, project=False))
    extra = environment.get("OPENCODE_CONFIG_DIR")
    if extra:
        folders.append(Folder(os.path.abspath(extra), reads_files=True, project=False))
    managed = environment.get("OPENCODE_TEST_MANAGED_CONFIG_DIR") or MANAGED
    after = [os.path.join(managed, name) for name in PROJECT_FILES]
    return Layout(before, project, _once(folders), after)


def ancestors(directory: str, worktree: str) -> Iterator[str]:
    """The directory and those above it, up to the worktree (``/`` outside version control)."""
    current = os.path.abspath(directory)
    stop = os.path.abspath(worktree)
    while True:
        yield current
        parent = os.path.dirname(current)
        if current == stop or parent == current:
            return
        current = parent


def is_set(environment: Mapping[str, str], name: str) -> bool:
    """Whether a flag is on: ``1`` or ``true``."""
    return environment.get(name, "").lower() in ("1", "true")


def _once(folders: list[Folder]) -> list[Folder]:
    """A folder reached twice counts where it is reached last."""
    last = {folder.path: index for index, folder in enumerate(folders)}
    return [f for index, f in enumerate(folders) if last[f.path] == index]
