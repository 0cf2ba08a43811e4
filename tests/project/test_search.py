import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostler.project import search
from ostler.project.globs import BadGlob
from ostler.project.ignore import Overrides, walk
from ostler.project.rust_regex import BadRegex, compile_regex
from ostler.project.search import STAND_IN, Program, SearchFailed, find_files, search_text
from ostler.project.search_program import search_file
from tests.support.trees import make_tree

RG = shutil.which("rg")
needs_rg = pytest.mark.skipif(RG is None, reason="ripgrep is not installed")
programs = pytest.mark.parametrize(
    "program", [pytest.param((RG,), marks=needs_rg, id="rg"), pytest.param(STAND_IN, id="stand-in")]
)


@programs
async def test_files_are_found_by_glob_at_any_depth(tmp_path: Path, program: Program) -> None:
    make_tree(tmp_path, {"a.py": "", "d/b.py": "", "d/c.txt": "", ".x/d.py": ""})
    found = await find_files(str(tmp_path), "*.py", limit=10, program=program)
    assert sorted(found) == ["a.py", "d/b.py"]
    everything = await find_files(str(tmp_path), limit=10, hidden=True, program=program)
    assert sorted(everything) == [".x/d.py", "a.py", "d/b.py", "d/c.txt"]


@programs
async def test_no_more_than_the_limit_is_found(tmp_path: Path, program: Program) -> None:
    make_tree(tmp_path, {f"{n}.txt": "x\n" for n in range(20)})
    assert len(await find_files(str(tmp_path), "*.txt", limit=7, program=program)) == 7
    assert len(await search_text(str(tmp_path), "x", limit=7, program=program)) == 7


@programs
async def test_a_match_says_where_it_is_in_bytes(tmp_path: Path, program: Program) -> None:
    make_tree(tmp_path, {"d/a.txt": "eins\nß foo foo\r\nlast"})
    (match,) = await search_text(str(tmp_path), "fo+", limit=10, program=program)
    assert (match.path, match.line_number, match.absolute_offset) == ("d/a.txt", 2, 5)
    assert match.line == "ß foo foo\r\n"
    assert [(s.text, s.start, s.end) for s in match.submatches] == [("foo", 3, 6), ("foo", 7, 10)]


@programs
async def test_dot_files_are_searched_git_and_ignored_ones_not(
    tmp_path: Path, program: Program
) -> None:
    make_tree(
        tmp_path,
        {".env": "foo", ".git/x": "foo", ".ignore": "skip", "skip": "foo", "a.py": "foo"},
    )
    found = await search_text(str(tmp_path), "foo", limit=10, program=program)
    assert sorted(m.path for m in found) == [".env", "a.py"]
    found = await search_text(str(tmp_path), "foo", limit=10, include="*.py", program=program)
    assert [m.path for m in found] == ["a.py"]


@programs
async def test_binary_files_are_passed_over_and_other_encodings_read(
    tmp_path: Path, program: Program
) -> None:
    make_tree(
        tmp_path,
        {"binary": b"foo\n\0\nfoo\n", "marked": b"\xef\xbb\xbffoo\n", "wide":
         "foo\n".encode("utf-16"), "latin": b"caf\xe9 foo\n"},
    )  # fmt: skip
    found = await search_text(str(tmp_path), "foo", limit=10, program=program)
    lines = {m.path: m.line for m in found}
    assert lines == {"marked": "foo\n", "wide": "foo\n", "latin": "caf\ufffd foo\n"}


@programs
async def test_a_bad_pattern_or_folder_is_an_error_that_says_which(
    tmp_path: Path, program: Program
) -> None:
    with pytest.raises(SearchFailed, match=r"\("):
        await search_text(str(tmp_path), "(", limit=10, program=program)
    with pytest.raises(SearchFailed, match="glob"):
        await find_files(str(tmp_path), "[x", limit=10, program=program)
    with pytest.raises(SearchFailed, match=r"No such directory: .*nowhere"):
        await find_files(str(tmp_path / "nowhere"), limit=10, program=program)


@programs
async def test_a_bad_rule_in_an_ignore_file_is_no_failure(tmp_path: Path, program: Program) -> None:
    make_tree(tmp_path, {".ignore": "{x\n", "a": ""})
    assert await find_files(str(tmp_path), limit=10, program=program) == ["a"]


@programs
async def test_no_module_of_the_searched_project_is_run(tmp_path: Path, program: Program) -> None:
    make_tree(tmp_path, {"json.py": "open('ran', 'w')", "re.py": "open('ran', 'w')"})
    await search_text(str(tmp_path), "x", limit=10, program=program)
    assert not (tmp_path / "ran").exists()


async def test_a_search_ends_at_its_deadline(tmp_path: Path) -> None:
    make_tree(tmp_path, {"a": "a" * 40 + "!"})
    with pytest.raises(SearchFailed, match=r"stopped after 0\.3 s"):
        await search_text(str(tmp_path), "(a+)+$", limit=10, deadline=0.3, program=STAND_IN)


