"""The state of a project's own repository: its branch, what differs from a commit, applying a
patch. Reads never write to the repository."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ostler.project import git
from ostler.project.checkout import Checkout
from ostler.project.patch import WHOLE_FILE
from ostler.schema.errors import DomainError
from ostler.schema.vcs import FileStatus, VcsFileDiff, VcsFileStatus, VcsInfo

if TYPE_CHECKING:
    import pygit2

MAX_PATCHES = 10 * 1024 * 1024
"""Characters of patch text in one answer; files beyond come with the header alone (OpenCode)."""
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

Mode = Literal["git", "branch"]
T = TypeVar("T")


class VcsFailed(DomainError):
    """The repository cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__("VcsError", message)


class ApplyFailed(DomainError):
    """A patch was not applied; nothing was changed. ``reason``: non-git or not-clean."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__("VcsApplyError", message, reason=reason)


async def info(checkout: Checkout | None) -> VcsInfo:
    """The branch, absent when HEAD is detached, and the default one; nothing outside git."""
    if checkout is None:
        return VcsInfo()
    current, default = await asyncio.gather(
        git.git(checkout.worktree, "symbolic-ref", "--short", "HEAD"), _default_branch(checkout)
    )
    return VcsInfo(branch=current.line or None, default_branch=default)


async def status(checkout: Checkout | None) -> list[VcsFileStatus]:
    """What differs from HEAD, untracked files included, by name. Raises VcsFailed."""
    return [
        VcsFileStatus(file=d.file, additions=d.additions, deletions=d.deletions, status=d.status)
        for d in await diff(checkout, context=0)
        if d.status is not None
    ]


async def diff(
    checkout: Checkout | None, mode: Mode = "git", context: int = WHOLE_FILE
) -> list[VcsFileDiff]:
    """What differs from HEAD, or (``branch``) from where this branch left the default one, by
    name; empty outside git and on the default branch itself. Raises VcsFailed."""
    if checkout is None:
        return []
    base: str | None = None
    if mode == "branch":
        base = await _branch_point(checkout)
        if base is None:
            return []
    return await _in_thread(lambda: list(_diffs(checkout, base, context)))


async def raw_diff(checkout: Checkout | None) -> str:
    """One patch of everything that differs from HEAD. Raises VcsFailed."""
    return "".join(d.patch or "" for d in await diff(checkout, context=3))


async def apply(checkout: Checkout | None, patch: str) -> None:
    """Apply a patch to the files, all of it or nothing. Raises ApplyFailed."""
    if checkout is None:
        raise ApplyFailed("Not a git repository: a patch can be applied to one alone.", "non-git")
    done = await git.git(
        checkout.worktree, "apply", "--whitespace=nowarn", "-", stdin=patch.encode()
    )
    if done.code != 0:
        raise ApplyFailed(f"The patch does not apply: {done.stderr.strip()}", "not-clean")


async def _default_branch(checkout: Checkout) -> str | None:
    remote = await git.git(checkout.worktree, "symbolic-ref", "--short", "refs/remotes/origin/HEAD")
    if remote.code == 0:
        return remote.line.removeprefix("origin/")
    configured = await git.git(checkout.worktree, "config", "init.defaultBranch")
    for name in (configured.line, "main", "master"):
        if name and await _exists(checkout, f"refs/heads/{name}"):
            return name
    return None


async def _exists(checkout: Checkout, ref: str) -> bool:
    return (await git.git(checkout.worktree, "rev-parse", "--verify", "-q", ref)).code == 0


async def _branch_point(checkout: Checkout) -> str | None:
    now = await info(checkout)
    if not now.default_branch or now.branch == now.default_branch:
        return None
    for base in (f"refs/remotes/origin/{now.default_branch}", f"refs/heads/{now.default_branch}"):
        found = await git.git(checkout.worktree, "merge-base", base, "HEAD")
        if found.code == 0:
            return found.line
    return None


async def _in_thread(job: Callable[[], T]) -> T:
    def translated() -> T:
        import pygit2  # slow to load, and few processes need it

        try:
            return job()
        except (pygit2.GitError, OSError, KeyError) as e:
            raise VcsFailed(f"The repository cannot be read: {e}") from e

    return await asyncio.to_thread(translated)


def _diffs(checkout: Checkout, base: str | None, context: int) -> Iterator[VcsFileDiff]:
    import pygit2
    from pygit2.enums import DiffOption

    repository = pygit2.Repository(checkout.worktree)
    options = (
        DiffOption.INCLUDE_UNTRACKED
        | DiffOption.RECURSE_UNTRACKED_DIRS
        | DiffOption.SHOW_UNTRACKED_CONTENT
    )
    compared: Any = repository.diff(
        _tree(repository, base), flags=options, context_lines=min(context, WHOLE_FILE)
    )
    room = MAX_PATCHES
    found = []
    for patch in compared:
        name = patch.delta.new_file.path or patch.delta.old_file.path
        if name.endswith("/"):
            continue  # another repository inside this one
        text = patch.data.decode("utf-8", "replace")
        room -= len(text)
        _, additions, deletions = patch.line_stats
        found.append(
            VcsFileDiff(
                file=name,
                additions=additions,
                deletions=deletions,
                patch=text if room >= 0 else text.partition("\n@@ ")[0] + "\n",
                status=_status(patch.delta),
            )
        )
    yield from sorted(found, key=lambda d: d.file)


def _tree(repository: "pygit2.Repository", base: str | None) -> Any:
    import pygit2

    if base is not None:
        return repository.revparse_single(base).peel(pygit2.Tree)
    if repository.head_is_unborn:
        return repository[_EMPTY_TREE]
    return repository.head.peel(pygit2.Tree)


def _status(delta: Any) -> FileStatus:
    from pygit2.enums import DeltaStatus

    if delta.status in (DeltaStatus.ADDED, DeltaStatus.UNTRACKED):
        return "added"
    return "deleted" if delta.status == DeltaStatus.DELETED else "modified"
