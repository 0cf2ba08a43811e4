"""Repositories of snapshots over time: what is pruned and when, what is removed, how much they may
take, and that a turn never waits for any of it."""

import asyncio
import logging
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from ostler.project import snapshot_lock, snapshot_upkeep
from ostler.project.snapshot import GitSnapshots, SnapshotFailed
from ostler.project.snapshot_record import MAX_FILE, MAX_KNOWN
from ostler.project.snapshot_size import measured, noted
from ostler.project.snapshot_upkeep import collect, keep_small, repositories
from tests.project.test_snapshot import snapshots_of
from tests.support.repository import make_repository

DAY = 86_400.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"a.txt": "one\n", "folder/b.txt": "b\n"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def folder_of(data: Path) -> str:
    (found,) = repositories(str(data))
    return found.folder


def age(data: Path, days: float, pattern: str = "objects/*/*") -> None:
    then = time.time() - days * DAY
    for path in data.rglob(pattern):
        os.utime(path, (then, then))


def limited(root: Path, data: Path, limit: int) -> GitSnapshots:
    from ostler.project.identity import identify
    from ostler.project.snapshot import open_snapshots

    found = open_snapshots(identify(str(root)), str(data), enabled=True, limit=limit)
    assert isinstance(found, GitSnapshots)
    return found


# ── what is pruned ────────────────────────────────────────────────────────────────────────────


async def test_recent_snapshots_are_kept(root: Path, data: Path) -> None:
    assert not await collect(str(data / "nothing"))
    snapshots = snapshots_of(root, data)
    before = await snapshots.track()
    assert before
    (root / "a.txt").write_text("changed\n")
    await snapshots.track()
    assert await collect(folder_of(data))
    await snapshots.restore(before)
    assert (root / "a.txt").read_text() == "one\n"


