"""Where a language server is to work: the folder it takes for the project, and the programs there
are."""

import fnmatch
import os
from collections.abc import Iterator, Mapping, Sequence

import msgspec


class Place(msgspec.Struct, frozen=True):
    """``root`` is the server's; ``directory`` and ``worktree`` as an Instance has them.
    ``own_code``: what lies in the project may be run."""

    root: str
    directory: str
    worktree: str
    environment: Mapping[str, str]
    own_code: bool

    def program(self, name: str) -> str | None:
        """On PATH, or else in a ``node_modules`` of the project, from the root upwards."""
        if os.sep in name:
            return self._allowed(os.path.normpath(os.path.join(self.root, name)))
        for folder in self.environment.get("PATH", os.defpath).split(os.pathsep):
            # A relative folder is meant from where the server is started.
            found = self._allowed(os.path.normpath(os.path.join(self.root, folder, name)))
            if found and folder:
                return found
        return self.local_program(name)

    def local_program(self, name: str) -> str | None:
        """In a ``node_modules`` of the project."""
        for folder in self.upward(self.root):
            found = self._allowed(os.path.join(folder, "node_modules/.bin", name))
            if found:
                return found
        return None

    def module(self, file: str) -> str | None:
        """A file of a package that the project's JavaScript would import, such as
        ``typescript/lib/tsserver.js``: in the ``node_modules`` upwards of the directory."""
        for folder in ancestors(self.directory):
            found = os.path.join(folder, "node_modules", file)
            if os.path.exists(found):
                return found if self._may_run(found) else None
        return None

    def virtual_environments(self) -> list[str]:
        """Of Python: the one that is active, and those where projects keep theirs."""
        active = self.environment.get("VIRTUAL_ENV")
        found = [*([active] if active else []), *(os.path.join(self.root, n) for n in _VENVS)]
        return [path for path in found if self._may_run(path)]

    def upward(self, start: str) -> Iterator[str]:
        return upward(start, self.directory, self.worktree)

    def _allowed(self, path: str) -> str | None:
        runs = os.path.isfile(path) and os.access(path, os.X_OK)
        return path if runs and self._may_run(path) else None

    def _may_run(self, path: str) -> bool:
        if self.own_code:
            return True
        project = self.directory if self.worktree == "/" else self.worktree
        return not any(_inside(p, project) for p in (path, os.path.realpath(path)))


_VENVS = (".venv", "venv")


def _inside(path: str, folder: str) -> bool:
    return any(
        path == each or path.startswith(each.rstrip("/") + "/")
        for each in (folder, os.path.realpath(folder))
    )


def ancestors(folder: str) -> Iterator[str]:
    """The folder and all those around it."""
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def upward(start: str, directory: str, worktree: str) -> Iterator[str]:
    """A folder and those around it, up to the directory, or to the worktree from outside of it."""
    for folder in ancestors(start):
        yield folder
        if folder in (directory, worktree):
            return


def nearest(names: Sequence[str], start: str, directory: str, worktree: str) -> str | None:
    """The first folder upwards that holds one of ``names``, which may be patterns (``*.sln``)."""
    for folder in upward(start, directory, worktree):
        if any(_holds(folder, name) for name in names):
            return folder
    return None


def _holds(folder: str, name: str) -> bool:
    if "*" not in name:
        return os.path.exists(os.path.join(folder, name))
    try:
        return bool(fnmatch.filter(os.listdir(folder), name))
    except OSError:
        return False
