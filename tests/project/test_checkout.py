"""Finding the checkout a directory lies in."""

from pathlib import Path

import pytest

from ostler.project.checkout import find_checkout
from tests.support.repository import git, make_repository


def test_from_any_folder_below(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "a", {"x/y/z.txt": "z\n"})
    found = find_checkout(str(root / "x/y/not-there"))
    assert found is not None
    assert (found.worktree, found.git_dir) == (str(root), str(root / ".git"))


def test_the_nearest_one(tmp_path: Path) -> None:
    make_repository(tmp_path / "a", {"x.txt": "x\n"})
    inner = make_repository(tmp_path / "a/inner", {"y.txt": "y\n"})
    found = find_checkout(str(inner))
    assert found is not None
    assert found.worktree == str(inner)


def test_a_submodule_has_its_own(tmp_path: Path) -> None:
    library = make_repository(tmp_path / "library", {"l.txt": "l\n"})
    root = make_repository(tmp_path / "a", {"x.txt": "x\n"})
    git(
        root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "sub"
    )
    found = find_checkout(str(root / "sub"))
    assert found is not None
    assert found.worktree == str(root / "sub")


@pytest.mark.parametrize("kind", ["bare", "broken", "empty file"])
def test_what_is_no_checkout(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "a"
    if kind == "bare":
        root.mkdir()
        git(root, "init", "-q", "--bare")
    elif kind == "broken":
        (root / ".git").mkdir(parents=True)
    else:
        root.mkdir()
        (root / ".git").write_text("")
    assert find_checkout(str(root)) is None
