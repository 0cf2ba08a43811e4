"""Which project a directory belongs to: a name that is the same in every clone."""

import os
from hashlib import sha1

import msgspec

from ostler.project import gitconfig
from ostler.project.checkout import Checkout, find_checkout
from ostler.project.git import GitError, run
from ostler.project.remote import remote_name
from ostler.schema.project import GLOBAL_PROJECT

NO_WORKTREE = "/"
"""The worktree of a directory outside version control."""

_ID_LIMIT = 256


class Identity(msgspec.Struct, frozen=True):
    """``worktree`` is the root of the checkout. ``checkout`` is None outside version control."""

    project_id: str
    worktree: str = NO_WORKTREE
    checkout: Checkout | None = None


def identify(directory: str) -> Identity:
    """The project of an absolute directory.

    Its id, as in OpenCode 1.18: the SHA-1 of ``git-remote:<host>/<path>`` of the origin remote;
    without one the id kept in the git directory's file ``opencode``; else the first root commit;
    else ``global``. Blocks for some stat calls, and for a git command where no id is kept yet.
    """
    checkout = find_checkout(directory)
    if checkout is None:
        return Identity(GLOBAL_PROJECT)
    cache = os.path.join(checkout.common_dir, "opencode")
    kept = _read(cache)
    found = _from_remote(checkout) or kept or _first_commit(checkout)
    if found and found != kept:
        _write(cache, found)
    return Identity(found or GLOBAL_PROJECT, checkout.worktree, checkout)


def _from_remote(checkout: Checkout) -> str | None:
    settings = gitconfig.read(os.path.join(checkout.common_dir, "config"))
    url = settings.value("remote.origin.url")
    if not settings.is_self_contained:
        url = _line(checkout, "remote", "get-url", "origin")
    name = remote_name(url) if url else None
    return sha1(f"git-remote:{name}".encode(), usedforsecurity=False).hexdigest() if name else None


def _first_commit(checkout: Checkout) -> str | None:
    commits = _line(checkout, "rev-list", "--max-parents=0", "HEAD").split()
    return min(commits, default=None)


def _line(checkout: Checkout, *arguments: str) -> str:
    try:
        answer = run(checkout.worktree, *arguments)
    except GitError:
        return ""
    return answer.line if answer.code == 0 else ""


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_ID_LIMIT).strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: str, project_id: str) -> None:
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(project_id)
        os.replace(temporary, path)
    except OSError:
        return  # a read-only repository: the id is found out again next time
