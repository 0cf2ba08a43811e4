"""Recording the files of a checkout as they are: which are left out, and how much it may take."""

import logging
import os
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import pygit2

MAX_FILE = 2 * 1024 * 1024
"""Bytes; a file above that is left out unless the project's own index has it (OpenCode 1.18), or a
snapshot from when it was smaller."""
MAX_KNOWN = 32 * 1024 * 1024
"""Bytes; above that it stays in snapshots as it was recorded last: a database that grows, or what
git's extension for large files has put in place of a pointer, would be stored with each change."""

log = logging.getLogger("ostler.snapshot")


class NoRoom(Exception):
    """What has changed takes more than there may be. ``added``: bytes that were recorded of it."""

    def __init__(self, added: int) -> None:
        super().__init__(added)
        self.added = added


class Recorded(msgspec.Struct, frozen=True):
    """``added``: bytes of the files that were recorded for it, before they are compressed."""

    snapshot: str
    added: int


def record(repository: "pygit2.Repository", worktree: str, room: int | None) -> Recorded:
    """Raises NoRoom when more than ``room`` bytes are new; the repository's index is as it was
    then, on disk."""
    index = repository.index
    index.read(False)  # another process may have written it
    added = _update(repository, worktree, room)
    snapshot = index.write_tree()
    if added is None:
        _keep(repository, snapshot)
    else:
        index.write()
    return Recorded(str(snapshot), added or 0)


def too_large(repository: "pygit2.Repository", worktree: str) -> set[str]:
    """Names of files that are known and have grown too large to be recorded."""
    found = set()
    for delta in repository.index.diff_to_workdir().deltas:
        name = delta.new_file.path or delta.old_file.path
        try:
            if os.lstat(os.path.join(worktree, name)).st_size > MAX_KNOWN:
                found.add(name)
        except OSError:
            continue  # gone
    return found


def _keep(repository: "pygit2.Repository", snapshot: Any) -> None:
    """Make a snapshot that was there already count as made now: what is old and not in the index is
    deleted, with what it alone refers to."""
    kind, data = repository.read(snapshot)
    repository.write(kind, data)


def _update(repository: "pygit2.Repository", worktree: str, room: int | None) -> int | None:
    """Bring the index up to date with the files; how many bytes were read for that, None if nothing
    was different."""
    from pygit2.enums import DeltaStatus, DiffOption

    index = repository.index
    changed, added = False, 0
    options = DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS
    for delta in index.diff_to_workdir(options | DiffOption.INCLUDE_TYPECHANGE).deltas:
        name = delta.new_file.path or delta.old_file.path
        if delta.status == DeltaStatus.DELETED:
            index.remove(name)
        else:
            most = MAX_FILE if delta.status == DeltaStatus.UNTRACKED else MAX_KNOWN
            size = _add(index, worktree, name, most)
            if size is None:
                continue
            added += size
            if room is not None and added > room:
                raise NoRoom(added)
        changed = True
    return added if changed else None


def _add(index: Any, worktree: str, name: str, most: int) -> int | None:
    """The size of the file, which is in the index now as it is on disk; None if it is left out."""
    import pygit2

    if name.endswith("/"):
        return None  # another repository inside this one
    try:
        size = os.lstat(os.path.join(worktree, name)).st_size
        if size > most:
            return None
        index.add(name)
    except (OSError, pygit2.GitError) as e:
        log.debug("left out of the snapshot: %s: %s", name, e)  # gone meanwhile, or unreadable
        return None
    return size
