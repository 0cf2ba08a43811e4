"""Formatters put into shape what a tool has written."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_server import text, tool
from tests.support.product import Json, serving

UPPER = 'tr a-z A-Z < "$1" > "$1.new" && mv "$1.new" "$1"'


def shell(script: str) -> list[str]:
    return ["sh", "-c", script, "formatter", "$FILE"]


def writing(name: str = "a.txt") -> list[Any]:
    return [tool("write", filePath=name, content="hello\n"), text("done")]


async def written(tmp_path: Path, formatter: Any, name: str = "a.txt", **more: Any) -> str:
    """What is in a file that the write tool wrote, with this configuration."""
    config: Json = {"formatter": formatter}
    async with serving(tmp_path, writing(name), titles=False, config=config, **more) as ostler:
        await ostler.prompt(await ostler.create(title="Named"))
        return (ostler.root / name).read_text()


@pytest.mark.parametrize(
    ("formatter", "expected"),
    [
        ({"up": {"command": shell(UPPER), "extensions": [".txt"]}}, "HELLO\n"),
        ({"up": {"command": shell(UPPER), "extensions": [".md"]}}, "hello\n"),
        ({"up": {"command": shell(UPPER), "extensions": [".txt"], "disabled": True}}, "hello\n"),
        ({"bad": {"command": shell("exit 3"), "extensions": [".txt"]}}, "hello\n"),
        ({"bad": {"command": ["no-such-program", "$FILE"], "extensions": [".txt"]}}, "hello\n"),
        (
            {
                "up": {"command": shell(UPPER), "extensions": [".txt"]},
                "add": {
                    "command": shell('echo "$WORD" >> "$1"'),
                    "extensions": [".txt"],
                    "environment": {"WORD": "added"},
                },
            },
            "HELLO\nadded\n",
        ),
        (False, "hello\n"),
    ],
)
async def test_what_is_written(tmp_path: Path, formatter: Any, expected: str) -> None:
    assert await written(tmp_path, formatter) == expected


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_built_in_one_of_the_projects_own(tmp_path: Path, trusted: bool) -> None:
    config: Json = {"formatter": True}
    variables = {"OSTLER_TRUST": "1"} if trusted else {}
    async with serving(
        tmp_path, writing("a.json"), titles=False, config=config, **variables
    ) as ostler:
        program = ostler.root / "node_modules/.bin/prettier"
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\necho "$1" > "$2"\n')
        program.chmod(0o755)
        assert not _entry(await ostler.get("/formatter"), "prettier")["enabled"]
        (ostler.root / "package.json").write_text('{"devDependencies": {"prettier": "3"}}')
        await ostler.post("/instance/dispose")
        listed = _entry(await ostler.get("/formatter"), "prettier")
        assert listed["enabled"]
        assert ".json" in listed["extensions"]
        await ostler.prompt(await ostler.create(title="Named"))
        expected = "--write\n" if trusted else "hello\n"
        assert (ostler.root / "a.json").read_text() == expected


def _entry(listed: list[Json], name: str) -> Json:
    return next(each for each in listed if each["name"] == name)


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_project_that_asks_for_them_itself(tmp_path: Path, trusted: bool) -> None:
    variables = {"OSTLER_TRUST": "1"} if trusted else {}
    async with serving(tmp_path, writing(), titles=False, **variables) as ostler:
        own = {"formatter": {"up": {"command": shell(UPPER), "extensions": [".txt"]}}}
        (ostler.root / "opencode.json").write_text(json.dumps(own))
        await ostler.post("/instance/dispose")
        await ostler.prompt(await ostler.create(title="Named"))
        assert (ostler.root / "a.txt").read_text() == ("HELLO\n" if trusted else "hello\n")
