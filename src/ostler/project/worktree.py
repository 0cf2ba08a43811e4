"""Further checkouts of a repository: made, removed, reset. Layout and names: OpenCode 1.18."""

import os
import re
import shutil
from collections.abc import Callable

from ostler.project import git
from ostler.schema.errors import DomainError
from ostler.schema.worktree import Worktree

ATTEMPTS = 26
"""Names tried before giving up."""
BRANCHES = "opencode/"
MAX_NAME = 64


class WorktreeError(DomainError):
    """``WorktreeError("CreateFailed", message)``: the API's names without their common parts."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(f"Worktree{what}Error", message)


async def create(
    repository: str, folder: str, wanted: str | None, words: Callable[[], str]
) -> Worktree:
    """Make a checkout below ``folder`` without files yet, on a new branch. ``words`` gives a random
    name. Raises WorktreeError."""
    for attempt in range(ATTEMPTS):
        name = _name(wanted, attempt) or words()
        made = Worktree(name=name, directory=os.path.join(folder, name), branch=BRANCHES + name)
        if os.path.exists(made.directory) or await _has_branch(repository, made.branch or ""):
            continue
        os.makedirs(folder, exist_ok=True)
        done = await git.git(
            repository, "worktree", "add", "--no-checkout", "-b", made.branch or "", made.directory
        )
        if done.code != 0:
            raise WorktreeError("CreateFailed", done.stderr.strip() or "git worktree add failed")
        return made
    raise WorktreeError("NameGenerationFailed", f"no free name was found in {ATTEMPTS} attempts")


async def fill(directory: str) -> None:
    """Put the branch's files into a checkout made by ``create``. Raises WorktreeError."""
    done = await git.git(directory, "reset", "--hard", deadline=300.0)
    if done.code != 0:
        raise WorktreeError("CreateFailed", done.stderr.strip() or "git reset failed")


async def remove(repository: str, directory: str) -> None:
    """Remove a checkout, whatever is in it, and its branch. Raises WorktreeError."""
    entry = (await listed(repository)).get(os.path.realpath(directory))
    if entry is None:
        raise WorktreeError("RemoveFailed", f"{directory} is no worktree of this project")
    done = await git.git(repository, "worktree", "remove", "--force", directory, deadline=120.0)
    if done.code != 0:
        raise WorktreeError("RemoveFailed", done.stderr.strip() or "git worktree remove failed")
    shutil.rmtree(directory, ignore_errors=True)
    if entry.startswith(BRANCHES):
        await git.git(repository, "branch", "-D", entry)


async def reset(repository: str, directory: str, default_branch: str | None) -> None:
    """Bring a checkout back to the default branch, without untracked files. Raises
    WorktreeError."""
    if os.path.realpath(directory) not in await listed(repository):
        raise WorktreeError("ResetFailed", f"{directory} is no worktree of this project")
    if default_branch is None:
        raise WorktreeError("ResetFailed", "the repository has no default branch")
    for arguments in (("reset", "--hard", default_branch), ("clean", "-ffdx")):
        done = await git.git(directory, *arguments, deadline=300.0)
        if done.code != 0:
            raise WorktreeError("ResetFailed", done.stderr.strip() or f"git {arguments[0]} failed")


def _name(wanted: str | None, attempt: int) -> str:
    """The wanted name as one that a branch and a folder can have; a number from the second
    attempt on."""
    slug = re.sub(r"[^a-z0-9]+", "-", (wanted or "").lower()).strip("-")[:MAX_NAME]
    return f"{slug}-{attempt + 1}" if slug and attempt else slug


async def _has_branch(repository: str, branch: str) -> bool:
    found = await git.git(repository, "show-ref", "--verify", "-q", f"refs/heads/{branch}")
    return found.code == 0


async def listed(repository: str) -> dict[str, str]:
    """Real path -> branch of the linked checkouts, without the first one."""
    answer = await git.git(repository, "worktree", "list", "--porcelain")
    found: dict[str, str] = {}
    path = ""
    for line in answer.text.splitlines():
        if line.startswith("worktree "):
            path = os.path.realpath(line.removeprefix("worktree "))
            found[path] = ""
        elif line.startswith("branch "):
            found[path] = line.removeprefix("branch refs/heads/")
    return dict(list(found.items())[1:])
