"""The newer API's reads, in its shapes (the contract judges them)."""

from pathlib import Path

import pytest

from tests.support.product import serving
from tests.support.repository import make_repository

PROJECT = {
    ".opencode/command/greet.md": "---\ndescription: Greets\n---\nGreet $1\n",
    ".opencode/skills/clean/SKILL.md": "---\nname: clean\ndescription: Cleans\n---\nClean.\n",
    "src/main.py": "x\n",
}


@pytest.mark.parametrize(
    ("noun", "key", "wanted"),
    [
        ("agent", "id", "build"),
        ("provider", "id", "test"),
        ("model", "id", "m1"),
        ("command", "name", "greet"),
        ("skill", "name", "clean"),
        ("reference", "name", "docs"),
    ],
)
async def test_lists(tmp_path: Path, noun: str, key: str, wanted: str) -> None:
    config = {"reference": {"docs": "/srv/docs"}}
    model = {"limit": {"context": 1000, "output": 100}, "cost": {"input": 1, "output": 2}}
    async with serving(tmp_path, files=PROJECT, config=config, model=model) as ostler:
        answer = await ostler.get(f"/api/{noun}")
        assert wanted in [entry[key] for entry in answer["data"]]
        assert answer["location"]["directory"] == str(ostler.root)
        assert "test-key" not in str(answer)


async def test_files_and_places(tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", {"there.txt": "x\n"})
    async with serving(tmp_path, files=PROJECT) as ostler:
        found = await ostler.get("/api/fs/find", query="main", limit=5)
        assert {"path": "src/main.py", "type": "file"} in found["data"]
        place = {"location[directory]": str(other)}
        there = await ostler.get("/api/location", **place)
        assert there["directory"] == str(other)
        found = await ostler.get("/api/fs/find", query="there", **place)
        assert found["data"][0] == {"path": "there.txt", "type": "file"}
        assert (await ostler.get("/api/integration"))["data"] == []
        assert (await ostler.http.get("/api/fs/find")).status_code == 400
