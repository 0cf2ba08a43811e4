"""``ostler debug file``, ``rg``, ``snapshot``, ``scrap``, ``startup``, and ``agent --tool``."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.config.literal import parse_literal
from ostler.schema.errors import ConfigJsonError
from tests.support.command import Done, Place

FILES = {
    "README.md": "A project with a needle.\n",
    "src/one.py": "needle = 1\nnothing\nneedle\n",
    ".gitignore": "built/\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path, FILES)
    (place.root / "built").mkdir()
    (place.root / "built/two.py").write_text("needle = 2\n")
    return place


async def debug(place: Place, *arguments: str) -> Done:
    return await place.ostler("debug", *arguments)


async def asked(place: Place, *arguments: str) -> Any:
    done = await debug(place, *arguments)
    assert done.code == 0, done.err
    return json.loads(done.out)


async def test_files(place: Place) -> None:
    read = await asked(place, "file", "read", "src/one.py")
    assert base64.b64decode(read["content"]).decode() == FILES["src/one.py"]
    assert (read["encoding"], read["mime"]) == ("base64", "text/x-python")
    assert await asked(place, "file", "list", ".") == [
        {"path": ".git/", "type": "directory"},
        {"path": "built/", "type": "directory"},
        {"path": "src/", "type": "directory"},
        {"path": ".gitignore", "type": "file"},
        {"path": "README.md", "type": "file"},
    ]
    found = (await debug(place, "file", "search", "one")).out.splitlines()
    assert found == ["src/one.py"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("file", "read", "absent"), "No such file: absent"),
        (("file", "read", "src"), "Not a file: src"),
        (("file", "read", "../outside"), "outside the project"),
        (("file", "list", "absent"), "No such folder: absent"),
        (("rg", "search", "("), "unclosed"),
        (("snapshot", "diff", "nonsense"), "no such snapshot"),
        (("agent", "nobody"), "Available agents: build"),
        (("agent", "build", "--tool", "saw"), "Tool saw not found"),
        (("agent", "explore", "--tool", "edit"), "not offered to agent explore"),
        (("agent", "build", "--tool", "read"), "filePath"),
        (("agent", "build", "--tool", "read", "--params", "[1]"), "expected an object"),
        (("agent", "build", "--tool", "read", "--params", "{"), "--params:1:2"),
    ],
)
async def test_mistakes(place: Place, arguments: tuple[str, ...], says: str) -> None:
    done = await debug(place, *arguments)
    assert done.code in (1, 2)
    assert (says in done.err, done.out) == (True, ""), done.err


async def test_searching(place: Place) -> None:
    files = (await debug(place, "rg", "files")).out.splitlines()
    assert set(files) == {"README.md", "src/one.py", ".gitignore", "built/two.py"}
    fitting = (await debug(place, "rg", "files", "--glob", "*.md")).out.splitlines()
    assert fitting == ["README.md"]
    queried = (await debug(place, "rg", "files", "--query", "one", "--limit", "1")).out
    assert queried == "src/one.py\n"
    first, second = await asked(place, "rg", "search", "needle", "--glob", "*.py", "--limit", "2")
    assert first["entry"]["path"].endswith(".py")
    matches = await asked(place, "rg", "search", "^need(le)$")
    assert matches == [
        {
            "entry": {"path": "src/one.py", "type": "file"},
            "line": 3,
            "offset": 19,
            "text": "needle\n",
            "submatches": [{"text": "needle", "start": 0, "end": 6}],
        }
    ]
    assert await asked(place, "rg", "search", "absent") == []
    assert second["line"] >= 1


async def test_snapshots(place: Place) -> None:
    taken = (await debug(place, "snapshot", "track")).out.strip()
    assert len(taken) == 40
    assert (await debug(place, "snapshot", "diff", taken)).out == ""
    (place.root / "README.md").write_text("Changed.\n")
    patch = await asked(place, "snapshot", "patch", taken)
    assert patch == {"hash": taken, "files": [str(place.root / "README.md")]}
    diff = (await debug(place, "snapshot", "diff", taken)).out
    assert "-A project with a needle.\n+Changed." in diff
    (place.root / "opencode.json").write_text('{"snapshot": false}')
    refused = await debug(place, "snapshot", "track")
    assert (refused.code, "`snapshot` is off" in refused.err) == (1, True)


async def test_projects_and_time(place: Place) -> None:
    (project,) = await asked(place, "scrap")
    assert project["worktree"] == str(place.root)
    assert 10 < float((await debug(place, "startup")).out) < 60_000


async def test_a_call_of_a_tool(place: Place) -> None:
    call = ("agent", "build", "--tool", "read", "--params")
    read = await asked(place, *call, '{"filePath": "README.md"}')
    assert (read["tool"], read["input"]) == ("read", {"filePath": "README.md"})
    assert "1: A project with a needle." in read["result"]["output"]
    assert read["result"]["metadata"]["truncated"] is False
    again = await asked(place, *call, "{filePath: 'README.md'}")
    assert again["result"] == read["result"]
    change = "{filePath: 'README.md', oldString: 'A', newString: 'The'}"
    refused = await debug(place, "agent", "plan", "--tool", "edit", "--params", change)
    assert (refused.code, "denied by the rule edit *" in refused.err) == (1, True)
    assert (place.root / "README.md").read_text() == FILES["README.md"]
    await asked(place, "agent", "build", "--tool", "edit", "--params", change)
    assert (place.root / "README.md").read_text().startswith("The project")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)


@given(JSON)
def test_json_is_a_literal(value: Any) -> None:
    assert parse_literal(json.dumps(value), "it") == value
    assert parse_literal(json.dumps(value, ensure_ascii=False), "it") == value


@given(st.text(max_size=20))
def test_texts_in_single_quotes(text: str) -> None:
    written = json.dumps(text)[1:-1].replace('\\"', '"').replace("'", "\\'")
    assert parse_literal(f"{{a: '{written}'}}", "it") == {"a": text}


@given(st.text(max_size=30))
def test_any_text_is_a_literal_or_refused(text: str) -> None:
    try:
        parse_literal(text, "it")
    except ConfigJsonError as e:
        named = str(e).startswith("it:")
        assert named
