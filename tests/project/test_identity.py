"""Which project a directory belongs to."""

import os
from hashlib import sha1
from pathlib import Path

from ostler.project.identity import identify
from tests.support.repository import git, make_repository


def test_outside_version_control(tmp_path: Path) -> None:
    found = identify(str(tmp_path))
    assert (found.project_id, found.worktree, found.checkout) == ("global", "/", None)


def test_the_origin_remote_names_it_in_every_clone(tmp_path: Path) -> None:
    expected = sha1(b"git-remote:example.com/owner/name").hexdigest()
    for number, url in enumerate(
        ["https://example.com/owner/name.git", "git@Example.com:owner/name"]
    ):
        root = make_repository(tmp_path / str(number), {"a.txt": "a\n"})
        git(root, "remote", "add", "origin", url)
        assert identify(str(root)).project_id == expected
        assert (root / ".git/opencode").read_text() == expected


def test_without_a_remote_the_first_commit_names_it(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "a", {"folder/a.txt": "a\n"})
    first = git(root, "rev-parse", "HEAD").strip()
    found = identify(str(root / "folder"))
    assert (found.project_id, found.worktree) == (first, str(root))
    git(root, "commit", "-q", "--amend", "-m", "Another first commit")
    assert identify(str(root)).project_id == first  # it is kept


def test_without_commits(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "a", {})
    found = identify(str(root))
    assert (found.project_id, found.worktree) == ("global", str(root))
    assert not (root / ".git/opencode").exists()


def test_a_linked_worktree_is_the_same_project(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "a", {"a.txt": "a\n"})
    git(root, "worktree", "add", "-q", str(tmp_path / "b"))
    found = identify(str(tmp_path / "b"))
    assert found.project_id == identify(str(root)).project_id
    assert found.worktree == str(tmp_path / "b")


def test_a_symbolic_link_leads_to_the_checkout(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "a", {"a.txt": "a\n"})
    os.symlink(root, tmp_path / "link")
    assert identify(str(tmp_path / "link")).worktree == str(root)


def test_a_repository_that_cannot_be_written(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "a", {"a.txt": "a\n"})
    (root / ".git/opencode").mkdir()  # stands in the way of the file
    assert identify(str(root)).project_id == git(root, "rev-parse", "HEAD").strip()
