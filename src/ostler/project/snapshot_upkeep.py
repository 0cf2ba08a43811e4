"""Keeping repositories of snapshots small: what is old goes, and whole ones that nobody needs."""

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Iterator

import msgspec

from ostler.disk import look
from ostler.project import git, gitconfig, snapshot_lock, snapshot_size

KEEP_DAYS = 7
"""How long snapshots are kept (OpenCode 1.18)."""
HARDER = ("1.day.ago", "1.hour.ago")
"""What is kept where there is more than there may be."""
EVERY = 86_400.0
"""Seconds between two cleanings of one repository."""
NEARLY_FULL = 0.9
"""Of the limit, from which on it is cleaned each time."""
UNUSED_DAYS = 30
"""After which a repository is removed: its snapshots have expired long before."""
LEFT_BEHIND = 3_600.0
"""Seconds after which a temporary file is nobody's any more."""
DEADLINE = 300.0
"""Seconds git may take; what it left behind then is removed."""
LOOK = 0.05
"""How often it is looked whether somebody waits, in seconds."""
# It works beside turns. Large files do not get smaller by being compared.
_GENTLE = (
    *("-c", "pack.threads=1", "-c", "pack.windowMemory=64m", "-c", "core.bigFileThreshold=1m"),
    *("-c", "gc.autoDetach=false", "-c", "gc.cruftPacks=false"),
)

log = logging.getLogger("ostler.snapshot")


class Repository(msgspec.Struct, frozen=True):
    """``used`` is when something was recorded last, in seconds since the epoch; ``is_gone``: its
    checkout is not there any more."""

    folder: str
    worktree: str
    used: float
    is_gone: bool

    def is_unneeded(self, now: float) -> bool:
        days = KEEP_DAYS if self.is_gone else UNUSED_DAYS
        return now - self.used > days * 86_400


def repositories(data: str) -> Iterator[Repository]:
    """Those of a data folder. Blocks."""
    for project in _entries(os.path.join(data, "snapshot")):
        for entry in _entries(project.path):
            if entry.is_dir(follow_symlinks=False) and len(entry.name) == 40:
                yield _repository(entry.path)


def leftovers(data: str, now: float) -> list[str]:
    """Folders that were being made or removed, and files of locks without a repository."""
    found = []
    for project in _entries(os.path.join(data, "snapshot")):
        for entry in _entries(project.path):
            name, _, rest = entry.name.partition(".")
            is_lock = rest in ("lock", "wanted")
            if not rest or _age(entry.path, now) < LEFT_BEHIND:
                continue
            if not (is_lock and os.path.isdir(os.path.join(project.path, name))):
                found.append(entry.path)
    return found


async def keep_small(data: str, limit: int | None) -> None:
    """Clean up what is due, and remove what is not needed."""
    now = time.time()
    for repository in await asyncio.to_thread(lambda: list(repositories(data))):
        if repository.is_unneeded(now):
            await asyncio.to_thread(remove, repository.folder)
        elif _is_due(repository, limit):
            await collect(repository.folder, limit)
    for path in await asyncio.to_thread(leftovers, data, now):
        await asyncio.to_thread(_discard, path)


async def collect(folder: str, limit: int | None = snapshot_size.LIMIT) -> bool:
    """Delete what no recent snapshot needs, and more of it where there is too much. Whether it was
    done: not while a snapshot is taken, and no longer than until somebody wants to take one."""
    if not os.path.isdir(folder):
        return False
    with snapshot_lock.held_if_free(folder) as held:
        if not held:
            return False
        try:
            return await _collect(folder, limit)
        except git.GitError as e:
            log.warning("snapshots in %s not cleaned up: %s", folder, e)
            return False
        finally:
            await asyncio.to_thread(_remove_temporary, folder)


def remove(folder: str) -> bool:
    """Remove a repository whole, unless somebody works on it. Blocks."""
    with snapshot_lock.held_if_free(folder) as held:
        if not held:
            return False
        away = f"{folder}.gone"
        shutil.rmtree(away, ignore_errors=True)
        try:
            os.rename(folder, away)
        except OSError:
            return False
        shutil.rmtree(away, ignore_errors=True)
        for file in snapshot_lock.files(folder):
            _discard(file)
    try:
        os.rmdir(os.path.dirname(folder))
    except OSError:
        pass  # other checkouts of the project have theirs there
    return True


async def _collect(folder: str, limit: int | None) -> bool:
    size = await asyncio.to_thread(snapshot_size.measured, folder)
    room = look(folder)
    # What is kept is written anew before the old is deleted.
    command = ("gc", "--quiet", "--prune=") if room and room.free > 2 * size else _PRUNE
    done = await _git(folder, *command[:-1], f"{command[-1]}{KEEP_DAYS}.days.ago")
    size = await asyncio.to_thread(snapshot_size.measured, folder)
    for keep in HARDER if done and limit is not None else ():
        if limit is None or size <= limit * NEARLY_FULL:
            break
        log.warning(
            "the snapshots in %s take %d of %d MB (disk.snapshots in opencode.json): what is older "
            "than %s is deleted",
            *(folder, size // 2**20, limit // 2**20, keep.replace(".", " ").removesuffix(" ago")),
        )
        done = await _git(folder, *_PRUNE[:-1], f"{_PRUNE[-1]}{keep}")
        size = await asyncio.to_thread(snapshot_size.measured, folder)
    if done:
        snapshot_size.note(folder, size)
    return done


_PRUNE = ("prune", "--expire=")


async def _git(folder: str, *arguments: str) -> bool:
    """Whether git came to its end before somebody else wanted the repository. Raises GitError."""
    work = asyncio.ensure_future(git.checked(folder, *_GENTLE, *arguments, deadline=DEADLINE))
    try:
        while not work.done():
            await asyncio.wait((work,), timeout=LOOK)
            if not work.done() and snapshot_lock.is_wanted(folder):
                return False
        work.result()
        return True
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait((work,))


def _is_due(repository: Repository, limit: int | None) -> bool:
    size, ago = snapshot_size.noted(repository.folder)
    if limit is not None and size > limit * NEARLY_FULL:
        return True
    is_idle = time.time() - repository.used > (KEEP_DAYS + 2) * 86_400
    return ago > (UNUSED_DAYS * 86_400 if is_idle else EVERY)


def _repository(folder: str) -> Repository:
    worktree = gitconfig.read(os.path.join(folder, "config")).value("core.worktree")
    used = snapshot_size.last_used(folder)
    return Repository(folder, worktree, used, bool(worktree) and not os.path.isdir(worktree))


def _remove_temporary(folder: str) -> None:
    """What git and libgit2 write before it is renamed, and locks of those that were killed. The
    lock is held: whose they were is dead."""
    for place, _, names in os.walk(folder):
        inside = place.startswith(os.path.join(folder, "objects"))
        for name in names:
            temporary = inside and name.startswith(("tmp_", ".tmp-"))
            if temporary or name in ("index.lock", "gc.pid", "gc.pid.lock", "packed-refs.lock"):
                _discard(os.path.join(place, name))


def _discard(path: str) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    except OSError:
        return  # another process was quicker, or it is not ours to delete


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _age(path: str, now: float) -> float:
    try:
        return now - os.lstat(path).st_mtime
    except OSError:
        return 0.0
