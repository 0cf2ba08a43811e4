import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.project.globs import BadGlob, compile_glob, translate


def matches(glob: str, path: str) -> bool:
    return compile_glob(glob).fullmatch(path.encode()) is not None


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("*.py", ["a.py", ".py"], ["a.pyc", "d/a.py"]),
        ("?.py", ["a.py"], ["ab.py", "/.py"]),
        ("**/a", ["a", "x/a", "x/y/a"], ["ba", "a/b"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "ab"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb"]),
        ("**", ["a", "a/b"], []),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("**a", ["a", "xa"], ["x/a"]),
        ("{a,b}.txt", ["a.txt", "b.txt"], ["c.txt", ".txt"]),
        ("{a,b{c,d}}", ["a", "bc", "bd"], ["b"]),
        ("{,a}b", ["ab"], ["b"]),
        ("[a-c]", ["a", "c"], ["d"]),
        ("[!a]", ["b"], ["a"]),
        ("[^a]", ["b"], ["a"]),
        ("[]x]", ["]", "x"], ["a"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[-a]", ["a", "-"], ["b"]),
        ("\\*", ["*"], ["a"]),
        ("a,b", ["a,b"], ["a", "b"]),
        ("é", ["é"], ["e"]),
        ("", [""], ["a"]),
    ],
)
def test_globs_match_as_ripgreps_do(glob: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in yes if not matches(glob, path)] == []
    assert [path for path in no if matches(glob, path)] == []


@pytest.mark.parametrize("glob", ["[a", "{a", "a}", "a\\", "[c-a]"])
def test_a_glob_that_cannot_be_read_is_named(glob: str) -> None:
    with pytest.raises(BadGlob, match=re.escape(f"'{glob}'")):
        translate(glob)


def test_ignore_files_take_an_open_bracket_literally() -> None:
    assert compile_glob("[a[b", unclosed_class=True).fullmatch(b"[a[b")


@given(st.text(alphabet="ab*?[]{},/\\!-", max_size=10))
def test_every_glob_compiles_or_is_refused(glob: str) -> None:
    try:
        pattern = compile_glob(glob)
    except BadGlob:
        return
    pattern.fullmatch(b"a/b")


@given(st.text(alphabet="ab/.é [*?", max_size=8))
def test_an_escaped_text_matches_itself_alone(text: str) -> None:
    escaped = "".join("\\" + c if c in "*?[" else c for c in text)
    assert matches(escaped, text)
    assert not matches(escaped, text + "x")