async def test_a_cancelled_search_leaves_no_process_behind(tmp_path: Path) -> None:
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    program = ("/bin/sh", "-c", f"echo $$ > {pipe}; exec sleep 60")
    task = asyncio.create_task(find_files(str(tmp_path), limit=2, program=program))
    pid = int(await asyncio.to_thread(pipe.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_line_beyond_all_measure_is_passed_over(tmp_path: Path) -> None:
    huge = f"head -c {search.MAX_EVENT + 70_000} /dev/zero | tr '\\0' x; echo; echo ./after"
    found = await find_files(str(tmp_path), limit=5, program=("/bin/sh", "-c", huge))
    assert found == ["after"]


def test_the_program_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    search.default_program.cache_clear()
    monkeypatch.setenv("OSTLER_RIPGREP", "none")
    assert search.default_program() == STAND_IN
    search.default_program.cache_clear()
    monkeypatch.setenv("OSTLER_RIPGREP", "/opt/rg")
    assert search.default_program() == ("/opt/rg",)
    search.default_program.cache_clear()


# ── the stand-in finds what ripgrep finds ─────────────────────────────────────────────────────

_names = st.sampled_from(["a", "b", "ab", ".h", "c.py", "d.txt", ".e.py", "x y", "é", "[q]", "#k"])
_folders = st.lists(st.sampled_from(["a", "sub", ".hid", "z-1"]), max_size=2).map("/".join)
_rules = st.sampled_from(
    ["*", "**", "a", "b", "*.py", ".h", "c.*", "sub", "?", "[ab]", "[!a]", "{a,b}", "**/a", "a/**",
     "a/*", "/a", "a/", "!a", "!*.py", "**/sub/**", "#k", "\\#k", "x y", "[[]q]", "é", "??", "*b",
     "sub/**/a", "/sub/*", "**/", "*/", ".*", "!.h", "/", "!", "a ", "***", "a**", "*/a", "{,a}b"]
)  # fmt: skip
_ignore_file = st.lists(_rules, max_size=3).map("\n".join)


@st.composite
def _trees(draw: st.DrawFn) -> dict[str, str]:
    tree = {os.path.join(draw(_folders), draw(_names)): "" for _ in range(draw(st.integers(0, 6)))}
    for name in (".gitignore", ".ignore", ".rgignore", ".git/info/exclude"):
        if draw(st.booleans()):
            tree[os.path.join(draw(_folders), name)] = draw(_ignore_file)
    # A name cannot be a file and a folder at once.
    folders = {parent for name in tree for parent in _parents(name)}
    return {name: text for name, text in tree.items() if name not in folders}


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


@needs_rg
@settings(max_examples=60, deadline=None)
@given(tree=_trees(), globs=st.lists(_rules, max_size=1), hidden=st.booleans())
def test_the_stand_in_lists_the_files_ripgrep_lists(
    tree: dict[str, str], globs: list[str], hidden: bool
) -> None:
    globs = [*globs, "!**/.git/**"]
    with tempfile.TemporaryDirectory() as folder:
        root = make_tree(Path(folder), tree)
        flags = [f"--glob={glob}" for glob in globs] + (["--hidden"] if hidden else [])
        listed = subprocess.run(
            ["rg", "--no-config", "--files", *flags, "."], cwd=root, capture_output=True
        )
        expected = {line.removeprefix(b"./") for line in listed.stdout.splitlines()}
        assert set(walk(os.fsencode(root), Overrides(globs), hidden)) == expected


@needs_rg
@pytest.mark.parametrize("glob", ["[x", "{x", "x\\", "[z-a]"])
def test_the_stand_in_refuses_the_globs_ripgrep_refuses(tmp_path: Path, glob: str) -> None:
    refused = subprocess.run(
        ["rg", "--no-config", "--files", f"--glob={glob}", "."], cwd=tmp_path, capture_output=True
    )
    assert refused.returncode == 2
    with pytest.raises(BadGlob):
        Overrides([glob])


_atoms = st.sampled_from(
    ["a", "b", "foo", ".", r"\w", r"\d", r"\s", r"\b", "^", "$", "[ab]", "[^a]", "(a|b)", "(?i)A",
     "a*", "o+", "o{2}", ".*", ".*?", "[[:alpha:]]", r"\p{L}", r"\.", r"\-", "a|b", "x?", "a$",
     "(?i:FOO)", "[a[bc]]", r"[\w-]", r"\t", r"\x61", "|"]
)  # fmt: skip
_lines = st.sampled_from(
    ["foo", "a b", "", "ab foo", "\t x", "FOO bar", "12 a1", "\r", "a\r", "aaa", "foo.foo", "\\"]
)


@needs_rg
@settings(max_examples=60, deadline=None)
@given(
    pattern=st.lists(_atoms, min_size=1, max_size=3).map("".join),
    lines=st.lists(_lines, max_size=8),
    ending=st.sampled_from(["", "\n"]),
    times=st.sampled_from([1, 1, 1, 4000]),
)
def test_the_stand_in_finds_the_matches_ripgrep_finds(
    pattern: str, lines: list[str], ending: str, times: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "f")
        Path(path).write_bytes(("\n".join(lines) + ending).encode() * times)
        ran = subprocess.run(
            ["rg", "--no-config", "--json", "--", pattern, "."], cwd=folder, capture_output=True
        )
        events = [json.loads(line) for line in ran.stdout.splitlines()]
        expected = [
            (d["line_number"], d["absolute_offset"], d["lines"]["text"],
             [(s["match"]["text"], s["start"], s["end"]) for s in d["submatches"]])
            for d in (e["data"] for e in events if e["type"] == "match")
        ]  # fmt: skip
        try:
            regex = compile_regex(pattern)
        except BadRegex:
            assert ran.returncode == 2
            return
        with open(path, "rb") as file:
            found = [
                (number, offset, line.decode(), [(t.decode(), s, e) for t, s, e in spans])
                for number, offset, line, spans in search_file(file, regex)
            ]
        assert found == expected
