"""Finding the git checkout a directory belongs to, by reading ``.git`` and without running git."""

import os
from collections.abc import Iterator

import msgspec

from ostler.project import gitconfig
from ostler.project.git import GitError, run

_POINTER_LIMIT = 8192


class Checkout(msgspec.Struct, frozen=True):
    """``worktree``: the root of the files. ``git_dir``: HEAD and index of this checkout.
    ``common_dir``: objects and configuration, shared by linked worktrees. All are real paths."""

    worktree: str
    git_dir: str
    common_dir: str


def find_checkout(directory: str) -> Checkout | None:
    """The checkout that ``directory`` (absolute; it need not exist) lies in, or None.

    Bare repositories, broken ones, and those of another user that git itself would refuse
    (its ``safe.directory``) are None, as OpenCode 1.18 treats them. Blocks for some stat calls.
    """
    found = _nearest(os.path.realpath(directory))
    if found is None:
        return None
    root, git_dir = found
    common_dir = _common_dir(git_dir)
    settings = gitconfig.read(os.path.join(common_dir, "config"))
    worktree = root
    if git_dir == common_dir:
        if settings.value("core.bare", "false").lower() in ("true", "yes", "on", "1"):
            return None
        worktree = os.path.realpath(os.path.join(git_dir, settings.value("core.worktree", root)))
    if not _owned(root, git_dir) and not _accepted_by_git(root):
        return None
    return Checkout(worktree, git_dir, common_dir)


def _nearest(directory: str) -> tuple[str, str] | None:
    """The first folder upwards that holds a ``.git``, with the git directory it means."""
    for folder in _upwards(directory):
        path = os.path.join(folder, ".git")
        if os.path.isdir(path):
            if _is_git_dir(path):
                return folder, os.path.realpath(path)
        elif os.path.isfile(path):
            target = _pointer(path)
            if target is None:
                return None  # git stops here too
            return folder, target
    return None


def _upwards(directory: str) -> Iterator[str]:
    while True:
        yield directory
        parent = os.path.dirname(directory)
        if parent == directory:
            return
        directory = parent


def _pointer(path: str) -> str | None:
    """Where a ``.git`` file (of a linked worktree or a submodule) points."""
    text = _small(path)
    if text is None or not text.startswith("gitdir:"):
        return None
    target = text.removeprefix("gitdir:").strip()
    target = os.path.realpath(os.path.join(os.path.dirname(path), target))
    return target if _is_git_dir(target) else None


def _is_git_dir(path: str) -> bool:
    """git's own test (setup.c, is_git_directory): a HEAD, and objects and refs where they live."""
    if not os.path.lexists(os.path.join(path, "HEAD")):
        return False
    common = _common_dir(path)
    return os.path.isdir(os.path.join(common, "objects")) and os.path.isdir(
        os.path.join(common, "refs")
    )


def _common_dir(git_dir: str) -> str:
    text = _small(os.path.join(git_dir, "commondir"))
    return git_dir if text is None else os.path.realpath(os.path.join(git_dir, text.strip()))


def _small(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read(_POINTER_LIMIT))
    except OSError:
        return None


def _owned(*paths: str) -> bool:
    user = os.geteuid()
    return all(os.stat(path).st_uid == user for path in paths)


def _accepted_by_git(root: str) -> bool:
    # Whether safe.directory or sudo lets it pass is git's to say; such checkouts are rare.
    try:
        return run(root, "rev-parse", "--show-toplevel").code == 0
    except GitError:
        return False
