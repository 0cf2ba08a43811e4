import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.project.boundary import absolute, external_pattern, inside, inside_pattern, relative


@pytest.mark.parametrize(
    ("path", "directory", "worktree", "expected"),
    [
        ("/w/p", "/w/p", "/w", True),
        ("/w/p/a.txt", "/w/p", "/w", True),
        ("/w/other.txt", "/w/p", "/w", True),
        ("/w", "/w/p", "/w", True),
        ("/wide", "/w", "/w", False),
        ("/etc/hosts", "/w/p", "/w", False),
        ("/w/p/../../etc/hosts", "/w/p", "/w", False),
        ("/w/p/..hidden", "/w/p", "/w/p", True),
    ],
)
def test_a_path_is_inside_when_it_is_or_lies_under_directory_or_worktree(
    path: str, directory: str, worktree: str, expected: bool
) -> None:
    assert inside(path, directory, worktree) is expected


def test_the_root_as_worktree_means_no_version_control() -> None:
    assert inside("/etc/hosts", "/w/p", "/") is False
    assert inside("/w/p/x", "/w/p", "/") is True


def test_everything_is_inside_when_the_directory_is_the_root() -> None:
    assert inside("/etc/hosts", "/", "/") is True


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("/etc/hosts", "file", "/etc/*"),
        ("/etc", "directory", "/etc/*"),
        ("/hosts", "file", "/*"),
        ("/", "directory", "/*"),
    ],
)
def test_the_external_pattern_is_everything_in_the_folder(
    path: str, kind: str, expected: str
) -> None:
    assert external_pattern(path, kind) == expected  # type: ignore[arg-type]


def test_relative_paths_reach_out_of_the_worktree_with_dots() -> None:
    assert relative("/w/src/a.py", "/w") == "src/a.py"
    assert relative("/w", "/w") == ""
    assert relative("/etc/hosts", "/w/p") == "../../etc/hosts"
    assert relative("/tmp/x", "/") == "tmp/x"


def test_absolute_takes_dots_and_extra_slashes_out() -> None:
    assert absolute("a/../b//c/", "/w") == "/w/b/c"
    assert absolute("//etc/hosts", "/w") == "/etc/hosts"
    assert absolute("", "/w") == "/w"
    assert absolute("../..", "/w") == "/"


@given(st.lists(st.sampled_from(["a", "b", "..", ".", "", "..x"]), max_size=8))
def test_a_path_is_inside_its_own_folder(parts: list[str]) -> None:
    path = absolute("/".join(parts), "/w")
    assert path == os.path.normpath(path)
    assert inside(path, os.path.dirname(path), "/")
    assert inside_pattern(path).endswith("/*")
