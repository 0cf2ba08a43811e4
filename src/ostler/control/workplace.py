"""Where an attempt works: the run's directory, or a git worktree of its own."""

import os

import msgspec

from ostler.control.checks import git


class Workplace(msgspec.Struct, frozen=True):
    """``base`` is the commit it began with, None outside version control; ``branch`` the one made
    for it, where it has a worktree of its own."""

    directory: str
    base: str | None = None
    branch: str | None = None


class NoWorkplace(ValueError):
    """A worktree cannot be made; the message says why."""


async def opened(directory: str, title: str, root: str, own: bool, needs_base: bool) -> Workplace:
    """The same place for the same title, however often it is asked for. Raises NoWorkplace."""
    if not os.path.isdir(directory):
        raise NoWorkplace(f"{directory} is gone; go on from the stage that worked there first")
    if not needs_base:
        return Workplace(directory)
    base = await git(directory, "rev-parse", "--verify", "--quiet", "HEAD")
    if not own:
        return Workplace(directory, base)
    if base is None:
        raise NoWorkplace(f"worktree: {directory} is no git repository with a commit")
    branch, place = f"ostler/{title}", os.path.join(root, title)
    if not os.path.isdir(place):
        os.makedirs(root, exist_ok=True)
        exists = await git(directory, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        how = [branch] if exists else ["-b", branch, base]
        arguments = ("worktree", "add", *([place, *how] if exists else [*how[:2], place, base]))
        if await git(directory, *arguments) is None:
            raise NoWorkplace(f"worktree: git cannot add {place} on {branch}")
    return Workplace(place, base, branch)


async def committed(place: Workplace, title: str) -> str | None:
    """What was done there as a commit on its branch; the commit. None where it has none."""
    if place.branch is None:
        return None
    await git(place.directory, "add", "--all")
    await git(
        place.directory,
        *("-c", "user.name=ostler", "-c", "user.email=ostler@localhost"),
        *("commit", "--quiet", "--no-verify", "--message", title),
    )
    return await git(place.directory, "rev-parse", "HEAD")


async def changes(place: Workplace) -> list[dict[str, object]]:
    """``[{file, additions, deletions, patch}]`` since the base, untracked files too."""
    if place.base is None:
        return []
    await git(place.directory, "add", "--all", "--intent-to-add")
    numbers = await git(place.directory, "diff", "--numstat", place.base)
    found: list[dict[str, object]] = []
    for line in (numbers or "").splitlines():
        added, removed, file = line.split("\t", 2)
        patch = await git(place.directory, "diff", place.base, "--", file) or ""
        found.append(
            {
                "file": file,
                "additions": int(added) if added.isdecimal() else 0,
                "deletions": int(removed) if removed.isdecimal() else 0,
                "patch": patch[:PATCH_LIMIT],
            }
        )
    return found


PATCH_LIMIT = 20_000
"""Characters of one file's patch that are kept as evidence."""
