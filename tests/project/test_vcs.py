"""The project's own repository: branch, status, diff, apply."""

from pathlib import Path

import pytest

from ostler.project import vcs
from ostler.project.checkout import Checkout, find_checkout
from tests.support.repository import commit, git, make_repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_repository(tmp_path / "a", {"a.txt": "one\n", "b.txt": "b\n", ".gitignore": "*.o"})
    (root / "a.txt").write_text("one\ntwo\n")
    (root / "b.txt").unlink()
    (root / "new.txt").write_text("n\n")
    (root / "x.o").write_text("ignored")
    return root


def checkout(root: Path) -> Checkout:
    found = find_checkout(str(root))
    assert found is not None
    return found


async def test_branches(root: Path) -> None:
    assert await vcs.info(checkout(root)) == vcs.VcsInfo(branch="main", default_branch="main")
    git(root, "checkout", "-q", "-b", "topic")
    assert (await vcs.info(checkout(root))).branch == "topic"
    git(root, "checkout", "-q", "--detach")
    assert (await vcs.info(checkout(root))).branch is None
    assert await vcs.info(None) == vcs.VcsInfo()


async def test_status(root: Path) -> None:
    found = [(f.file, f.status, f.additions, f.deletions) for f in await vcs.status(checkout(root))]
    assert found == [
        ("a.txt", "modified", 1, 0),
        ("b.txt", "deleted", 0, 1),
        ("new.txt", "added", 1, 0),
    ]


async def test_diff(root: Path) -> None:
    patches = {d.file: d.patch or "" for d in await vcs.diff(checkout(root))}
    assert patches["a.txt"].startswith("diff --git a/a.txt b/a.txt\n")
    assert patches["a.txt"].endswith("@@ -1 +1,2 @@\n one\n+two\n")
    assert "new file mode 100644" in patches["new.txt"]
    assert await vcs.diff(None) == []
    assert await vcs.diff(checkout(root), "branch") == []


async def test_diff_from_where_the_branch_began(root: Path) -> None:
    git(root, "stash", "-q", "-u")
    git(root, "checkout", "-q", "-b", "topic")
    commit(root, {"topic.txt": "t\n"})
    git(root, "checkout", "-q", "main")
    commit(root, {"main.txt": "m\n"})
    git(root, "checkout", "-q", "topic")
    assert [d.file for d in await vcs.diff(checkout(root), "branch")] == ["topic.txt"]


async def test_a_repository_without_commits(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "empty", {})
    (root / "a.txt").write_text("x\n")
    assert [f.file for f in await vcs.status(checkout(root))] == ["a.txt"]


async def test_what_the_diff_says_can_be_applied(root: Path) -> None:
    patch = await vcs.raw_diff(checkout(root))
    git(root, "stash", "-q", "-u")
    await vcs.apply(checkout(root), patch)
    assert (root / "a.txt").read_text() == "one\ntwo\n"
    assert not (root / "b.txt").exists()
    assert (root / "new.txt").read_text() == "n\n"


async def test_a_patch_that_does_not_fit_changes_nothing(root: Path) -> None:
    patch = await vcs.raw_diff(checkout(root))
    git(root, "stash", "-q", "-u")
    (root / "a.txt").write_text("quite different\n")
    with pytest.raises(vcs.ApplyFailed) as refused:
        await vcs.apply(checkout(root), patch)
    assert refused.value.data == {"reason": "not-clean"}
    assert (root / "b.txt").exists()
    assert not (root / "new.txt").exists()
    with pytest.raises(vcs.ApplyFailed, match="Not a git repository"):
        await vcs.apply(None, patch)


async def test_a_large_diff_keeps_its_headers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vcs, "MAX_PATCHES", 10)
    for change in await vcs.diff(checkout(root)):
        assert change.patch
        assert change.patch.startswith("diff --git")
        assert "@@" not in change.patch
        assert change.additions + change.deletions == 1
