"""How ``edit`` finds what was quoted, and the diffs it shows."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.tools.diff import file_diff
from ostler.tools.matching import NoMatch, levenshtein, replace

LINES = st.lists(st.text(alphabet="ab ", max_size=4), max_size=8).map("\n".join)
TEXT = st.text(alphabet="abc \n\t", max_size=30)


@pytest.mark.parametrize(
    ("content", "old", "expected"),
    [
        ("a\n  b  \nc\n", "b\nc", "a\nNEW\n"),  # white space at the ends of lines
        (
            "if x:\n    one()\n    two()\nend\n",
            "if x:\n    one()\n    tow()\nend",
            "NEW\n",
        ),  # anchors
        ("x  =   1\n", "x = 1", "NEW\n"),  # white space within
        ("    def f():\n        pass\n", "def f():\n    pass", "NEW\n"),  # indentation
        ('print("a\tb")\n', 'print("a\\tb")', "NEW\n"),  # escapes
        ("one\ntwo\n", "\n\none\ntwo\n\n", "NEW\n"),  # blank lines around
    ],
)
def test_what_was_not_quoted_exactly(content: str, old: str, expected: str) -> None:
    result = replace(content, old, "NEW")
    assert result.replace("    NEW", "NEW") == expected or result == expected


def test_ambiguous_and_absent() -> None:
    with pytest.raises(NoMatch, match="multiple matches"):
        replace("x\nx\n", "x", "y")
    with pytest.raises(NoMatch, match="Could not find"):
        replace("abc", "zzz", "y")


def test_a_match_much_larger_than_the_quote_is_refused() -> None:
    content = "start\n" + "\n".join(f"line {n}" for n in range(40)) + "\nend\n"
    with pytest.raises(NoMatch):
        replace(content, "start\nsomething\nend", "x")


@given(TEXT, st.text(alphabet="abc", min_size=1, max_size=6), TEXT, TEXT)
def test_a_unique_quote_is_replaced_once(before: str, old: str, after: str, new: str) -> None:
    content = before + old + after
    if content.count(old) == 1 and content.find(old) == content.rfind(old):
        assert replace(content, old, new) == before + new + after


@given(TEXT, st.text(alphabet="abc", min_size=1, max_size=3), st.text(alphabet="xyz", max_size=3))
def test_replacing_every_one_leaves_none(content: str, old: str, new: str) -> None:
    if old in content:
        result = replace(content, old, new, replace_all=True)
        assert result == content.replace(old, new)


@given(TEXT, TEXT)
def test_levenshtein_is_the_edit_distance(a: str, b: str) -> None:
    previous = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        current = [i]
        for j, y in enumerate(b, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (x != y)))
        previous = current
    assert levenshtein(a, b) == previous[-1]


def test_a_diff_as_jsdiff_writes_it() -> None:
    diff = file_diff("a.txt", "one\ntwo\n", "one\n2")
    assert diff.patch == (
        f"Index: a.txt\n{'=' * 67}\n--- a.txt\n+++ a.txt\n"
        "@@ -1,2 +1,2 @@\n one\n-two\n+2\n\\ No newline at end of file\n"
    )
    assert (diff.additions, diff.deletions) == (1, 1)


@given(LINES, LINES)
def test_a_diff_counts_what_it_shows(old: str, new: str) -> None:
    diff = file_diff("f", old, new)
    body = diff.patch.split("\n")[4:]
    assert diff.additions == sum(line.startswith("+") for line in body)
    assert diff.deletions == sum(line.startswith("-") for line in body)


def test_applying_a_diff_gives_the_new_text(tmp_path: Path) -> None:
    old = "".join(f"line {n}\n" for n in range(60))
    new = old.replace("line 5\n", "").replace("line 30\n", "thirty\nmore\n") + "last\n"
    (tmp_path / "f").write_text(old)
    subprocess.run(
        ["git", "apply", "-p0", "--recount", "-"],
        cwd=tmp_path,
        input=file_diff("f", old, new).patch.encode(),
        check=True,
    )
    assert (tmp_path / "f").read_text() == new