async def test_what_is_older_than_a_week_goes(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    (root / "a.txt").write_text("first\n")
    old = await snapshots.track()
    (root / "a.txt").write_text("second\n")
    current = await snapshots.track()
    assert old
    assert current
    age(data, 8)
    await collect(folder_of(data))
    with pytest.raises(SnapshotFailed):
        await snapshots.restore(old)
    (root / "a.txt").write_text("third\n")
    await snapshots.restore(current)
    assert (root / "a.txt").read_text() == "second\n"


@pytest.mark.parametrize("packed", [False, True])
async def test_an_old_state_that_was_recorded_again_is_kept(
    root: Path, data: Path, packed: bool
) -> None:
    """A session of today that found the files as they had been for weeks."""
    snapshots = snapshots_of(root, data)
    (root / "a.txt").write_text("for weeks\n")
    first = await snapshots.track()
    if packed:
        await collect(folder_of(data))
    age(data, 20)
    today = await snapshots_of(root, data).track()
    assert today == first
    assert today
    (root / "a.txt").write_text("changed\n")
    await snapshots.track()
    await collect(folder_of(data))
    await snapshots.restore(today)
    assert (root / "a.txt").read_text() == "for weeks\n"


async def test_each_is_cleaned_once_a_day_all_of_the_data_folder(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = [make_repository(tmp_path / name, {"a.txt": name}) for name in ("one", "two")]
    for root in roots:
        await snapshots_of(root, data).track()
    await keep_small(str(data), None)
    folders = [r.folder for r in repositories(str(data))]
    assert [noted(folder)[0] > 0 for folder in folders] == [True, True]
    cleaned: list[str] = []

    async def seen(folder: str, limit: int | None = None) -> bool:
        cleaned.append(folder)
        return True

    monkeypatch.setattr(snapshot_upkeep, "collect", seen)
    await keep_small(str(data), None)
    assert cleaned == []
    age(data, 1.1, "ostler-size")
    await keep_small(str(data), None)
    assert sorted(cleaned) == sorted(folders)
    await keep_small(str(data), 1)  # more than there may be: each time
    assert len(cleaned) == 4


# ── what is removed ───────────────────────────────────────────────────────────────────────────


async def test_a_repository_whose_checkout_is_gone_goes_after_a_week(
    tmp_path: Path, data: Path
) -> None:
    for name in ("stays", "goes", "gone"):
        await snapshots_of(make_repository(tmp_path / name, {"a.txt": name}), data).track()
    for name in ("goes", "gone"):
        shutil.rmtree(tmp_path / name)
    by_name = {Path(r.worktree).name: r for r in repositories(str(data))}
    assert [by_name[n].is_gone for n in ("stays", "goes", "gone")] == [False, True, True]
    for name, days in (("stays", 20), ("goes", 8), ("gone", 6)):
        for file in ("HEAD", "index"):
            then = time.time() - days * DAY
            os.utime(Path(by_name[name].folder) / file, (then, then))
    await keep_small(str(data), None)
    assert {Path(r.worktree).name for r in repositories(str(data))} == {"stays", "gone"}
    assert not Path(by_name["goes"].folder).parent.exists()
    for file in ("HEAD", "index"):
        then = time.time() - 31 * DAY
        os.utime(Path(by_name["stays"].folder) / file, (then, then))
    await keep_small(str(data), None)
    assert {Path(r.worktree).name for r in repositories(str(data))} == {"gone"}


async def test_one_that_is_in_use_is_not_removed(root: Path, data: Path) -> None:
    await snapshots_of(root, data).track()
    folder = folder_of(data)
    with snapshot_lock.held(folder):
        assert not snapshot_upkeep.remove(folder)
        assert not await collect(folder)
    assert os.path.isdir(folder)


async def test_what_was_left_behind_goes(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    await snapshots.track()
    folder = Path(folder_of(data))
    pack = folder / "objects/pack"
    left = [
        *(pack / "tmp_pack_x1", pack / ".tmp-7-pack-1.pack", folder / "objects/tmp_object_1"),
        *(folder / "index.lock", folder / "gc.pid", folder.with_name(f"{folder.name}.123")),
        *(folder.with_name(f"{folder.name}.gone"), folder.with_name("0" * 40 + ".lock")),
    ]
    for path in left[:5]:
        path.write_bytes(b"x" * 1000)
    left[5].mkdir()
    left[6].mkdir()
    left[7].touch()
    (root / "a.txt").write_text("cannot be recorded while the index is locked\n")
    assert await snapshots.track() is None
    then = time.time() - 2 * 3_600
    for path in left[5:]:
        os.utime(path, (then, then))
    await keep_small(str(data), None)
    assert [path for path in left if path.exists()] == []
    assert await snapshots.track()


# ── a turn comes first ────────────────────────────────────────────────────────────────────────


def slow_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git that writes a large temporary file and goes on for ever; where it says it began."""
    began = tmp_path / "began"
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "git"
    program.write_text(
        "#!/bin/sh\nhead -c 100000 /dev/zero > objects/pack/tmp_pack_slow\n"
        f"touch {began}\nexec sleep 600\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return began


async def test_cleaning_up_ends_when_a_snapshot_is_wanted(
    root: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = snapshots_of(root, data)
    first = await snapshots.track()
    began = slow_git(tmp_path, monkeypatch)
    folder = folder_of(data)
    cleaning = asyncio.create_task(collect(folder))
    while not began.exists():
        await asyncio.sleep(0.01)
    assert (Path(folder) / "objects/pack/tmp_pack_slow").exists()
    asked = time.monotonic()
    assert await snapshots.track() == first
    assert time.monotonic() - asked < snapshot_lock.DEADLINE / 2
    assert await cleaning is False
    assert not (Path(folder) / "objects/pack/tmp_pack_slow").exists()
    assert not snapshot_lock.is_wanted(folder)


async def test_cleaning_up_has_a_deadline(
    root: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await snapshots_of(root, data).track()
    began = slow_git(tmp_path, monkeypatch)
    monkeypatch.setattr(snapshot_upkeep, "DEADLINE", 0.2)
    assert not await collect(folder_of(data))
    assert began.exists()
    assert "not cleaned up" in caplog.text
    assert "was ended after 0.2 s" in caplog.text
    assert not list(data.rglob("tmp_pack*"))


def test_who_was_killed_while_it_waited_is_not_waited_for(tmp_path: Path) -> None:
    folder = str(tmp_path / "repository")
    with snapshot_lock.held(folder):
        waiting = threading.Thread(target=lambda: snapshot_lock.held(folder).__enter__())
        waiting.daemon = True
        waiting.start()
        while not snapshot_lock.is_wanted(folder):
            time.sleep(0.001)
        then = time.time() - snapshot_lock.DEADLINE
        os.utime(f"{folder}.wanted", (then, then))
        assert not snapshot_lock.is_wanted(folder)
    waiting.join()


# ── how much there may be ─────────────────────────────────────────────────────────────────────


async def test_a_file_that_has_grown_large_is_not_recorded_again(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    (root / "dev.db").write_bytes(b"small")
    before = await snapshots.track()
    size = measured(folder_of(data))
    for number in range(3):
        with (root / "dev.db").open("wb") as file:
            file.truncate(MAX_KNOWN + 1 + number)
        (root / "a.txt").write_text(f"{number}\n")
        assert await snapshots.track()
    assert before
    assert await snapshots.changed(before) == [str(root / "a.txt")]
    await snapshots.restore(before)
    assert (root / "a.txt").read_text() == "one\n"
    assert (root / "dev.db").stat().st_size == MAX_KNOWN + 3  # its content is nowhere else
    assert measured(folder_of(data)) - size < 200_000


async def test_a_file_between_the_limits_is_recorded_once_it_is_known(
    root: Path, data: Path
) -> None:
    (root / "known").write_bytes(b"x" * 100)
    (root / "new").write_bytes(b"x" * (MAX_FILE + 1))
    snapshots = snapshots_of(root, data)
    before = await snapshots.track()
    assert before
    (root / "known").write_bytes(b"y" * (MAX_FILE + 1))
    assert await snapshots.changed(before) == [str(root / "known")]
    await snapshots.restore(before)
    assert (root / "known").read_bytes() == b"x" * 100


async def test_no_snapshot_is_taken_beyond_the_limit(
    root: Path, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limit = 1_000_000
    snapshots = limited(root, data, limit)
    before = await snapshots.track()
    assert before
    for number in range(3):
        (root / f"{number}.bin").write_bytes(os.urandom(400_000))
        found = await snapshots.track()
        assert (found is None) == (number == 2)
    assert f"{folder_of(data)} take 1 MB" in caplog.text
    assert "disk.snapshots" in caplog.text
    assert len(caplog.records) == 1
    assert await snapshots.track() is None
    assert len(caplog.records) == 1  # said once
    assert measured(folder_of(data)) < limit * 1.5
    await snapshots.restore(before)  # what was recorded can be brought back still
    assert (root / "a.txt").read_text() == "one\n"


async def test_much_that_is_small_once_compressed_fits(root: Path, data: Path) -> None:
    snapshots = limited(root, data, 1_000_000)
    for number in range(8):
        (root / "zeros").write_bytes(bytes([number]) * 400_000)
        assert await snapshots.track()
    assert measured(folder_of(data)) < 500_000


async def test_with_too_much_the_younger_go_too(
    root: Path, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    limit = 1_300_000
    snapshots = limited(root, data, limit)
    for _ in range(3):
        (root / "random").write_bytes(os.urandom(400_000))
        old = await snapshots.track()
    assert old
    (root / "random").write_bytes(os.urandom(400_000))
    assert await snapshots.track() is None
    age(data, 2)
    await keep_small(str(data), limit)
    assert "what is older than 1 day is deleted" in caplog.text
    assert measured(folder_of(data)) < limit * 0.9
    again = limited(root, data, limit)
    assert await again.track()
