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


AIR = "Air: An R language server and formatter"


@pytest.mark.parametrize(
    ("program", "script", "files", "name", "expected"),
    [
        ("uv", "", {}, "a.py", "format -- "),
        ("uv", "", {"ruff.toml": ""}, "a.py", "format -- "),  # there is no ruff
        ("uv", '[ "$2" != --help ] || exit 2', {}, "a.py", None),
        ("ruff", "", {"requirements.txt": "ruff==1\n"}, "a.py", "format "),
        ("ruff", "", {"pyproject.toml": "[tool.ruff]\n"}, "a.py", "format "),
        ("ruff", "", {}, "a.py", None),
        ("air", f'[ "$1" != --help ] || echo "{AIR}"', {}, "a.R", "format "),
        ("air", f'[ "$1" != --help ] || echo "{AIR}"', {}, "a.r", None),
        ("air", '[ "$1" != --help ] || echo "Air: live reload"', {}, "a.R", None),
    ],
)
async def test_programs_on_path(
    tmp_path: Path, program: str, script: str, files: Json, name: str, expected: str | None
) -> None:
    path = programs(tmp_path, **{program: script})
    formatter: Any = True
    files = {"README.md": "A project.\n", **files}
    result = await written(tmp_path, formatter, name, files=files, PATH=path)
    file = tmp_path / "project" / name
    assert result == ("hello\n" if expected is None else f"{program} {expected}{file}\n")


def programs(tmp_path: Path, **scripts: str) -> str:
    """A PATH with these, which write into the file what they were called with."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, script in scripts.items():
        said = 'for file; do :; done; [ -f "$file" ] && echo "$(basename "$0") $*" > "$file"'
        (folder / name).write_text(f"#!/bin/sh\n{script}\n{said}\ntrue\n")
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


async def test_ruff_and_not_uv_where_the_project_has_it(tmp_path: Path) -> None:
    path = programs(tmp_path, ruff="", uv="")
    files = {"ruff.toml": ""}
    assert (await written(tmp_path, True, "a.py", files=files, PATH=path)).startswith("ruff format")


@pytest.mark.parametrize("gone", ["ruff", "uv"])
async def test_neither_without_the_other(tmp_path: Path, gone: str) -> None:
    path = programs(tmp_path, ruff="", uv="")
    config = {gone: {"disabled": True}}
    files = {"ruff.toml": ""}
    assert await written(tmp_path, config, "a.py", files=files, PATH=path) == "hello\n"


@pytest.mark.parametrize("flag", ["OPENCODE_EXPERIMENTAL_OXFMT", "OPENCODE_EXPERIMENTAL", "NONE"])
async def test_oxfmt_where_it_is_switched_on(tmp_path: Path, flag: str) -> None:
    path = programs(tmp_path, oxfmt="")
    files = {"package.json": '{"dependencies": {"oxfmt": "1"}}'}
    variables = {"PATH": path, flag: "1"}
    result = await written(tmp_path, True, "a.ts", files=files, **variables)
    assert result.startswith("oxfmt ") == (flag != "NONE")


async def test_a_program_of_the_projects_own_is_not_asked_what_it_is(tmp_path: Path) -> None:
    own = {"node_modules/.bin/air": "#!/bin/sh\ntouch ran\n"}
    async with serving(tmp_path, config={"formatter": True}, PATH="/usr/bin:/bin") as ostler:
        for name, content in own.items():
            program = ostler.root / name
            program.parent.mkdir(parents=True)
            program.write_text(content)
            program.chmod(0o755)
        assert not _entry(await ostler.get("/formatter"), "air")["enabled"]
        assert not (ostler.root / "ran").exists()
