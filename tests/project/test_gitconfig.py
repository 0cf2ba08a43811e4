import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostler.project import gitconfig


def test_reads_sections_keys_and_values() -> None:
    text = """
; a comment
[core]
\tbare = false
[remote "Origin Two"] url = "https://h.com/a # b" ; comment
\tfetch
[Remote "origin"]
\tURL = https://h.com/\\
x/y   # comment
\turl = second
"""

    found = gitconfig.parse(text)

    assert found.values == {
        "core.bare": ["false"],
        "remote.Origin Two.url": ["https://h.com/a # b"],
        "remote.Origin Two.fetch": ["true"],
        "remote.origin.url": ["https://h.com/x/y", "second"],
    }
    assert found.value("remote.origin.url") == "second"
    assert found.value("absent.key", "default") == "default"


@pytest.mark.parametrize(
    "text",
    ["[core", "[core]\n= 1", '[core]\na = "open', "[core]\na = \\q", "[core]\na b"],
)
def test_refuses_what_git_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        gitconfig.parse(text)


def test_a_broken_or_absent_file_has_no_settings(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"\x00\xff[")

    assert gitconfig.read(str(tmp_path / "config")).values == {}
    assert gitconfig.read(str(tmp_path / "absent")).values == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[remote "origin"]\nurl = a', True),
        ("[include]\npath = x", False),
        ('[includeIf "gitdir:~/w/"]\npath = x', False),
        ('[url "https://h/"]\ninsteadOf = gh:', False),
        ("[extensions]\nworktreeConfig = true", False),
    ],
)
def test_says_when_other_files_or_rewriting_matter(text: str, expected: bool) -> None:
    assert gitconfig.parse(text).is_self_contained is expected


value = st.text(alphabet='ab "\\#;=n[]\n', max_size=12)
line = st.one_of(
    st.builds("[{}]\n".format, st.sampled_from(["core", "Co-re", 'a "B c"', 'a "\\"\\\\"'])),
    st.builds(" {} = {}\n".format, st.sampled_from(["key", "Key2", "k-3"]), value),
    st.sampled_from([" flag\n", "# c\n", "\n", "; c\r\n"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(line, max_size=8).map(lambda lines: "".join(["[core]\n", *lines])))
def test_agrees_with_git(text: str) -> None:
    """git itself is the judge of any file of these lines."""
    judged = subprocess.run(
        ["git", "config", "--file", "-", "--list", "-z"],
        input=text.encode(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    expected: dict[str, list[str]] = {}
    for entry in judged.stdout.decode().split("\0")[:-1]:
        name, _, content = entry.partition("\n")
        expected.setdefault(name, []).append(content if "\n" in entry else "true")

    if judged.returncode == 0:
        assert gitconfig.parse(text).values == expected
    else:
        with pytest.raises(ValueError, match=r"\w+"):
            gitconfig.parse(text)
