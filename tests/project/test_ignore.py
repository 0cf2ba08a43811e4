import os
import subprocess
from pathlib import Path

import pytest

from ostler.project.globs import BadGlob
from ostler.project.ignore import Overrides, walk
from tests.support.trees import make_tree


def files(root: Path, *globs: str, hidden: bool = False) -> list[str]:
    overrides = Overrides([*globs, "!**/.git/**"])
    return sorted(os.fsdecode(path) for path in walk(os.fsencode(root), overrides, hidden))


@pytest.fixture(autouse=True)
def _no_user_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def test_git_ignore_files_count_only_in_a_repository(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "w", {".gitignore": "*.log", "a.log": "", "b": ""})
    assert files(root) == ["a.log", "b"]
    (root / ".git").mkdir()
    assert files(root) == ["b"]


def test_ignore_files_count_everywhere_and_beat_git_ignore(tmp_path: Path) -> None:
    root = make_tree(
        tmp_path / "w",
        {".git/config": "", ".gitignore": "*.log", ".ignore": "!keep.log\nx", "keep.log": "",
         "other.log": "", "x": "", ".rgignore": "!x"},
    )  # fmt: skip
    assert files(root) == ["keep.log", "x"]


def test_rules_of_folders_above_hold_down_to_the_repositorys_root(tmp_path: Path) -> None:
    make_tree(
        tmp_path,
        {".gitignore": "outer", ".ignore": "everywhere", "w/.git/config": "", "w/.gitignore":
         "/sub/a\nb", "w/sub/a": "", "w/sub/b": "", "w/sub/c": "", "w/sub/outer": "",
         "w/sub/everywhere": ""},
    )  # fmt: skip
    assert files(tmp_path / "w" / "sub") == ["c", "outer"]


def test_a_nearer_file_wins_and_a_bang_brings_back(tmp_path: Path) -> None:
    root = make_tree(
        tmp_path / "w",
        {".git/config": "", ".gitignore": "*.log", "d/.gitignore": "!a.log", "d/a.log": "",
         "d/b.log": ""},
    )  # fmt: skip
    assert files(root) == ["d/a.log"]


def test_a_folders_rule_with_a_slash_spares_files_of_that_name(tmp_path: Path) -> None:
    root = make_tree(
        tmp_path / "w", {".ignore": "build/", "build/x": "", "d/build": "", "# no": "", "\\": ""}
    )
    assert files(root) == ["# no", "\\", "d/build"]


def test_git_exclude_and_the_users_list_count(tmp_path: Path) -> None:
    make_tree(tmp_path / "home", {".config/git/ignore": "mine"})
    root = make_tree(
        tmp_path / "w", {".git/info/exclude": "secret", "secret": "", "mine": "", "x": ""}
    )
    assert files(root) == ["x"]


def test_the_users_list_may_be_named_in_git_config(tmp_path: Path) -> None:
    make_tree(tmp_path / "home", {".gitconfig": "[core]\n excludesFile = ~/list", "list": "mine"})
    root = make_tree(tmp_path / "w", {".git/config": "", "mine": "", "x": ""})
    assert files(root) == ["x"]


def test_a_linked_worktree_finds_its_repositorys_exclude_file(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "main", {"secret": "", "x": ""})
    git = ["git", "-C", str(root), "-c", "user.name=n", "-c", "user.email=e@e"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "m"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(tmp_path / "linked")], check=True)
    (root / ".git" / "info" / "exclude").write_text("secret\n")
    assert files(tmp_path / "linked") == ["x"]


def test_dot_files_are_left_out_unless_asked_for_or_named(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "w", {".a": "", ".d/x": "", "b": "", ".git/config": ""})
    assert files(root) == ["b"]
    assert files(root, hidden=True) == [".a", ".d/x", "b"]
    assert files(root, ".a") == [".a"]
    assert files(root, "x") == []
    assert files(root, "**/.d/**", ".d") == [".d/x"]


def test_a_glob_beats_the_ignore_files(tmp_path: Path) -> None:
    root = make_tree(
        tmp_path / "w", {".ignore": "*.log\nnode", "a.log": "", "node/b.log": "", "c": ""}
    )
    assert files(root, "*.log") == ["a.log"]
    assert files(root, "*") == [".ignore", "a.log", "c", "node/b.log"]
    assert files(root, "!c") == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "w", {"d/x": ""})
    (root / "link").symlink_to(root / "d")
    (root / "file").symlink_to(root / "d" / "x")
    assert files(root) == ["d/x"]


def test_names_that_are_not_text_are_found(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "w", {os.fsdecode(b"caf\xe9"): "", "x": ""})
    assert files(root) == [os.fsdecode(b"caf\xe9"), "x"]


def test_a_rule_that_cannot_be_read_is_left_out_of_a_file_but_refused_as_a_flag(
    tmp_path: Path,
) -> None:
    root = make_tree(tmp_path / "w", {".ignore": "{x\nb", "a": "", "b": ""})
    assert files(root) == ["a"]
    with pytest.raises(BadGlob):
        Overrides(["{x"])
