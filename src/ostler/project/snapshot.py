"""Snapshots: the files of a checkout at moments in time, in a git repository of Ostler's own.

The repository lies in the data folder, one for each checkout; the project's own git directory is
never written. It borrows the project's objects and starts from a copy of its index, so that the
first snapshot of a large project reads no more files than have changed since the last commit.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ostler.project import git
from ostler.project.checkout import Checkout
from ostler.project.identity import Identity
from ostler.project.patch import make_patch
from ostler.schema.errors import DomainError
from ostler.schema.session import SnapshotFileDiff

if TYPE_CHECKING:
    import pygit2

MAX_FILE = 2 * 1024 * 1024
"""Bytes; a file above that is left out unless the project's own index has it (OpenCode 1.18)."""
MAX_PATCHES = 10 * 1024 * 1024
"""Bytes of patch text in one diff; files beyond come with their counts alone."""
KEEP = "7.days"
"""How long unreferenced snapshots are kept (OpenCode 1.18)."""
LOCK_DEADLINE = 10.0
"""Seconds to wait for another process that works on the same snapshots."""

log = logging.getLogger("ostler.snapshot")
T = TypeVar("T")


class SnapshotFailed(DomainError):
    """The files could not be brought back."""

    def __init__(self, message: str) -> None:
        super().__init__("SnapshotError", message)


class NoSnapshots:
    """Outside version control, or switched off."""

    async def track(self) -> str | None:
        return None

    async def changed(self, since: str, until: str | None = None) -> list[str]:
        return []

    async def diff(self, since: str, until: str | None = None) -> list[SnapshotFileDiff]:
        return []

    async def patch(self, since: str) -> str:
        return ""

    async def restore(self, snapshot: str) -> None:
        return None

    async def restore_files(self, files: Mapping[str, str]) -> None:
        return None

    async def collect(self) -> None:
        return None


class GitSnapshots:
    """Snapshots of one checkout. Its work is done in threads, one piece at a time."""

    def __init__(self, checkout: Checkout, folder: str) -> None:
        self._checkout, self._folder = checkout, folder
        self._busy = asyncio.Lock()
        self._repository: pygit2.Repository | None = None

    async def track(self) -> str | None:
        """The hash of the files as they are now; None when they cannot be recorded, which is
        logged and never stops a turn."""
        try:
            return await self._work(lambda r: _record(r, self._checkout.worktree))
        except SnapshotFailed as e:
            log.warning("no snapshot of %s: %s", self._checkout.worktree, e)
            return None

    async def changed(self, since: str, until: str | None = None) -> list[str]:
        """Absolute paths of the files that differ between two snapshots, or from the files as they
        are now. Raises SnapshotFailed."""
        until = until or await self.track()
        names = await self._work(lambda r: [name for name, *_ in _changes(r, since, until)])
        return [os.path.join(self._checkout.worktree, name) for name in names]

    async def diff(self, since: str, until: str | None = None) -> list[SnapshotFileDiff]:
        """The changes between two snapshots, by name. Raises SnapshotFailed."""
        until = until or await self.track()
        return await self._work(lambda r: list(_diffs(r, since, until)))

    async def patch(self, since: str) -> str:
        """What changed between a snapshot and now, in git's words and at most ``MAX_PATCHES``
        characters. Raises SnapshotFailed."""
        until = await self.track()
        return await self._work(lambda r: _git_patch(r, since, until))

    async def restore(self, snapshot: str) -> None:
        """Bring back every file of a snapshot; files made since stay. Raises SnapshotFailed."""
        await self._work(lambda r: _check_out(r, snapshot))

    async def restore_files(self, files: Mapping[str, str]) -> None:
        """Bring each file (absolute path) back to its state in a snapshot; one that was not there
        is deleted. Raises SnapshotFailed."""
        if files:
            await self._work(lambda r: self._restore_files(r, files))

    async def collect(self) -> None:
        """Delete what no recent snapshot needs. Does nothing before the first snapshot."""
        if os.path.isdir(self._folder):
            try:
                await git.git(self._folder, "gc", "--quiet", f"--prune={KEEP}", deadline=300.0)
            except git.GitError as e:
                log.warning("snapshots of %s not cleaned up: %s", self._checkout.worktree, e)

    async def _work(self, job: Callable[["pygit2.Repository"], T]) -> T:
        async with self._busy:
            return await asyncio.to_thread(self._locked, job)

    def _locked(self, job: Callable[["pygit2.Repository"], T]) -> T:
        import pygit2  # slow to load: not before the first snapshot

        try:
            with _lock(self._folder + ".lock"):
                if self._repository is None or not os.path.isdir(self._folder):
                    self._repository = _open(self._checkout, self._folder)
                return job(self._repository)
        except (pygit2.GitError, OSError, KeyError, ValueError) as e:
            raise SnapshotFailed(f"{type(e).__name__}: {e}") from e

    def _restore_files(self, repository: "pygit2.Repository", files: Mapping[str, str]) -> None:
        by_snapshot: dict[str, list[str]] = {}
        for path, snapshot in files.items():
            name = os.path.relpath(path, self._checkout.worktree)
            by_snapshot.setdefault(snapshot, []).append(name)
        for snapshot, names in by_snapshot.items():
            tree = _tree(repository, snapshot)
            present = [name for name in names if _has(tree, name)]
            if present:
                _check_out(repository, snapshot, present)
            for name in set(names).difference(present):
                _delete(os.path.join(self._checkout.worktree, name))


