"""Looking at a project's files."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostler.project import files, fuzzy
from ostler.schema.errors import BadRequest, NotFound


@pytest.fixture
def root(tmp_path: Path) -> str:
    root = tmp_path / "project"
    for name in ("src/app/main.py", "src/app/maintain.py", "docs/readme.md", ".hidden/x.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x\n")
    (root / ".gitignore").write_text("*.log\n/build/\n")
    (root / "a.log").write_text("x")
    (root / "build").mkdir()
    return str(root)


def test_a_folder_has_folders_first(root: str) -> None:
    nodes = files.list_folder("", root, "/")
    assert [(n.path, n.ignored) for n in nodes] == [
        (".hidden/", False),
        ("build/", True),
        ("docs/", False),
        ("src/", False),
        (".gitignore", False),
        ("a.log", True),
    ]
    (inner,) = files.list_folder("src", root, "/")
    assert (inner.name, inner.path, inner.absolute) == ("app", "src/app/", f"{root}/src/app")


@pytest.mark.parametrize("path", ["..", "/etc", "src/../../x", "a\0b"])
def test_nothing_outside(root: str, path: str) -> None:
    with pytest.raises(BadRequest, match="outside the project"):
        files.list_folder(path, root, "/")
    with pytest.raises(BadRequest, match="outside the project"):
        files.read_content(path, root, "/")


def test_what_is_not_there(root: str) -> None:
    with pytest.raises(NotFound):
        files.list_folder("nope", root, "/")
    with pytest.raises(BadRequest, match="Not a folder"):
        files.list_folder("a.log", root, "/")
    with pytest.raises(BadRequest, match="is a folder"):
        files.read_content("src", root, "/")
    assert files.read_content("nope", root, "/").content == ""


def test_content(root: str) -> None:
    Path(root, "t.txt").write_text("\n  héllo \n\n")
    Path(root, "b.png").write_bytes(b"\x89PNG\0")
    text = files.read_content("t.txt", root, "/")
    assert (text.type, text.content) == ("text", "héllo")
    binary = files.read_content("b.png", root, "/")
    assert (binary.type, binary.encoding, binary.mimeType) == ("binary", "base64", "image/png")
    assert base64.b64decode(binary.content) == b"\x89PNG\0"


async def test_finding_by_name(root: str) -> None:
    assert (await files.find("main", root, 10))[0] == "src/app/main.py"
    assert await files.find("apmainpy", root, 1) == ["src/app/main.py"]
    assert await files.find("app", root, 1, "directory") == ["src/app/"]
    assert await files.find("app", root, 9, "file") == ["src/app/main.py", "src/app/maintain.py"]
    assert len(await files.find("", root, 2)) == 2
    assert await files.find("zzz", root, 10) == []


PATHS = st.text(alphabet="abcAB/._-", min_size=1, max_size=12)


@given(st.text(alphabet="abc", min_size=1, max_size=4), st.lists(PATHS, max_size=12, unique=True))
def test_every_path_with_the_characters_in_order_and_no_other(query: str, paths: list[str]) -> None:
    def fits(path: str) -> bool:
        rest = iter(path.lower())
        return all(c in rest for c in query)

    found = fuzzy.best(query, paths, limit=100)
    assert sorted(found) == sorted(p for p in paths if fits(p))
    assert fuzzy.best(query, paths, limit=2) == found[:2]


@given(st.text(alphabet="abc", min_size=1, max_size=5))
def test_the_exact_name_is_the_best_fit(name: str) -> None:
    assert fuzzy.best(name, [f"{name}/x.py", f"x/{name}.py"], 1) == [f"x/{name}.py"]


def test_a_link_leads_nowhere_outside(root: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    Path(root, "link.txt").symlink_to(tmp_path / "secret.txt")
    Path(root, "folder").symlink_to(tmp_path)
    Path(root, "inner.md").symlink_to(Path(root, "docs/readme.md"))
    for path in ("link.txt", "folder/secret.txt"):
        with pytest.raises(BadRequest, match="outside the project"):
            files.read_content(path, root, "/")
    with pytest.raises(BadRequest, match="outside the project"):
        files.list_folder("folder", root, "/")
    assert files.read_content("inner.md", root, "/").content == "x"
