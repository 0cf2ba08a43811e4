"""Snapshots: the files of a checkout at moments in time, in a git repository of Ostler's own.

The repository lies in the data folder, one for each checkout; the project's own git directory is
never written. It borrows the project's objects and starts from a copy of its index, so that the
first snapshot of a large project reads no more files than have changed since the last commit.
"""

import asyncio
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ostler.project import snapshot_lock, snapshot_size
from ostler.project.checkout import Checkout
from ostler.project.identity import Identity
from ostler.project.patch import make_patch
from ostler.project.snapshot_record import NoRoom, Recorded, record, too_large
from ostler.schema.errors import DomainError
from ostler.schema.session import SnapshotFileDiff

if TYPE_CHECKING:
    import pygit2

MAX_PATCHES = 10 * 1024 * 1024
"""Bytes of patch text in one diff; files beyond come with their counts alone."""
SAY_USED = 3_600.0
"""How often a repository is marked as used, in seconds."""

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


class GitSnapshots:
    """Snapshots of one checkout. Its work is done in threads, one piece at a time."""

    def __init__(
        self, checkout: Checkout, folder: str, limit: int | None = snapshot_size.LIMIT
    ) -> None:
        self._checkout, self._folder, self._limit = checkout, folder, limit
        self._busy = asyncio.Lock()
        self._repository: pygit2.Repository | None = None
        self._size: int | None = None
        self._paused_until = 0.0
        self._said_used = -SAY_USED

    async def track(self) -> str | None:
        """The hash of the files as they are now; None when they cannot be recorded, which is
        logged and never stops a turn."""
        if time.monotonic() < self._paused_until:
            return None
        try:
            return await self._work(self._record)
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
        await self._work(lambda r: self._restore(r, snapshot))

    async def restore_files(self, files: Mapping[str, str]) -> None:
        """Bring each file (absolute path) back to its state in a snapshot; one that was not there
        is deleted. Raises SnapshotFailed."""
        if files:
            await self._work(lambda r: self._restore_files(r, files))

    async def _work(self, job: Callable[["pygit2.Repository"], T]) -> T:
        async with self._busy:
            return await asyncio.to_thread(self._locked, job)

    def _locked(self, job: Callable[["pygit2.Repository"], T]) -> T:
        import pygit2  # slow to load: not before the first snapshot

        try:
            with snapshot_lock.held(self._folder):
                if self._repository is None or not os.path.isdir(self._folder):
                    self._repository = _open(self._checkout, self._folder)
                return job(self._repository)
        except (pygit2.GitError, OSError, KeyError, ValueError) as e:
            raise SnapshotFailed(f"{type(e).__name__}: {e}") from e

    def _record(self, repository: "pygit2.Repository") -> str:
        if self._size is None:
            self._size = snapshot_size.noted(self._folder)[0]
        try:
            recorded = self._recorded(repository)
        except NoRoom as e:
            # What was counted is files as they are: on disk they are compressed, and each but once.
            self._size = snapshot_size.measured(self._folder)
            self._repository = None  # the index in memory is half of one
            if self._limit is not None and self._size + e.added > self._limit:
                raise self._full() from None
            try:
                repository = self._repository = _open(self._checkout, self._folder)
                recorded = self._recorded(repository)
            except NoRoom:
                self._repository = None
                raise self._full() from None
        self._size += recorded.added
        if time.monotonic() > self._said_used + SAY_USED:
            self._said_used = time.monotonic()
            snapshot_size.say_used(self._folder)
        return recorded.snapshot

    def _recorded(self, repository: "pygit2.Repository") -> Recorded:
        room = None if self._limit is None else max(0, self._limit - (self._size or 0))
        return record(repository, self._checkout.worktree, room)

    def _full(self) -> SnapshotFailed:
        """None is taken for a while, and the repository is due for cleaning up."""
        self._paused_until = time.monotonic() + snapshot_size.PAUSE
        snapshot_size.note(self._folder, self._size or 0, cleaned=False)
        size, self._size, most = self._size or 0, None, self._limit or 0
        return SnapshotFailed(
            f"the snapshots in {self._folder} take {size / 2**20:.0f} MB, and what has changed "
            f"does not fit into the {most / 2**20:.0f} MB there may be (disk.snapshots in "
            "opencode.json). None is taken until old ones are pruned, so that changes cannot be "
            "taken back. Files that are made anew all the time belong into .gitignore"
        )

    def _restore(self, repository: "pygit2.Repository", snapshot: str) -> None:
        """Files that are too large to be recorded are not touched: what there is of them in a
        snapshot is old."""
        large = too_large(repository, self._checkout.worktree)
        if not large:
            _check_out(repository, snapshot)
            return
        names = {*_names(repository, snapshot), *(entry.path for entry in repository.index)}
        if left := sorted(names - large):
            _check_out(repository, snapshot, left)

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


def open_snapshots(
    identity: Identity, data: str, enabled: bool, limit: int | None = snapshot_size.LIMIT
) -> GitSnapshots | NoSnapshots:
    """The snapshots of a directory's checkout; ``data`` is Ostler's data folder; ``limit`` in
    bytes, None for none."""
    if identity.checkout is None or not enabled:
        return NoSnapshots()
    place = hashlib.sha1(identity.worktree.encode(), usedforsecurity=False).hexdigest()
    folder = os.path.join(data, "snapshot", identity.project_id, place)
    return GitSnapshots(identity.checkout, folder, limit)


# ── the repository ────────────────────────────────────────────────────────────────────────────


def _open(checkout: Checkout, folder: str) -> "pygit2.Repository":
    import pygit2

    if not os.path.exists(os.path.join(folder, "HEAD")):
        _create(checkout, folder)
    _copy_exclude(checkout, folder)
    with suppress(FileNotFoundError):  # left by one that was killed: the lock is held
        os.unlink(os.path.join(folder, "index.lock"))
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


def _names(repository: "pygit2.Repository", snapshot: str) -> Iterator[str]:
    import pygit2

    index = pygit2.Index()
    index.read_tree(_tree(repository, snapshot))
    return (entry.path for entry in index)


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
