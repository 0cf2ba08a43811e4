"""Snapshots of real repositories: what they record, how they compare, what they bring back."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from ostler.project.identity import identify
from ostler.project.snapshot import GitSnapshots, SnapshotFailed, open_snapshots
from ostler.project.snapshot_record import MAX_FILE
from tests.support.repository import commit, git, make_repository


def snapshots_of(root: Path, data: Path) -> GitSnapshots:
    found = open_snapshots(identify(str(root)), str(data), enabled=True)
    assert isinstance(found, GitSnapshots)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"a.txt": "one\n", "folder/b.txt": "b\n"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_nothing_outside_version_control(tmp_path: Path, data: Path) -> None:
    nothing = open_snapshots(identify(str(tmp_path)), str(data), enabled=True)
    assert await nothing.track() is None
    assert await nothing.changed("x") == []
    assert not data.exists()


async def test_switched_off(root: Path, data: Path) -> None:
    assert await open_snapshots(identify(str(root)), str(data), enabled=False).track() is None


async def test_the_same_files_have_the_same_hash(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    first = await snapshots.track()
    assert first == await snapshots.track()
    assert first == await snapshots_of(root, data).track()


async def test_a_change_of_the_same_size_at_once_is_seen(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    hashes = []
    for text in ("aaa\n", "bbb\n", "ccc\n", "aaa\n"):
        (root / "a.txt").write_text(text)
        hashes.append(await snapshots.track())
    assert len(set(hashes)) == 3
    assert hashes[0] == hashes[3]


async def test_what_changed(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    before = await snapshots.track()
    assert before
    (root / "a.txt").write_text("one\ntwo")
    (root / "folder/b.txt").unlink()
    (root / "new é.txt").write_text("hi\n")
    assert set(await snapshots.changed(before)) == {
        str(root / "a.txt"),
        str(root / "folder/b.txt"),
        str(root / "new é.txt"),
    }
    after = await snapshots.track()
    diffs = {d.file: d for d in await snapshots.diff(before, after)}
    assert {name: (d.status, d.additions, d.deletions) for name, d in diffs.items()} == {
        "a.txt": ("modified", 1, 0),
        "folder/b.txt": ("deleted", 0, 1),
        "new é.txt": ("added", 1, 0),
    }
    assert diffs["a.txt"].patch == (
        f"Index: a.txt\n{'=' * 67}\n--- a.txt\t\n+++ a.txt\t\n"
        "@@ -1,1 +1,2 @@\n one\n+two\n\\ No newline at end of file\n"
    )


async def test_ignored_and_large_files_are_left_out(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    (root / ".gitignore").write_text("*.log\n")
    (root / ".git/info/exclude").write_text("private\n")
    before = await snapshots.track()
    assert before
    (root / "x.log").write_text("x")
    (root / "private").write_text("x")
    (root / "big").write_bytes(b"x" * (MAX_FILE + 1))
    assert await snapshots.changed(before) == []


async def test_a_binary_file_has_no_patch(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    before = await snapshots.track()
    assert before
    (root / "image.bin").write_bytes(b"\0\1\2")
    (diff,) = await snapshots.diff(before)
    assert (diff.file, diff.patch, diff.additions) == ("image.bin", "", 0)


async def test_restore_brings_back_and_leaves_new_files(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    script = root / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    os.symlink("a.txt", root / "link")
    before = await snapshots.track()
    assert before
    (root / "a.txt").write_text("other\n")
    script.unlink()
    (root / "link").unlink()
    (root / "new.txt").write_text("new\n")
    await snapshots.restore(before)
    assert (root / "a.txt").read_text() == "one\n"
    assert os.access(script, os.X_OK)
    assert os.readlink(root / "link") == "a.txt"
    assert (root / "new.txt").exists()


async def test_restore_files_takes_each_from_its_own_snapshot(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    first = await snapshots.track()
    (root / "a.txt").write_text("two\n")
    (root / "[x]*.txt").write_text("odd name\n")
    second = await snapshots.track()
    assert first
    assert second
    for name in ("a.txt", "folder/b.txt", "[x]*.txt", "made.txt"):
        (root / name).write_text("changed\n")
    states = {"a.txt": second, "folder/b.txt": first, "[x]*.txt": second, "made.txt": first}
    await snapshots.restore_files({str(root / name): hash_ for name, hash_ in states.items()})
    assert (root / "a.txt").read_text() == "two\n"
    assert (root / "folder/b.txt").read_text() == "b\n"
    assert (root / "[x]*.txt").read_text() == "odd name\n"
    assert not (root / "made.txt").exists()


async def test_an_unknown_snapshot_is_a_named_failure(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    (root / "a.txt").write_text("kept\n")
    with pytest.raises(SnapshotFailed):
        await snapshots.restore("0" * 40)
    assert (root / "a.txt").read_text() == "kept\n"


async def test_the_project_is_not_written(root: Path, data: Path) -> None:
    (root / "a.txt").write_text("changed\n")
    identify(str(root))  # keeps the project's id
    before = git(root, "status", "--porcelain")
    index = (root / ".git/index").read_bytes()
    snapshots = snapshots_of(root, data)
    assert await snapshots.track()
    assert (root / ".git/index").read_bytes() == index
    assert git(root, "status", "--porcelain") == before


async def test_an_index_in_conflict(root: Path, data: Path) -> None:
    git(root, "checkout", "-q", "-b", "other")
    commit(root, {"a.txt": "theirs\n"})
    git(root, "checkout", "-q", "main")
    commit(root, {"a.txt": "ours\n"})
    with pytest.raises(subprocess.CalledProcessError):
        git(root, "merge", "other")
    assert "<<<<<<<" in (root / "a.txt").read_text()
    snapshots = snapshots_of(root, data)
    before = await snapshots.track()
    assert before
    (root / "a.txt").write_text("resolved\n")
    assert await snapshots.changed(before) == [str(root / "a.txt")]


async def test_an_index_libgit2_cannot_read(root: Path, data: Path) -> None:
    git(root, "update-index", "--split-index")
    snapshots = snapshots_of(root, data)
    before = await snapshots.track()
    assert before
    (root / "a.txt").write_text("changed\n")
    assert await snapshots.changed(before) == [str(root / "a.txt")]


async def test_a_repository_without_commits(tmp_path: Path, data: Path) -> None:
    root = make_repository(tmp_path / "empty", {})
    snapshots = snapshots_of(root, data)
    before = await snapshots.track()
    assert before
    (root / "a.txt").write_text("x\n")
    assert [d.file for d in await snapshots.diff(before)] == ["a.txt"]


async def test_a_nested_repository_is_left_alone(root: Path, data: Path) -> None:
    snapshots = snapshots_of(root, data)
    before = await snapshots.track()
    assert before
    make_repository(root / "nested", {"x.txt": "x\n"})
    assert await snapshots.changed(before) == []


async def test_two_processes_share_a_checkout(root: Path, data: Path) -> None:
    both = [snapshots_of(root, data), snapshots_of(root, data)]
    for round_ in range(5):
        (root / "a.txt").write_text(f"{round_}\n")
        first, second = await asyncio.gather(*(s.track() for s in both))
        assert first == second
