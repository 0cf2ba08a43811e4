"""Copies of a project to work in beside it, and moving work between them. Names: OpenCode 1.18."""

import os

from ostler.project import git
from ostler.project.worktree import listed
from ostler.schema.errors import DomainError

STRATEGY = "git_worktree"


class CopyError(DomainError):
    """``forceRequired``: it would go with ``force``."""

    def __init__(self, message: str, force_required: bool = False) -> None:
        data = {"forceRequired": True} if force_required else {}
        super().__init__("ProjectCopyError", message, **data)


class MoveError(DomainError):
    def __init__(self, message: str) -> None:
        super().__init__("MoveSessionError", message)


async def create(repository: str, strategy: str, folder: str, name: str) -> str:
    """Check the current commit out at ``folder/name``, on no branch; returns where. Raises
    CopyError."""
    if strategy != STRATEGY:
        raise CopyError(f"Project copy strategy unavailable: {strategy}; there is {STRATEGY}")
    if not os.path.isabs(folder):
        raise CopyError(f"The directory must be absolute: {folder}")
    directory = os.path.normpath(os.path.join(folder, name))
    if os.path.dirname(directory) != os.path.normpath(folder) or os.path.exists(directory):
        raise CopyError(f"Invalid project copy directory: {directory}")
    os.makedirs(folder, exist_ok=True)
    done = await git.git(
        repository, "worktree", "add", "--detach", directory, "HEAD", deadline=300.0
    )
    if done.code != 0:
        raise CopyError(done.stderr.strip() or "git worktree add failed")
    return directory


async def remove(repository: str, directory: str, force: bool) -> None:
    """Remove a copy; one with changes only by ``force``. Raises CopyError."""
    if not os.path.isdir(directory):
        raise CopyError(f"Project copy directory unavailable: {directory}")
    if os.path.realpath(directory) not in await listed(repository):
        raise CopyError(f"Invalid project copy directory: {directory}")
    forced = ("--force",) if force else ()
    done = await git.git(repository, "worktree", "remove", *forced, directory, deadline=120.0)
    if done.code != 0:
        said = done.stderr.strip() or "git worktree remove failed"
        raise CopyError(said, force_required=not force)


async def existing(repository: str) -> list[str]:
    """Real paths of the linked checkouts that are there."""
    return [path for path in await listed(repository) if os.path.isdir(path)]


async def move_changes(source: str, target: str) -> None:
    """Move what is not committed from one checkout of a repository to another. Where it does not
    apply, both are left as they were. Raises MoveError."""
    before = (await git.git(source, "rev-parse", "-q", "--verify", "refs/stash")).text.strip()
    done = await git.git(source, "stash", "push", "--include-untracked", "-m", "ostler: moved")
    if done.code != 0:
        raise MoveError(f"The changes cannot be set aside: {done.stderr.strip()}")
    stash = (await git.git(source, "rev-parse", "-q", "--verify", "refs/stash")).text.strip()
    if stash == before:
        return  # there were none
    applied = await git.git(target, "stash", "apply", "--index", stash)
    if applied.code != 0:
        await git.git(source, "stash", "pop", "--index")
        said = applied.stderr.strip() or applied.text.strip()
        raise MoveError(f"The changes do not apply in {target}: {said}")
    await git.git(source, "stash", "drop", "stash@{0}")
