"""``ostler agent create``: a model describes, the user decides, a file is written."""

import asyncio
import json
import os
import pty
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import model_server as model
from tests.support.command import SOURCES, Done, Place
from tests.support.model_server import ModelServer, Reply, text, tool
from tests.support.product import DEADLINE, Json, environment

ANSWER = {
    "identifier": "changelog-writer",
    "whenToUse": "Use this agent when a release needs notes: it reads commits, and only those.",
    "systemPrompt": "You write changelogs.\n\n- Read the commits.\n",
}
GIVEN = ("--description", "writes changelogs", "--mode", "subagent", "--permissions", "read,grep")


def described(**changes: Any) -> Reply:
    return tool("StructuredOutput", **{**ANSWER, **changes})


async def create(place: Place, *arguments: str, **options: Any) -> Done:
    path = str(place.root / ".opencode")
    return await place.ostler("agent", "create", "--path", path, *arguments, **options)


async def test_a_file_that_becomes_an_agent(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([described()]) as server:
        place.configure(server.url)
        done = await create(place, *GIVEN)
    file = place.root / ".opencode/agents/changelog-writer.md"
    assert (done.code, done.out.strip()) == (0, str(file)), done.err
    (asked,) = server.requests
    assert "writes changelogs" in asked["messages"][-1]["content"]
    assert "explore" in asked["messages"][-1]["content"]  # a name that is taken
    assert asked["tool_choice"] == "required"
    keys = [line.partition(":")[0] for line in file.read_text().split("---")[1].splitlines()]
    assert [k for k in keys if k and k[0] != " "] == ["description", "mode", "permission"]
    agent = json.loads((await place.ostler("debug", "agent", "changelog-writer")).out)
    assert agent["description"] == ANSWER["whenToUse"]
    assert agent["prompt"] == ANSWER["systemPrompt"].strip()
    assert agent["mode"] == "subagent"
    denied = {r["permission"] for r in agent["permission"] if r["action"] == "deny"}
    assert {"bash", "edit", "glob", "webfetch", "task", "websearch", "lsp", "skill"} <= denied
    assert not {"read", "grep"} & denied


async def test_everything_is_allowed_where_nothing_is_named(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([described()]) as server:
        place.configure(server.url)
        done = await create(place, *GIVEN[:4], "--tools", "", "--model", "test/m1")
    assert done.code == 0, done.err
    assert "permission" not in Path(done.out.strip()).read_text()


async def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    place = Place(tmp_path)
    file = place.root / ".opencode/agents/changelog-writer.md"
    file.parent.mkdir(parents=True)
    file.write_text("Mine.")
    async with ModelServer([described()]) as server:
        place.configure(server.url)
        done = await create(place, *GIVEN)
    assert (done.code, done.out) == (1, "")
    assert f"already exists: {file}" in done.err
    assert file.read_text() == "Mine."


@pytest.mark.parametrize(
    ("reply", "code", "says"),
    [
        (text("Sure, here you are."), 10, "without a description"),
        (described(identifier="../../evil"), 10, "evil"),
        (described(identifier=""), 10, "not of the right shape"),
        (tool("StructuredOutput", identifier="only-a-name"), 10, "whenToUse"),
        (model.error(401, "bad key"), 4, "bad key"),
        (model.error(400, "tools are not supported"), 7, "tools are not supported"),
    ],
    ids=["words", "path", "empty", "half", "401", "400"],
)
async def test_a_model_that_is_of_no_use(
    tmp_path: Path, reply: Reply, code: int, says: str
) -> None:
    place = Place(tmp_path)
    async with ModelServer([reply], titles=False) as server:
        place.configure(server.url)
        done = await create(place, *GIVEN)
    assert (done.code, done.out) == (code, ""), done.err
    assert says in done.err
    assert "test/m1" in done.err
    assert not (place.root / ".opencode/agents").exists()


async def test_a_failure_that_passes_is_tried_again(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([model.error(503, "busy"), described()], titles=False) as server:
        place.configure(server.url, {"retry": {"delay": 1}})
        done = await create(place, *GIVEN)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--mode", "secondary"), "all, primary, subagent"),
        (("--model", "m1"), "provider/model"),
        (GIVEN[:4], "no terminal"),
    ],
    ids=["mode", "model", "nobody to ask"],
)
async def test_usage(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    place = Place(tmp_path)
    async with ModelServer([described()]) as server:
        place.configure(server.url)
        done = await create(place, *arguments)
    assert (done.code, says in done.err) == (2, True), done.err


async def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    place = Place(tmp_path)
    async with ModelServer([described()]) as server:
        place.configure(server.url)
        done = await at_a_terminal(place, "project\nwrites changelogs\n bash , read\nprimary\n")
    assert done["code"] == 0, done["out"]
    file = place.root / ".opencode/agents/changelog-writer.md"
    assert f"Agent created: {file}" in done["out"]
    assert "mode: primary" in file.read_text()
    assert "bash: deny" not in file.read_text()
    assert "grep: deny" in file.read_text()


async def at_a_terminal(place: Place, typed: str) -> Json:
    """``agent create`` with a terminal as its input."""
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ostler", "agent", "create"),
            cwd=place.root,
            env={**environment(place.home), "PYTHONPATH": SOURCES},
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        os.write(ours, typed.encode())
        async with asyncio.timeout(DEADLINE * 2):
            out, _ = await process.communicate()
    finally:
        os.close(ours)
        os.close(theirs)
    return {"code": process.returncode, "out": out.decode()}