def open_snapshots(identity: Identity, data: str, enabled: bool) -> GitSnapshots | NoSnapshots:
    """The snapshots of a directory's checkout; ``data`` is Ostler's data folder."""
    if identity.checkout is None or not enabled:
        return NoSnapshots()
    place = hashlib.sha1(identity.worktree.encode(), usedforsecurity=False).hexdigest()
    folder = os.path.join(data, "snapshot", identity.project_id, place)
    return GitSnapshots(identity.checkout, folder)


# ── the repository ────────────────────────────────────────────────────────────────────────────


@contextmanager
def _lock(path: str) -> Iterator[None]:
    """Hold a lock between processes. Raises OSError at the deadline."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_DEADLINE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise OSError(f"{path} was locked for {LOCK_DEADLINE:g} s") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _open(checkout: Checkout, folder: str) -> "pygit2.Repository":
    import pygit2

    if not os.path.exists(os.path.join(folder, "HEAD")):
        _create(checkout, folder)
    _copy_exclude(checkout, folder)
    repository = pygit2.Repository(folder)
    try:
        if repository.index.conflicts is None:
            return repository
    except pygit2.GitError:
        pass  # an index of a kind libgit2 does not read: split, or of a sparse checkout
    # Then every file is read once.
    os.unlink(os.path.join(folder, "index"))
    return pygit2.Repository(folder)


def _create(checkout: Checkout, folder: str) -> None:
    """A repository with the project's worktree, made whole or not at all."""
    import pygit2

    temporary = f"{folder}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    made = pygit2.init_repository(temporary, bare=True)
    config = made.config
    config["core.bare"] = False
    config["core.worktree"] = checkout.worktree
    config["core.autocrlf"] = False
    config["core.longpaths"] = True
    config["core.symlinks"] = True
    config["core.fsmonitor"] = False
    objects = os.path.join(checkout.common_dir, "objects")
    if _is_sha1(checkout):
        with open(os.path.join(temporary, "objects", "info", "alternates"), "w") as file:
            file.write(objects + "\n")
        index = os.path.join(checkout.git_dir, "index")
        if os.path.exists(index):
            shutil.copy2(index, os.path.join(temporary, "index"))
    os.replace(temporary, folder)


def _is_sha1(checkout: Checkout) -> bool:
    """Whether the project's objects can be shared: libgit2 knows SHA-1 alone."""
    from ostler.project import gitconfig

    settings = gitconfig.read(os.path.join(checkout.common_dir, "config"))
    return settings.value("extensions.objectformat", "sha1") == "sha1"


def _copy_exclude(checkout: Checkout, folder: str) -> None:
    """The project's private ignore rules hold for its snapshots too."""
    target = os.path.join(folder, "info", "exclude")
    try:
        with open(os.path.join(checkout.common_dir, "info", "exclude"), "rb") as file:
            rules = file.read()
    except OSError:
        rules = b""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(rules)


