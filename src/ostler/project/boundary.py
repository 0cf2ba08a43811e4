"""Where a project ends: is a path inside it, and how permissions speak of paths.

Paths are compared as they are written; ``escape`` follows symbolic links as well.
"""

import os
from typing import Literal

PathKind = Literal["file", "directory"]


def inside(path: str, directory: str, worktree: str) -> bool:
    """Whether an absolute path equals or lies under ``directory``, or under ``worktree`` unless
    that is ``/``, which stands for "no version control"."""
    return _under(path, directory) or (worktree != "/" and _under(path, worktree))


def escape(path: str, directory: str, worktree: str) -> str | None:
    """Where a path really leads, if symbolic links take it out of a project that it is inside of
    as written; None otherwise. Costs a stat for each folder on the way."""
    real = os.path.realpath(path)
    roots = [directory] if worktree == "/" else [directory, worktree]
    if any(_under(real, os.path.realpath(root)) for root in roots):
        return None
    return real


def external_pattern(path: str, kind: PathKind = "file") -> str:
    """The pattern ``external_directory`` asks for: everything in the path's folder, or in the path
    itself when it is a directory, e.g. ``/etc/*`` for the file ``/etc/hosts``."""
    return inside_pattern(path if kind == "directory" else os.path.dirname(path))


def inside_pattern(directory: str) -> str:
    """``<directory>/*``, and ``/*`` for the root."""
    return directory.rstrip("/") + "/*"


def relative(path: str, worktree: str) -> str:
    """A path as permissions and titles show it: relative to the worktree, with ``..`` where it
    lies outside; the worktree itself is the empty string."""
    shown = os.path.relpath(path, worktree)
    return "" if shown == "." else shown


def absolute(path: str, directory: str) -> str:
    """``path`` against ``directory``, without ``.``, ``..``, double or final slashes."""
    joined = os.path.normpath(os.path.join(directory, path))
    # POSIX lets normpath keep two leading slashes; here they mean one.
    return "/" + joined.lstrip("/") if joined.startswith("//") else joined


def _under(path: str, parent: str) -> bool:
    path, parent = absolute(path, "/"), absolute(parent, "/")
    return path == parent or path.startswith(parent.rstrip("/") + "/")