# ── recording ─────────────────────────────────────────────────────────────────────────────────


def _record(repository: "pygit2.Repository", worktree: str) -> str:
    index = repository.index
    index.read(False)  # another process may have written it
    changed = _update(repository, worktree)
    snapshot = str(index.write_tree())
    if changed:
        index.write()
    return snapshot


def _update(repository: "pygit2.Repository", worktree: str) -> bool:
    """Bring the index up to date with the files; whether anything was different."""
    from pygit2.enums import DeltaStatus, DiffOption

    index = repository.index
    changed = False
    options = DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS
    for delta in index.diff_to_workdir(options | DiffOption.INCLUDE_TYPECHANGE).deltas:
        name = delta.new_file.path or delta.old_file.path
        if delta.status == DeltaStatus.DELETED:
            index.remove(name)
        elif not _add(index, worktree, name, delta.status == DeltaStatus.UNTRACKED):
            continue
        changed = True
    return changed


def _add(index: Any, worktree: str, name: str, untracked: bool) -> bool:
    """Whether the file is in the index now as it is on disk."""
    import pygit2

    if name.endswith("/"):
        return False  # another repository inside this one
    try:
        size = os.lstat(os.path.join(worktree, name)).st_size
        if untracked and size > MAX_FILE:
            return False
        index.add(name)
    except (OSError, pygit2.GitError) as e:
        log.debug("left out of the snapshot: %s: %s", name, e)  # gone meanwhile, or unreadable
        return False
    return True


# ── comparing ─────────────────────────────────────────────────────────────────────────────────

_Change = tuple[str, str, Any, Any]


def _changes(repository: "pygit2.Repository", since: str, until: str | None) -> Iterator[_Change]:
    """(name, status, old blob id, new blob id) of each file that differs, by name."""
    from pygit2.enums import DeltaStatus

    if until is None or since == until:
        return
    statuses = {DeltaStatus.ADDED: "added", DeltaStatus.DELETED: "deleted"}
    diff = _tree(repository, since).diff_to_tree(_tree(repository, until))
    for delta in diff.deltas:
        name = delta.new_file.path or delta.old_file.path
        yield (
            name,
            statuses.get(delta.status, "modified"),
            None if delta.status == DeltaStatus.ADDED else delta.old_file.id,
            None if delta.status == DeltaStatus.DELETED else delta.new_file.id,
        )


def _diffs(
    repository: "pygit2.Repository", since: str, until: str | None
) -> Iterator[SnapshotFileDiff]:
    room = MAX_PATCHES
    for name, status, old, new in _changes(repository, since, until):
        patch = make_patch(name, _content(repository, old), _content(repository, new))
        room -= len(patch.text)
        yield SnapshotFileDiff(
            file=name,
            patch=patch.text if room >= 0 else "",
            additions=patch.additions,
            deletions=patch.deletions,
            status=status,
        )


def _git_patch(repository: "pygit2.Repository", since: str, until: str | None) -> str:
    if until is None or since == until:
        return ""
    text = _tree(repository, since).diff_to_tree(_tree(repository, until)).patch or ""
    return str(text)[:MAX_PATCHES].rstrip("\n")


def _content(repository: "pygit2.Repository", blob_id: Any) -> bytes:
    if blob_id is None or blob_id not in repository:
        return b""
    data: bytes = getattr(repository[blob_id], "data", b"")
    return data


# ── bringing back ─────────────────────────────────────────────────────────────────────────────


def _tree(repository: "pygit2.Repository", snapshot: str) -> Any:
    """Raises KeyError for a snapshot that is gone."""
    return repository[snapshot]


def _has(tree: Any, name: str) -> bool:
    try:
        return tree[name] is not None
    except KeyError:
        return False


def _check_out(
    repository: "pygit2.Repository", snapshot: str, names: Sequence[str] | None = None
) -> None:
    from pygit2.enums import CheckoutStrategy

    repository.checkout_tree(  # type: ignore[no-untyped-call]
        _tree(repository, snapshot),
        strategy=CheckoutStrategy.FORCE | CheckoutStrategy.DISABLE_PATHSPEC_MATCH,
        paths=None if names is None else list(names),
    )


def _delete(path: str) -> None:
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return
